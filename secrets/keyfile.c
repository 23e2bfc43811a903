/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Key files; see keyfile.h.  The path is walked one component at a time, each
 * directory checked by its descriptor before the next name is looked up in it,
 * so that what was checked is what is used.
 */
#include "secrets/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"

enum {
	HEX_LEN = 2 * KEYFILE_KEY_LEN,
	TEXT_MAX = HEX_LEN + 1 /* a newline */
};

static bool trusted_owner(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* len bytes of path are the name of the directory, for the message. */
static int check_dir(int fd, const char *path, size_t len, struct err *e)
{
	int n = len ? (int)len : 1;
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, errno, "directory %.*s", n, path);
	if (!trusted_owner(st.st_uid))
		return err_set(e, ERR_DENIED,
			       "directory %.*s of the key file belongs to "
			       "another user (uid %u)",
			       n, path, st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
		return err_set(e, ERR_DENIED,
			       "directory %.*s of the key file is writable by "
			       "group or others (mode %03o)",
			       n, path, st.st_mode & 0777);
	return 0;
}

static int fail_open(int sys, const char *what, const char *path, size_t len,
		     struct err *e)
{
	int n = (int)len;

	switch (sys) {
	case ENOENT:
		return err_set(e, ERR_NOT_FOUND, "%s %.*s is not there", what,
			       n, path);
	case EEXIST:
		return err_set(e, ERR_CONFLICT, "%s %.*s exists already", what,
			       n, path);
	case ELOOP:
		return err_set(e, ERR_DENIED,
			       "%s %.*s is a symbolic link: name the real one",
			       what, n, path);
	case EACCES:
		return err_set(e, ERR_DENIED, "%s %.*s may not be opened", what,
			       n, path);
	default:
		return err_sys(e, sys, "%s %.*s", what, n, path);
	}
}

/* openat(2) of a directory gives ENOTDIR for a link to one, not ELOOP. */
static int step_into(int dir_fd, const char *name, int *ret_errno)
{
	int fd = openat(dir_fd, name,
			O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0)
		return fd;
	*ret_errno = errno;
	if (*ret_errno == ENOTDIR &&
	    !fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	    S_ISLNK(st.st_mode))
		*ret_errno = ELOOP;
	return -1;
}

/* The checked directory of path, and the file's name in it. */
static int open_parent(const char *path, int *ret_fd, const char **ret_name,
		       struct err *e)
{
	const char *last = strrchr(path, '/'), *p = path;
	CLEANUP_FD int fd = -1;
	char name[NAME_MAX + 1];
	int sys = 0;

	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return err_set(e, ERR_INVALID,
			       "the path of a key file must be absolute");
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "/");
	while (!check_dir(fd, path, (size_t)(p - path), e)) {
		const char *end;
		int next;

		while (*p == '/')
			p++;
		if (p > last) {
			*ret_name = p;
			*ret_fd = fd_take(&fd);
			return 0;
		}
		end = strchr(p, '/');
		if (end - p > NAME_MAX)
			return err_set(e, ERR_INVALID, "a name is too long");
		memcpy(name, p, (size_t)(end - p));
		name[end - p] = 0;
		next = step_into(fd, name, &sys);
		if (next < 0)
			return fail_open(sys, "directory", path,
					 (size_t)(end - path), e);
		fd_close(&fd);
		fd = next;
		p = end;
	}
	return -1;
}

static int check_file(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, errno, "key file %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "key file %s is no regular file",
			       path);
	if (!trusted_owner(st.st_uid))
		return err_set(e, ERR_DENIED,
			       "key file %s belongs to another user (uid %u)",
			       path, st.st_uid);
	if (st.st_mode & 077)
		return err_set(e, ERR_DENIED,
			       "key file %s is open to group or others (mode "
			       "%03o): chmod 600 it",
			       path, st.st_mode & 0777);
	if (st.st_nlink != 1)
		return err_set(e, ERR_DENIED,
			       "key file %s has %lu links, not one", path,
			       (unsigned long)st.st_nlink);
	return 0;
}

int keyfile_decode(struct str text, const char *what, struct secret **ret_key,
		   struct err *e)
{
	struct secret *key CLEANUP_SECRET = NULL;

	if (secret_new(text.len == KEYFILE_KEY_LEN ? text.p : NULL,
		       KEYFILE_KEY_LEN, SECRET_WIPE_ON_FORK, &key, e))
		return -1;
	if (text.len == HEX_LEN + 1 && text.p[HEX_LEN] == '\n')
		text.len--;
	if (text.len != KEYFILE_KEY_LEN &&
	    (text.len != HEX_LEN ||
	     hex_decode(text, secret_room(key), KEYFILE_KEY_LEN)))
		return err_set(e, ERR_INVALID,
			       "%s does not hold 32 bytes or 64 hexadecimal "
			       "digits",
			       what);
	*ret_key = key;
	key = NULL;
	return 0;
}

int keyfile_read(const char *path, struct secret **ret_key, struct err *e)
{
	struct secret *text CLEANUP_SECRET = NULL;
	CLEANUP_FD int dir_fd = -1;
	CLEANUP_FD int fd = -1;
	char what[ERR_TEXT_MAX];
	const char *name;
	ssize_t n;

	if (open_parent(path, &dir_fd, &name, e))
		return -1;
	/* Non-blocking: a fifo is refused below, not waited for. */
	fd = openat(dir_fd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fail_open(errno, "key file", path, strlen(path), e);
	if (check_file(fd, path, e) ||
	    secret_new(NULL, TEXT_MAX + 1, SECRET_WIPE_ON_FORK, &text, e))
		return -1;
	n = fd_read_full(fd, secret_room(text), TEXT_MAX + 1);
	if (n < 0)
		return err_sys(e, errno, "key file %s", path);
	(void)snprintf(what, sizeof(what), "key file %s", path);
	return keyfile_decode(str_n((const char *)secret_room(text), (size_t)n),
			      what, ret_key, e);
}

int keyfile_create(const char *path, struct err *e)
{
	unsigned char key[KEYFILE_KEY_LEN];
	CLEANUP_FD int dir_fd = -1;
	CLEANUP_FD int sync_fd = -1;
	CLEANUP_FD int fd = -1;
	const char *name;
	int bad;

	if (open_parent(path, &dir_fd, &name, e))
		return -1;
	fd = openat(dir_fd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_open(errno, "key file", path, strlen(path), e);
	random_bytes(key, sizeof(key));
	sync_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bad = sync_fd < 0 || fchmod(fd, 0600) ||
	      fd_write_all(fd, key, sizeof(key)) || fsync(fd) || fsync(sync_fd);
	mem_wipe(key, sizeof(key));
	if (!bad)
		return 0;
	err_sys(e, errno, "key file %s", path);
	(void)unlinkat(dir_fd, name, 0);
	return -1;
}
