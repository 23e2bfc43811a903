/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Laying a source tree into the workspace: done inside the sandbox, as the
 * task, after every privilege is gone.  What the archive may hold is decided
 * by base/tar; where it goes, by openat2 beneath the directory.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/tar.h"
#include "sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct unpack {
	int dir, out;
	bool read_only;
};

/* Directories that the archive took for granted. */
static int make_parents(int dir, char *path)
{
	for (char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(dir, path, 0755) && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

static int make_file(struct unpack *u, const char *path, uint32_t mode)
{
	mode_t m = u->read_only ? 0444 | (mode & 0111) : mode | 0600;

	(void)unlinkat(u->dir, path, 0); /* a later entry wins */
	u->out = fd_open_beneath(u->dir, path,
				 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, m);
	return u->out < 0 ? -1 : fchmod(u->out, m);
}

static int on_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	CLEANUP_MEM char *path = mem_strndup(t->path.p, t->path.len);
	CLEANUP_MEM char *link = mem_strndup(t->link.p, t->link.len);
	struct unpack *u = ctx;
	int bad = make_parents(u->dir, path);

	if (!bad && t->type == TAR_DIR)
		bad = mkdirat(u->dir, path, t->mode | 0700) && errno != EEXIST;
	else if (!bad && t->type == TAR_SYMLINK)
		bad = (unlinkat(u->dir, path, 0) && errno != ENOENT) ||
		      symlinkat(link, u->dir, path);
	else if (!bad)
		bad = make_file(u, path, t->mode);
	if (bad)
		return err_sys(e, errno, "source: %s", path);
	return 0;
}

static int on_data(void *ctx, const void *p, size_t len, struct err *e)
{
	struct unpack *u = ctx;

	if (fd_write_all(u->out, p, len))
		return err_sys(e, errno, "source: write");
	return 0;
}

static int on_end(void *ctx, struct err *e)
{
	struct unpack *u = ctx;

	(void)e;
	fd_close(&u->out);
	return 0;
}

int unpack_tar(int tar_fd, int dir_fd, bool read_only, struct err *e)
{
	static const struct tar_ops ops = {on_entry, on_data, on_end};
	static const struct tar_limits limits = {1000000, UINT64_MAX / 2};
	struct unpack u = {.dir = dir_fd, .out = -1, .read_only = read_only};
	struct tar_reader *r = tar_reader_new(&limits, &ops, &u);
	CLEANUP_MEM char *block = mem_alloc(65536);
	int bad = 0;
	ssize_t n;

	while (!bad && (n = fd_read(tar_fd, block, 65536)) != 0)
		bad = n < 0 ? err_sys(e, errno, "source: read") :
			      tar_feed(r, block, (size_t)n, e);
	if (!bad && tar_n_entries(r))
		bad = tar_finish(r, e);
	tar_reader_free(r);
	fd_close(&u.out);
	return bad;
}
