/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The cache of a task: laid in before it starts, packed after it has succeeded.
 * All of it is opened by PID 1, as the task itself and beneath its workspace.
 * What does not work is said in the log, and never fails the task; what holds a
 * secret is not kept.
 */
#include "job/cache.h"
#include "base/fd.h"
#include "base/tar.h"
#include "runner/internal.h"
#include "runner/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BLOCK = 65536,
	ENTRIES_MAX = 500000,
	DEPTH_MAX = 64,
	SAY_MAX = 200
};

struct pack {
	struct run *r;
	int to;
	struct hash_ctx *hash;
	struct look look;
	uint64_t bytes;
	size_t entries, left_out;
	size_t names; /* held, of all directories that we are in */
	struct err *e;
};

/* --- before ------------------------------------------------------------- */

static void say(struct run *r, const char *what, struct str key)
{
	key = fetch_clean(r, key).clean; /* whole, before it is cut */
	run_say(r, "nfo: cache: %s \"" STR_FMT "\"", what,
		(int)(key.len < SAY_MAX ? key.len : SAY_MAX), key.p);
}

void cache_restore(struct run *r)
{
	const struct job_cache *c = &r->a->cache;
	CLEANUP_FD int fd = -1;
	struct err e;

	if (!c->key.len)
		return;
	if (!c->hit.len) {
		say(r, "there is none of", c->key);
		return;
	}
	fd = fd_open_beneath(r->fds[LAUNCH_FILES], "cache", O_RDONLY, 0);
	if (fd < 0)
		err_sys(&e, errno, "cache");
	else if (!ctl_unpack(r->ctl, "", false, fd, &e)) {
		say(r, "restored", c->hit);
		return;
	}
	run_say(r, "nfo: cache: not restored, or not all of it: %s", e.text);
}

/* --- packing ------------------------------------------------------------ */

static int put(struct pack *k, const void *p, size_t len)
{
	k->bytes += len;
	if (k->bytes > RUNNER_ARTIFACT_MAX)
		return err_set(k->e, ERR_LIMIT, "it is too large");
	switch (look_write(&k->look, p, len, k->e)) {
	case 0:
		break;
	case 1:
		return err_set(k->e, ERR_DENIED, "it holds a secret");
	default:
		return -1;
	}
	hash_update(k->hash, p, len);
	return fd_write_all(k->to, p, len) ? err_sys(k->e, errno, "staging") :
					     0;
}

static int put_header(struct pack *k, const struct tar_entry *t)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8192);

	if (++k->entries > ENTRIES_MAX)
		return err_set(k->e, ERR_LIMIT, "it has over %d files",
			       ENTRIES_MAX);
	if (!tar_header(&b, t))
		return err_set(k->e, ERR_LIMIT, "a name is too long");
	return put(k, b.data, b.len);
}

static int put_content(struct pack *k, int fd, uint64_t size)
{
	CLEANUP_MEM char *block = mem_alloc(BLOCK);
	CLEANUP_BUF struct buf pad = BUF_INIT(1024);
	uint64_t left = size;

	while (left) {
		ssize_t n =
			fd_read(fd, block, left < BLOCK ? (size_t)left : BLOCK);

		if (n <= 0)
			return err_set(k->e, ERR_INVALID,
				       "a file changed while it was read");
		if (put(k, block, (size_t)n))
			return -1;
		left -= (uint64_t)n;
	}
	tar_pad(&pad, size);
	return pad.len ? put(k, pad.data, pad.len) : 0;
}

static int put_file(struct pack *k, const char *path, int fd)
{
	struct tar_entry t = {.type = TAR_FILE, .path = str_from(path)};
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(k->e, errno, "%s", path);
	if (!S_ISREG(st.st_mode)) {
		k->left_out++;
		return 0;
	}
	t.mode = st.st_mode & 0777;
	t.size = (uint64_t)st.st_size;
	return put_header(k, &t) || put_content(k, fd, t.size) ? -1 : 0;
}

/* One that leads out of the tree would not be laid in again. */
static int put_link(struct pack *k, const char *path)
{
	struct tar_entry t = {.type = TAR_SYMLINK, .path = str_from(path)};
	char target[TAR_PATH_MAX];
	CLEANUP_FD int fd = -1;
	struct err none;
	ssize_t n;

	if (ctl_open(k->r->ctl, path, CTL_OPEN_LINK, &fd, &none))
		return 0; /* gone */
	n = readlinkat(fd, "", target, sizeof(target));
	if (n <= 0 || n == sizeof(target) ||
	    !tar_link_stays(t.path, str_n(target, (size_t)n))) {
		k->left_out++;
		return 0;
	}
	t.link = str_n(target, (size_t)n);
	t.mode = 0777;
	return put_header(k, &t);
}

static int put_dir(struct pack *k, const char *path, int fd, unsigned depth);

static int put_entry(struct pack *k, const char *path, unsigned depth,
		     unsigned char type)
{
	unsigned flags = type == DT_DIR ? CTL_OPEN_DIRECTORY : 0;
	CLEANUP_FD int fd = -1;
	struct err none;

	if (type == DT_LNK)
		return put_link(k, path);
	if ((type != DT_DIR && type != DT_REG) ||
	    ctl_open(k->r->ctl, path, flags, &fd, &none)) {
		k->left_out++;
		return 0;
	}
	return type == DT_DIR ? put_dir(k, path, fd, depth + 1) :
				put_file(k, path, fd);
}

