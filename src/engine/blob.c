/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files by content; see blob.h. */
#include "engine/blob.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/tar.h"
#include "engine/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	BLOCK = 1 << 18
};

/* Between "it is old" and "it goes" nobody may find that it is there: the
 * collector and the API put while the engine drops. */
static pthread_mutex_t settling = PTHREAD_MUTEX_INITIALIZER;

struct blob_writer {
	int state_fd, fd;
	char name[64];
	struct hash_ctx *hash;
	uint64_t bytes, max;
};

int blob_begin(int state_fd, uint64_t max_bytes, struct blob_writer **ret,
	       struct err *e)
{
	struct blob_writer *w = mem_alloc(sizeof(*w));
	struct ulid id = ulid_new();

	*w = (struct blob_writer){.state_fd = state_fd, .max = max_bytes};
	(void)snprintf(w->name, sizeof(w->name), "tmp/%s", id.s);
	w->fd = openat(state_fd, w->name,
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		       0600);
	if (w->fd < 0) {
		err_sys(e, errno, "%s", w->name);
		mem_free(w);
		return -1;
	}
	w->hash = hash_begin();
	*ret = w;
	return 0;
}

int blob_write(struct blob_writer *w, const void *p, size_t len, struct err *e)
{
	w->bytes += len;
	if (w->bytes > w->max)
		return err_set(e, ERR_LIMIT, "over %" PRIu64 " bytes", w->max);
	hash_update(w->hash, p, len);
	if (fd_write_all(w->fd, p, len))
		return err_sys(e, errno, "write");
	return 0;
}

/* The same content twice is one file: the second copy just goes. */
static int settle(struct blob_writer *w, const char *hex, struct err *e)
{
	char path[PATHS_MAX], dir[PATHS_MAX];
	bool there;

	paths_blob(path, hex);
	(void)snprintf(dir, sizeof(dir), "blobs/sha256/%.2s", hex);
	if (mkdirat(w->state_fd, dir, 0700) && errno != EEXIST)
		return err_sys(e, errno, "%s", dir);
	/* its time says that it is wanted, see blob_drop() */
	pthread_mutex_lock(&settling);
	there = !utimensat(w->state_fd, path, NULL, AT_SYMLINK_NOFOLLOW);
	pthread_mutex_unlock(&settling);
	if (there)
		return unlinkat(w->state_fd, w->name, 0) ?
			       err_sys(e, errno, "%s", w->name) :
			       0;
	if (fchmod(w->fd, 0444) || fdatasync(w->fd))
		return err_sys(e, errno, "%s", path);
	CRASH_POINT("blob.before-rename");
	if (renameat(w->state_fd, w->name, w->state_fd, path))
		return err_sys(e, errno, "%s", path);
	CRASH_POINT("blob.after-rename");
	return 0;
}

int blob_end(struct blob_writer *w, struct hash *ret, uint64_t *ret_bytes,
	     struct err *e)
{
	char hex[HASH_HEX_LEN + 1];
	struct hash h = hash_end(w->hash);
	int bad;

	w->hash = NULL;
	hash_hex(&h, hex);
	bad = settle(w, hex, e);
	*ret = h;
	*ret_bytes = w->bytes;
	if (bad)
		(void)unlinkat(w->state_fd, w->name, 0);
	fd_close(&w->fd);
	mem_free(w);
	return bad ? -1 : 0;
}

void blob_abort(struct blob_writer *w)
{
	if (!w)
		return;
	(void)hash_end(w->hash);
	(void)unlinkat(w->state_fd, w->name, 0);
	fd_close(&w->fd);
	mem_free(w);
}

int blob_drop(int state_fd, const char hex[HASH_HEX_LEN + 1])
{
	char path[PATHS_MAX];
	struct stat st;
	bool fresh = false;

	paths_blob(path, hex);
	pthread_mutex_lock(&settling);
	if (!fstatat(state_fd, path, &st, AT_SYMLINK_NOFOLLOW)) {
		fresh = time(NULL) - st.st_mtime < BLOB_FRESH_S;
		CRASH_POINT("blob.before-drop");
		if (!fresh)
			(void)unlinkat(state_fd, path, 0);
		CRASH_POINT("blob.after-drop");
	}
	pthread_mutex_unlock(&settling);
	return fresh ? -1 : 0;
}

int blob_put(int state_fd, int fd, uint64_t max_bytes, struct hash *ret,
	     uint64_t *ret_bytes, struct err *e)
{
	CLEANUP_MEM char *block = mem_alloc(BLOCK);
	struct blob_writer *w;
	ssize_t n;

	if (blob_begin(state_fd, max_bytes, &w, e))
		return -1;
	while ((n = fd_read(fd, block, BLOCK)) != 0)
		if (n < 0 || blob_write(w, block, (size_t)n, e)) {
			if (n < 0)
				err_sys(e, errno, "read");
			blob_abort(w);
			return -1;
		}
	return blob_end(w, ret, ret_bytes, e);
}

int blob_open(int state_fd, const struct hash *h, int *ret_fd, struct err *e)
{
	char hex[HASH_HEX_LEN + 1], path[PATHS_MAX];
	int fd;

	hash_hex(h, hex);
	paths_blob(path, hex);
	fd = openat(state_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, ERR_NOT_FOUND, "no such content");
	*ret_fd = fd;
	return 0;
}

int blob_check_tar(int state_fd, const struct hash *h, uint64_t max_files,
		   uint64_t max_bytes, struct err *e)
{
	const struct tar_limits limits = {max_files, max_bytes};
	static const struct tar_ops ops; /* the reader's own checks do */
	CLEANUP_MEM char *block = mem_alloc(BLOCK);
	CLEANUP_FD int fd = -1;
	struct tar_reader *t;
	int bad = 0;
	ssize_t n;

	if (blob_open(state_fd, h, &fd, e))
		return -1;
	t = tar_reader_new(&limits, &ops, NULL);
	while (!bad && (n = fd_read(fd, block, BLOCK)) != 0)
		bad = n < 0 ? err_sys(e, errno, "read") :
			      tar_feed(t, block, (size_t)n, e);
	if (!bad)
		bad = tar_finish(t, e);
	tar_reader_free(t);
	return bad;
}
