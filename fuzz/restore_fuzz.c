/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as a backup that is taken back, in two pieces; or, when they begin
 * like a database, as the database of one that is otherwise good.  What is
 * refused leaves nothing, and what is taken can be put in its place.
 */
#include "base/fd.h"
#include "base/hash.h"
#include "base/tar.h"
#include "engine/backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ARCHIVE_MAX = 20 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char dir[] = "/tmp/nfo-fuzz-XXXXXX";
static int dir_fd = -1;

static void remove_all(void)
{
	struct err e;

	if (fd_remove_tree(AT_FDCWD, dir, &e))
		fprintf(stderr, "%s\n", e.text);
}

static void make_dir(void)
{
	if (!mkdtemp(dir) || atexit(remove_all))
		abort();
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || mkdirat(dir_fd, "tmp", 0700) ||
	    mkdirat(dir_fd, "runs", 0700) || mkdirat(dir_fd, "blobs", 0700))
		abort();
}

static bool is_there(const char *path)
{
	return !faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* --- one around a database ---------------------------------------------- */

static void add(struct buf *b, const char *path, struct str content)
{
	const struct tar_entry t = {.type = TAR_FILE,
				    .path = str_from(path),
				    .mode = 0600,
				    .size = content.len};

	if (!tar_header(b, &t) || !buf_str(b, content) ||
	    !tar_pad(b, content.len))
		abort();
}

static void around(struct str db, struct buf *b)
{
	char hex[HASH_HEX_LEN + 1], line[256];
	struct hash_ctx *list = hash_begin(), *one = hash_begin();
	struct hash h;
	int n;

	hash_update(one, db.p, db.len);
	h = hash_end(one);
	hash_hex(&h, hex);
	n = snprintf(line, sizeof(line), "%s %zu nfo.db\n", hex, db.len);
	hash_update(list, line, (size_t)n);
	h = hash_end(list);
	hash_hex(&h, hex);
	(void)snprintf(line, sizeof(line),
		       "{\"files\":1,\"bytes\":%zu,\"list\":\"%s\"}", db.len,
		       hex);
	add(b, "nfo-backup.json", STR("{\"format\":1}"));
	add(b, "nfo.db", db);
	add(b, "manifest.json", str_from(line));
	if (!tar_end(b))
		abort();
}

/* --- taking it ---------------------------------------------------------- */

static void put_in_place(void)
{
	struct err e;

	if (!is_there("restore.ready") || restore_finish(dir_fd, &e) ||
	    is_there("restore.ready") || !is_there("nfo.db") ||
	    restore_finish(dir_fd, &e))
		abort();
}

static void take(struct str all, size_t half)
{
	struct restore *r;
	struct err e;

	if (restore_begin(dir_fd, dir, &r, &e))
		abort();
	if (restore_feed(r, all.p, half, &e) ||
	    restore_feed(r, all.p + half, all.len - half, &e))
		restore_abort(r);
	else if (!restore_end(r, &e))
		put_in_place();
	else if (!e.code || !e.text[0])
		abort();
	if (is_there("tmp/restore") || is_there("restore.ready"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str s = str_n((const char *)data, len);
	CLEANUP_BUF struct buf b = BUF_INIT(ARCHIVE_MAX);

	if (dir_fd < 0)
		make_dir();
	if (str_starts(s, STR("SQLite format 3"))) {
		around(s, &b);
		s = buf_view(&b);
	}
	take(s, len ? data[0] * s.len / 256 : 0);
	return 0;
}
