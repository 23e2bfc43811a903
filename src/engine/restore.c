/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Taking a backup back; see backup.h.  What comes is anybody's: names are ours
 * or refused, sizes are bounded by the reader, content has the hash that it
 * says, and the database is looked at before anything is touched.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/tar.h"
#include "doc/doc.h"
#include "engine/backup.h"
#include "engine/paths.h"
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAID  "tmp/restore"
#define READY "restore.ready"

enum {
	ENTRIES_MAX = 20000000,
	TEXT_MAX = 4096,
	PLACE_MAX = PATHS_MAX + 64
};

#define BYTES_MAX ((uint64_t)4 << 40)

enum what {
	WHAT_FIRST,
	WHAT_DB,
	WHAT_BLOB,
	WHAT_LOG,
	WHAT_LAST,
	WHAT_NONE
};

struct restore {
	int state_fd;
	char *dir;
	struct tar_reader *tar;
	struct hash_ctx *list, *hash;
	uint64_t files, bytes;
	bool has_first, has_db, has_last;
	/* the entry that comes */
	enum what what;
	struct buf path, text; /* text: of the first and the last */
	uint64_t size;
	int fd;
};

/* --- names -------------------------------------------------------------- */

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
		      (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return s.len == HASH_HEX_LEN;
}

/* RUN/NNN-NAME@N/log.idx, as paths.c makes them. */
static bool is_log(struct str s)
{
	struct str run = str_cut(&s, '/'), dir = str_cut(&s, '/');

	if (!ulid_valid(run) || dir.len < 6 || dir.len > 80)
		return false;
	for (size_t i = 0; i < dir.len; i++) {
		char c = dir.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_' || c == '@'))
			return false;
	}
	return str_is(s, "log.idx") || str_is(s, "log.data");
}

static enum what what_is(struct str path)
{
	if (str_is(path, "nfo-backup.json"))
		return WHAT_FIRST;
	if (str_is(path, "nfo.db"))
		return WHAT_DB;
	if (str_is(path, "manifest.json"))
		return WHAT_LAST;
	if (str_starts(path, STR("blobs/")) && is_hex(str_from_at(path, 6)))
		return WHAT_BLOB;
	if (str_starts(path, STR("runs/")) && is_log(str_from_at(path, 5)))
		return WHAT_LOG;
	return WHAT_NONE;
}

/* --- laying it in ------------------------------------------------------- */

static int make_dirs(int at, const char *path, struct err *e)
{
	char part[PLACE_MAX];

	for (const char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(s - path),
			       path);
		if (mkdirat(at, part, 0700) && errno != EEXIST)
			return err_sys(e, errno, "%s", part);
	}
	return 0;
}

static int open_place(struct restore *r, struct err *e)
{
	const char *path = buf_cstr(&r->path);
	char place[PLACE_MAX];

	if (r->what == WHAT_BLOB)
		(void)snprintf(place, sizeof(place),
			       LAID "/blobs/sha256/%.2s/%s", path + 6,
			       path + 6);
	else
		(void)snprintf(place, sizeof(place), LAID "/%s", path);
	if (make_dirs(r->state_fd, place, e))
		return -1;
	r->fd = openat(r->state_fd, place,
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		       r->what == WHAT_BLOB ? 0444 : 0600);
	if (r->fd >= 0)
		return 0;
	return errno == EEXIST ? err_set(e, ERR_INVALID, "%s: twice", path) :
				 err_sys(e, errno, "%s", path);
}

/* In the order of backup.h. */
static int in_order(const struct restore *r)
{
	if (r->has_last)
		return 0;
	if (!r->has_first)
		return r->what == WHAT_FIRST;
	if (!r->has_db)
		return r->what == WHAT_DB;
	return r->what >= WHAT_BLOB && r->what <= WHAT_LAST;
}

