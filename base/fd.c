/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Descriptors: whole-buffer I/O, files, sealed memory; see fd.h. */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL
};

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

ssize_t fd_read(int fd, void *p, size_t len)
{
	ssize_t n;

	do
		n = read(fd, p, len);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t fd_write(int fd, const void *p, size_t len)
{
	ssize_t n;

	do
		n = write(fd, p, len);
	while (n < 0 && errno == EINTR);
	return n;
}

int fd_write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len) {
		ssize_t n = fd_write(fd, at, len);

		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = fd_read(fd, (char *)p + have, len - have);

		if (n < 0)
			return -1;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int fd_read_buf(int fd, struct buf *b, struct err *e)
{
	for (;;) {
		size_t room = b->max - b->len < 16384 ? b->max - b->len : 16384;
		char probe;
		char *to = room ? buf_room(b, room) : &probe;
		ssize_t n = fd_read(fd, to, room ? room : 1);

		if (n < 0)
			return err_sys(e, errno, "read");
		if (!n)
			return 0;
		if (!room)
			return err_set(e, ERR_LIMIT, "longer than %zu bytes",
				       b->max);
		buf_commit(b, (size_t)n);
	}
}

int fd_read_file(int dir_fd, const char *name, struct buf *b, struct err *e)
{
	CLEANUP_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		int sys = errno;

		err_sys(e, sys, "%s", name);
		if (e && sys == ENOENT)
			e->code = ERR_NOT_FOUND;
		return -1;
	}
	if (fd_read_buf(fd, b, e))
		return err_wrap(e, "%s", name);
	return 0;
}

int fd_write_file(int dir_fd, const char *name, struct str content, mode_t mode,
		  struct err *e)
{
	char tmp[256];
	CLEANUP_FD int fd = -1;
	int n = snprintf(tmp, sizeof(tmp), "%s.tmp", name);

	if (n < 0 || (size_t)n >= sizeof(tmp))
		return err_set(e, ERR_INVALID, "%s: name too long", name);
	(void)unlinkat(dir_fd, tmp, 0);
	fd = openat(dir_fd, tmp,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(e, errno, "%s", tmp);
	if (fd_write_all(fd, content.p, content.len) || fsync(fd) ||
	    renameat(dir_fd, tmp, dir_fd, name)) {
		err_sys(e, errno, "%s", name);
		(void)unlinkat(dir_fd, tmp, 0);
		return -1;
	}
	if (dir_fd != AT_FDCWD && fsync(dir_fd))
		return err_sys(e, errno, "sync of the directory of %s", name);
	return 0;
}

int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (__u64)(unsigned)flags | O_CLOEXEC,
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return (int)fd;
}

static int remove_below(int dir_fd, unsigned depth)
{
	DIR *d = fdopendir(dir_fd);
	struct dirent *ent;
	int bad = 0;

	if (!d) {
		close(dir_fd);
		return -1;
	}
	while (!bad && (ent = readdir(d))) {
		int sub;

		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (!unlinkat(dirfd(d), ent->d_name, 0) || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			bad = -1;
			break;
		}
		sub = openat(dirfd(d), ent->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 && errno == EACCES &&
		    !fchmodat(dirfd(d), ent->d_name, 0700, 0))
			sub = openat(dirfd(d), ent->d_name,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
					     O_CLOEXEC);
		if (sub < 0 || depth > 2000 || remove_below(sub, depth + 1) ||
		    unlinkat(dirfd(d), ent->d_name, AT_REMOVEDIR))
			bad = -1;
	}
	closedir(d);
	return bad;
}

int fd_remove_tree(int dir_fd, const char *name, struct err *e)
{
	int fd = openat(dir_fd, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return unlinkat(dir_fd, name, 0) ?
			       err_sys(e, errno, "remove %s", name) :
			       0;
	if (fd < 0 || remove_below(fd, 0) ||
	    unlinkat(dir_fd, name, AT_REMOVEDIR))
		return err_sys(e, errno, "remove %s", name);
	return 0;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags);
}

int fd_memfd_sealed(const char *name, struct str content, struct err *e)
{
	CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(e, errno, "memfd_create");
	if (fd_write_all(fd, content.p, content.len) ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(e, errno, "memory file %s", name);
	return fd_take(&fd);
}

int fd_memfd_check(int fd, size_t max, size_t *ret_len, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return err_set(e, ERR_INVALID, "not a sealed memory file");
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "not a regular memory file");
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return err_set(e, ERR_LIMIT, "memory file over %zu bytes", max);
	*ret_len = (size_t)st.st_size;
	return 0;
}

int fd_memfd_read(int fd, struct buf *b, struct err *e)
{
	size_t len, have = 0;
	char *to;

	if (fd_memfd_check(fd, b->max - b->len, &len, e))
		return -1;
	to = buf_room(b, len);
	if (!to)
		return err_set(e, ERR_LIMIT, "memory file too long");
	while (have < len) {
		ssize_t n = pread(fd, to + have, len - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, n ? errno : EIO, "memory file");
		have += (size_t)n;
	}
	buf_commit(b, len);
	return 0;
}

void fd_close_from(unsigned lowest)
{
	(void)close_range(lowest, ~0U, 0);
}