/* --- directories -------------------------------------------------------- */

struct names {
	struct name {
		char *name;
		unsigned char type;
	} * v;
	size_t n, cap;
};

static void names_done(struct pack *k, struct names *l)
{
	k->names -= l->n;
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->v[i].name);
	mem_free(l->v);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->name,
		      ((const struct name *)b)->name);
}

/* Takes nothing; in order, so that equal trees make equal archives. */
static int names_read(struct pack *k, int fd, struct names *ret)
{
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = mine < 0 ? NULL : fdopendir(mine);
	struct dirent *ent;

	if (!d) {
		fd_close(&mine);
		return err_sys(k->e, errno, "a directory");
	}
	while ((ent = readdir(d)) && k->names < ENTRIES_MAX) {
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (ret->n == ret->cap) {
			ret->cap = ret->cap ? 2 * ret->cap : 64;
			ret->v = mem_resize(ret->v, ret->cap, sizeof(*ret->v));
		}
		ret->v[ret->n++] =
			(struct name){mem_strdup(ent->d_name), ent->d_type};
		k->names++;
	}
	closedir(d);
	if (k->names == ENTRIES_MAX)
		return err_set(k->e, ERR_LIMIT, "it has over %d files",
			       ENTRIES_MAX);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_bytes);
	return 0;
}

static int put_dir(struct pack *k, const char *path, int fd, unsigned depth)
{
	struct tar_entry t = {.type = TAR_DIR, .path = str_from(path)};
	struct names l = {.n = 0};
	struct stat st;
	int bad = 0;

	if (depth > DEPTH_MAX)
		return err_set(k->e, ERR_LIMIT, "deeper than %d levels",
			       DEPTH_MAX);
	if (fstat(fd, &st))
		return err_sys(k->e, errno, "%s", path);
	t.mode = st.st_mode & 0777;
	if (put_header(k, &t))
		return -1;
	bad = names_read(k, fd, &l);
	for (size_t i = 0; !bad && i < l.n; i++) {
		CLEANUP_BUF struct buf child = BUF_INIT(TAR_PATH_MAX);

		buf_puts(&child, path);
		buf_putc(&child, '/');
		if (!buf_puts(&child, l.v[i].name) ||
		    !tar_path_ok(buf_view(&child)))
			k->left_out++;
		else
			bad = put_entry(k, buf_cstr(&child), depth,
					l.v[i].type);
	}
	names_done(k, &l);
	return bad;
}

/* A directory, a file, or nothing. */
static int put_path(struct pack *k, const char *path)
{
	CLEANUP_FD int fd = -1;
	struct err none;

	if (!ctl_open(k->r->ctl, path, CTL_OPEN_DIRECTORY, &fd, &none))
		return put_dir(k, path, fd, 0);
	if (errno == ENOTDIR && !ctl_open(k->r->ctl, path, 0, &fd, &none))
		return put_file(k, path, fd);
	return 0;
}

static int put_all(struct pack *k)
{
	const struct job_cache *c = &k->r->a->cache;
	CLEANUP_BUF struct buf end = BUF_INIT(2048);

	for (size_t i = 0; i < c->n_paths; i++) {
		CLEANUP_MEM char *path =
			mem_strndup(c->paths[i].p, c->paths[i].len);

		if (put_path(k, path))
			return -1;
	}
	if (!k->entries)
		return err_set(k->e, ERR_NOT_FOUND, "there is nothing to keep");
	tar_end(&end);
	return put(k, end.data, end.len);
}

/* --- after -------------------------------------------------------------- */

static void record(struct pack *k, const struct hash *h)
{
	struct run *r = k->r;
	struct job_result_artifact *a = &r->artifacts[r->result.n_artifacts++];

	*a = (struct job_result_artifact){.name = STR(CACHE_RESULT),
					  .staged = STR("cache"),
					  .file = REDACTED("cache"),
					  .size = k->bytes};
	hash_hex(h, a->sha256);
}

void cache_save(struct run *r)
{
	const struct job_cache *c = &r->a->cache;
	struct err e = {0};
	struct pack k = {.r = r, .e = &e};
	struct hash h;
	int bad;

	if (!c->key.len || c->exact || r->result.state != STATE_SUCCEEDED ||
	    r->result.n_artifacts + 1 >= RESULT_LIST_MAX)
		return;
	k.to = openat(r->fds[LAUNCH_STAGING], "cache",
		      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      0640);
	if (k.to < 0)
		return;
	k.hash = hash_begin();
	look_begin(&k.look, &r->mask);
	bad = put_all(&k);
	h = hash_end(k.hash);
	look_done(&k.look);
	fd_close(&k.to);
	if (bad) {
		run_say(r, "nfo: cache: not kept: %s", e.text);
		return;
	}
	record(&k, &h);
	say(r, "kept as", c->key);
	if (k.left_out)
		run_say(r,
			"nfo: cache: %zu were left out: no files, or "
			"links that lead out of the workspace",
			k.left_out);
}