static int on_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	struct restore *r = ctx;
	bool text;

	r->what = t->type == TAR_FILE ? what_is(t->path) : WHAT_NONE;
	if (r->what == WHAT_NONE || !in_order(r))
		return err_set(e, ERR_INVALID,
			       "\"" STR_FMT "\": not what a backup has here",
			       STR_ARG(t->path));
	text = r->what == WHAT_FIRST || r->what == WHAT_LAST;
	if (text && t->size > TEXT_MAX)
		return err_set(e, ERR_INVALID, "\"" STR_FMT "\": too long",
			       STR_ARG(t->path));
	buf_reset(&r->path);
	buf_reset(&r->text);
	buf_str(&r->path, t->path);
	r->size = t->size;
	r->hash = hash_begin();
	return text ? 0 : open_place(r, e);
}

static int on_data(void *ctx, const void *p, size_t len, struct err *e)
{
	struct restore *r = ctx;

	hash_update(r->hash, p, len);
	if (r->fd < 0)
		return buf_put(&r->text, p, len) ?
			       0 :
			       err_set(e, ERR_INVALID, "too long");
	return fd_write_all(r->fd, p, len) ?
		       err_sys(e, errno, "%s", buf_cstr(&r->path)) :
		       0;
}

/* --- what it says of itself --------------------------------------------- */

static struct doc *parse(struct str text, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;

	if (!doc_parse(text, DOC_JSON, &d, ps))
		return d;
	err_set(e, ERR_INVALID, "what it says of itself is malformed");
	return NULL;
}

static int see_first(struct restore *r, struct err *e)
{
	struct doc *d = parse(buf_view(&r->text), e);
	int64_t format = 0;
	bool bad;

	if (!d)
		return -1;
	bad = doc_as_i64(doc_get(d->root, "format"), &format) || format != 1;
	doc_free(d);
	r->has_first = true;
	return bad ? err_set(e, ERR_INVALID,
			     "not a backup of a form that this program knows") :
		     0;
}

static int see_last(struct restore *r, struct err *e)
{
	struct doc *d = parse(buf_view(&r->text), e);
	struct hash h = hash_end(r->list);
	char hex[HASH_HEX_LEN + 1];
	struct str list = STR("");
	int64_t files = -1, bytes = -1;
	bool same;

	r->list = NULL;
	if (!d)
		return -1;
	hash_hex(&h, hex);
	same = !doc_as_string(doc_get(d->root, "list"), &list) &&
	       str_is(list, hex) &&
	       !doc_as_i64(doc_get(d->root, "files"), &files) &&
	       !doc_as_i64(doc_get(d->root, "bytes"), &bytes) &&
	       (uint64_t)files == r->files && (uint64_t)bytes == r->bytes;
	doc_free(d);
	r->has_last = true;
	return same ? 0 :
		      err_set(e, ERR_INVALID,
			      "it is not what its manifest says");
}

static int on_end(void *ctx, struct err *e)
{
	struct restore *r = ctx;
	struct hash h = hash_end(r->hash);
	char line[PLACE_MAX + 128], hex[HASH_HEX_LEN + 1];
	int n;

	r->hash = NULL;
	if (r->what == WHAT_FIRST)
		return see_first(r, e);
	if (r->what == WHAT_LAST)
		return see_last(r, e);
	hash_hex(&h, hex);
	if (r->what == WHAT_BLOB && strcmp(buf_cstr(&r->path) + 6, hex) != 0)
		return err_set(e, ERR_INVALID, "%s: its content is another",
			       buf_cstr(&r->path));
	if (fdatasync(r->fd))
		return err_sys(e, errno, "%s", buf_cstr(&r->path));
	fd_close(&r->fd);
	n = snprintf(line, sizeof(line), "%s %" PRIu64 " %s\n", hex, r->size,
		     buf_cstr(&r->path));
	hash_update(r->list, line, (size_t)n);
	r->files++;
	r->bytes += r->size;
	r->has_db |= r->what == WHAT_DB;
	return 0;
}

/* --- all of it ---------------------------------------------------------- */

static const struct tar_ops ops = {on_entry, on_data, on_end};

int restore_begin(int state_fd, const char *dir, struct restore **ret,
		  struct err *e)
{
	static const char *const dirs[] = {LAID, LAID "/blobs",
					   LAID "/blobs/sha256", LAID "/runs"};
	const struct tar_limits limits = {ENTRIES_MAX, BYTES_MAX};
	struct restore *r;

