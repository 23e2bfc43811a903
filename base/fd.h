/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Descriptors.  Every one is close-on-exec at birth; EINTR is handled here
 * and nowhere else.  Paths that a user had a hand in go through fd_open_beneath.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

void fd_close(int *fd); /* closes when >= 0, sets -1; keeps errno */
#define CLEANUP_FD CLEANUP(fd_close)
int fd_take(int *fd); /* returns it and leaves -1 */

/* Whole-buffer I/O on blocking descriptors; -1 with errno.  fd_read_full
 * returns the bytes read, short only at end-of-file. */
MUST_USE int fd_write_all(int fd, const void *p, size_t len);
MUST_USE ssize_t fd_read_full(int fd, void *p, size_t len);
MUST_USE ssize_t fd_read(int fd, void *p, size_t len); /* one read, no EINTR */
MUST_USE ssize_t fd_write(int fd, const void *p, size_t len);

/* Append all of fd to b; ERR_LIMIT when it is longer than b->max. */
MUST_USE int fd_read_buf(int fd, struct buf *b, struct err *e);
/* The file name below dir_fd (AT_FDCWD allowed), all of it. */
MUST_USE int fd_read_file(int dir_fd, const char *name, struct buf *b,
			  struct err *e);
/* Write name.tmp below dir_fd, sync it, rename it to name, sync dir_fd. */
MUST_USE int fd_write_file(int dir_fd, const char *name, struct str content,
			   mode_t mode, struct err *e);

/* openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS),
 * O_CLOEXEC added; -1 with errno. */
MUST_USE int fd_open_beneath(int dir_fd, const char *path, int flags,
			     mode_t mode);
/* Remove everything below dir_fd/name and the directory itself; never follows
 * a link; 0 also when it is not there. */
MUST_USE int fd_remove_tree(int dir_fd, const char *name, struct err *e);

MUST_USE int fd_set_nonblock(int fd, bool on);

/* Sealed memory files: what is larger than a message goes beside it.  The
 * receiver maps nothing it has not checked. */
MUST_USE int fd_memfd_sealed(const char *name, struct str content,
			     struct err *e); /* a read-only use is enforced */
MUST_USE int fd_memfd_check(int fd, size_t max, size_t *ret_len,
			    struct err *e); /* seals, regular, size <= max */
MUST_USE int fd_memfd_read(int fd, struct buf *b, struct err *e);

/* Close everything from lowest up. */
void fd_close_from(unsigned lowest);
