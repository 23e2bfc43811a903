/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Making a backup; see backup.h. */
#include "engine/backup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/tar.h"
#include "engine/paths.h"
#include "proto/logidx.h"
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY "tmp/backup.db"

enum {
	BLOCK = 1 << 18,
	HEAD_MAX = 8192
};

struct backup {
	int state_fd, out;
	struct hash_ctx *list;
	uint64_t files, bytes;
	char *block;
};

static int put(struct backup *b, const void *p, size_t len, struct err *e)
{
	return fd_write_all(b->out, p, len) ? err_sys(e, errno, "the backup") :
					      0;
}

static int put_header(struct backup *b, const char *path, uint64_t size,
		      struct err *e)
{
	const struct tar_entry t = {.type = TAR_FILE,
				    .path = str_from(path),
				    .mode = 0600,
				    .size = size};
	CLEANUP_BUF struct buf h = BUF_INIT(HEAD_MAX);

	if (!tar_header(&h, &t))
		return err_set(e, ERR_INTERNAL, "a header of the backup");
	return put(b, h.data, h.len, e);
}

static int put_pad(struct backup *b, uint64_t size, struct err *e)
{
	CLEANUP_BUF struct buf pad = BUF_INIT(TAR_BLOCK);

	if (!tar_pad(&pad, size))
		return err_set(e, ERR_INTERNAL, "the backup");
	return pad.len ? put(b, pad.data, pad.len, e) : 0;
}

static void note(struct backup *b, const char *path, const struct hash *h,
		 uint64_t size)
{
	char line[PATHS_MAX + 128], hex[HASH_HEX_LEN + 1];
	int n;

	hash_hex(h, hex);
	n = snprintf(line, sizeof(line), "%s %" PRIu64 " %s\n", hex, size,
		     path);
	hash_update(b->list, line, (size_t)n);
	b->files++;
	b->bytes += size;
}

/* size bytes of fd, which has at least so many. */
static int put_file(struct backup *b, const char *path, int fd, uint64_t size,
		    struct err *e)
{
	struct hash_ctx *ctx;
	struct hash h;
	uint64_t left = size;
	int bad = put_header(b, path, size, e);

	ctx = hash_begin();
	while (!bad && left) {
		size_t want = left < BLOCK ? (size_t)left : BLOCK;
		ssize_t n = fd_read(fd, b->block, want);

		if (n <= 0) {
			bad = err_set(e, ERR_INTERNAL, "%s: it became shorter",
				      path);
			break;
		}
		hash_update(ctx, b->block, (size_t)n);
		bad = put(b, b->block, (size_t)n, e);
		left -= (uint64_t)n;
	}
	h = hash_end(ctx);
	if (bad || put_pad(b, size, e))
		return -1;
	note(b, path, &h, size);
	return 0;
}

static int put_text(struct backup *b, const char *path, struct str text,
		    struct err *e)
{
	if (put_header(b, path, text.len, e) || put(b, text.p, text.len, e))
		return -1;
	return put_pad(b, text.len, e);
}

/* unit: only so many bytes at once are one thing.  What is not there any more
 * was removed before we began. */
static int put_path(struct backup *b, const char *path, const char *as,
		    uint64_t unit, struct err *e)
{
	CLEANUP_FD int fd = fd_open_beneath(b->state_fd, path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	return put_file(b, as, fd, (uint64_t)st.st_size / unit * unit, e);
}

static int put_blob(void *ctx, const char *sha256, struct err *e)
{
	char path[PATHS_MAX], as[HASH_HEX_LEN + 16];

	paths_blob(path, sha256);
	(void)snprintf(as, sizeof(as), "blobs/%s", sha256);
	return put_path(ctx, path, as, 1, e);
}

/* The index first: its records speak of bytes that are there already. */
static int put_log(void *ctx, const struct ulid *run, uint32_t index,
		   struct str name, uint32_t attempt, struct err *e)
{
	char dir[PATHS_MAX], path[PATHS_MAX + 16];

	paths_attempt(dir, run, index, name, attempt);
	(void)snprintf(path, sizeof(path), "%s/log.idx", dir);
	if (put_path(ctx, path, path, LOGIDX_LEN, e))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/log.data", dir);
	return put_path(ctx, path, path, 1, e);
}

static int put_first(struct backup *b, const char *version, struct err *e)
{
	char text[256], now[CLOCK_TEXT_LEN + 1];
	int n;

	clock_format(clock_real_us(), now);
	n = snprintf(text, sizeof(text),
		     "{\"format\":1,\"version\":\"%s\",\"created_at\":\"%s\","
		     "\"secrets\":false}\n",
		     version, now);
	return put_text(b, "nfo-backup.json", str_n(text, (size_t)n), e);
}

static int put_last(struct backup *b, struct err *e)
{
	CLEANUP_BUF struct buf end = BUF_INIT(2 * TAR_BLOCK);
	char text[256], hex[HASH_HEX_LEN + 1];
	struct hash h = hash_end(b->list);
	int n;

	b->list = NULL;
	hash_hex(&h, hex);
	n = snprintf(text, sizeof(text),
		     "{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
		     ",\"list\":\"%s\"}\n",
		     b->files, b->bytes, hex);
	if (put_text(b, "manifest.json", str_n(text, (size_t)n), e))
		return -1;
	(void)tar_end(&end);
	return put(b, end.data, end.len, e);
}

static int put_all(struct backup *b, const char *copy, const char *version,
		   struct err *e)
{
	struct store_reader *r;
	int bad;

	if (put_first(b, version, e) || put_path(b, COPY, "nfo.db", 1, e) ||
	    store_reader_open(copy, &r, e))
		return -1;
	CRASH_POINT("backup.half");
	bad = store_read_contents(r, put_blob, b, e) ||
	      store_read_logs(r, put_log, b, e);
	store_reader_close(r);
	return bad || put_last(b, e) ? -1 : 0;
}

int backup_make(int state_fd, const char *db, const char *dir,
		const char *version, int *ret_fd, struct err *e)
{
	CLEANUP_BUF struct buf copy = BUF_INIT(8192);
	struct backup b = {.state_fd = state_fd, .out = -1};
	int bad;

	buf_printf(&copy, "%s/" COPY, dir);
	(void)unlinkat(state_fd, COPY, 0);
	b.out = openat(state_fd, "tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (b.out < 0)
		return err_sys(e, errno, "tmp");
	b.block = mem_alloc(BLOCK);
	b.list = hash_begin();
	CRASH_POINT("backup.begin");
	bad = store_copy(db, buf_cstr(&copy), e) ||
	      put_all(&b, buf_cstr(&copy), version, e) ||
	      lseek(b.out, 0, SEEK_SET) < 0;
	CRASH_POINT("backup.end");
	if (b.list)
		(void)hash_end(b.list);
	(void)unlinkat(state_fd, COPY, 0);
	mem_free(b.block);
	if (bad) {
		fd_close(&b.out);
		return -1;
	}
	*ret_fd = b.out;
	return 0;
}