	if (fd_remove_tree(state_fd, LAID, e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(state_fd, dirs[i], 0700))
			return err_sys(e, errno, "%s", dirs[i]);
	r = mem_alloc(sizeof(*r));
	r->state_fd = state_fd;
	r->dir = mem_strdup(dir);
	r->fd = -1;
	r->path = BUF_INIT(PATHS_MAX);
	r->text = BUF_INIT(TEXT_MAX + 1);
	r->list = hash_begin();
	r->tar = tar_reader_new(&limits, &ops, r);
	*ret = r;
	return 0;
}

int restore_feed(struct restore *r, const void *p, size_t len, struct err *e)
{
	return tar_feed(r->tar, p, len, e);
}

static void restore_free(struct restore *r)
{
	tar_reader_free(r->tar);
	if (r->list)
		(void)hash_end(r->list);
	if (r->hash)
		(void)hash_end(r->hash);
	fd_close(&r->fd);
	buf_done(&r->path);
	buf_done(&r->text);
	mem_free(r->dir);
	mem_free(r);
}

void restore_abort(struct restore *r)
{
	struct err e;

	if (!r)
		return;
	(void)!fd_remove_tree(r->state_fd, LAID, &e);
	restore_free(r);
}

static int adopt(struct restore *r, struct err *e)
{
	CLEANUP_BUF struct buf db = BUF_INIT(8192);

	if (tar_finish(r->tar, e))
		return -1;
	if (!r->has_last)
		return err_set(e, ERR_INVALID, "it has no manifest: cut off");
	buf_printf(&db, "%s/" LAID "/nfo.db", r->dir);
	if (store_adopt(buf_cstr(&db), clock_real_us(), e))
		return -1;
	CRASH_POINT("restore.before-ready");
	if (syncfs(r->state_fd) ||
	    renameat(r->state_fd, LAID, r->state_fd, READY) ||
	    fsync(r->state_fd))
		return err_sys(e, errno, READY);
	CRASH_POINT("restore.after-ready");
	return 0;
}

int restore_end(struct restore *r, struct err *e)
{
	if (adopt(r, e)) {
		restore_abort(r);
		return -1;
	}
	restore_free(r);
	return 0;
}

/* --- at the next start -------------------------------------------------- */

static bool exists(int state_fd, const char *path)
{
	return !faccessat(state_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* What is there goes to tmp/, which is emptied at each start. */
static int change_dir(int state_fd, const char *name, struct err *e)
{
	char from[64], away[96];
	struct ulid id = ulid_new();

	(void)snprintf(from, sizeof(from), READY "/%s", name);
	(void)snprintf(away, sizeof(away), "tmp/%s", id.s);
	if (!exists(state_fd, from))
		return 0;
	if (renameat(state_fd, name, state_fd, away) && errno != ENOENT)
		return err_sys(e, errno, "%s", name);
	CRASH_POINT("restore.half");
	return renameat(state_fd, from, state_fd, name) ?
		       err_sys(e, errno, "%s", from) :
		       0;
}

static int change_db(int state_fd, struct err *e)
{
	static const char *const logs[] = {"nfo.db-wal", "nfo.db-shm"};

	if (!exists(state_fd, READY "/nfo.db"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		if (unlinkat(state_fd, logs[i], 0) && errno != ENOENT)
			return err_sys(e, errno, "%s", logs[i]);
	CRASH_POINT("restore.half-db");
	return renameat(state_fd, READY "/nfo.db", state_fd, "nfo.db") ?
		       err_sys(e, errno, "nfo.db") :
		       0;
}

/* Each step is done when what it moves is no longer there. */
int restore_finish(int state_fd, struct err *e)
{
	if (!exists(state_fd, READY))
		return 0;
	if (mkdirat(state_fd, "tmp", 0700) && errno != EEXIST)
		return err_sys(e, errno, "tmp");
	if (change_dir(state_fd, "runs", e) ||
	    change_dir(state_fd, "blobs", e) || change_db(state_fd, e) ||
	    fsync(state_fd))
		return err_wrap(e, "taking a backup back");
	CRASH_POINT("restore.done");
	return fd_remove_tree(state_fd, READY, e);
}
