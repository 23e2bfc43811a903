/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Matching a task's files; see glob.h. */
#include "runner/glob.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/tar.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	runner_open_fn *open_fn;
	void *ctx;
	struct str pattern;
	struct glob_list *list;
	size_t visits;
	struct err *e;
};

static int add(struct glob_list *l, const char *path, struct err *e)
{
	if (l->n >= GLOB_MATCHES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d files match",
			       GLOB_MATCHES_MAX);
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->paths = mem_resize(l->paths, l->cap, sizeof(*l->paths));
	}
	l->paths[l->n++] = mem_strdup(path);
	return 0;
}

static bool has_deep(struct str part)
{
	return part.len > 1 && memmem(part.p, part.len, "**", 2);
}

/* Can anything below dir match?  Compares the parts before the first "**". */
static bool worth_entering(struct str pattern, struct str dir)
{
	while (dir.len) {
		struct str have = str_cut(&dir, '/');
		struct str want = str_cut(&pattern, '/');

		if (has_deep(want))
			return true;
		if (!pattern.len || !str_glob(want, have, true))
			return false;
	}
	return true;
}

static bool printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return str_utf8_valid(s);
}

static int walk_dir(struct walk *w, const char *dir, unsigned depth);

static int visit(struct walk *w, const char *dir, const struct dirent *ent,
		 unsigned depth)
{
	CLEANUP_BUF struct buf path = BUF_INIT(TAR_PATH_MAX);
	bool top = !strcmp(dir, ".");

	if (top && !strcmp(ent->d_name, ".nfo"))
		return 0;
	if (++w->visits > GLOB_VISITS_MAX)
		return err_set(w->e, ERR_LIMIT, "more than %d files to look at",
			       GLOB_VISITS_MAX);
	if (!top)
		buf_printf(&path, "%s/", dir);
	if (!buf_puts(&path, ent->d_name))
		return err_set(w->e, ERR_LIMIT, "a path of over %d bytes",
			       TAR_PATH_MAX);
	if (ent->d_type == DT_DIR)
		return worth_entering(w->pattern, buf_view(&path)) ?
			       walk_dir(w, buf_cstr(&path), depth + 1) :
			       0;
	if (!str_glob(w->pattern, buf_view(&path), true))
		return 0;
	if (!printable(buf_view(&path)))
		return err_set(w->e, ERR_INVALID,
			       "a file name with a control character or that "
			       "is not UTF-8 matches");
	return add(w->list, buf_cstr(&path), w->e);
}

static int walk_dir(struct walk *w, const char *dir, unsigned depth)
{
	struct dirent *ent;
	int fd, bad = 0;
	DIR *d;

	if (depth > GLOB_DEPTH_MAX)
		return err_set(w->e, ERR_LIMIT,
			       "directories deeper than %d levels",
			       GLOB_DEPTH_MAX);
	fd = w->open_fn(w->ctx, dir, true);
	if (fd < 0) /* gone, or not ours to read: nothing in it matches */
		return depth ? 0 : err_sys(w->e, errno, "the workspace");
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return err_sys(w->e, errno, "%s", dir);
	}
	while (!bad && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			bad = visit(w, dir, ent, depth);
	closedir(d);
	return bad;
}

int glob_match(runner_open_fn *open_fn, void *ctx, struct str pattern,
	       struct glob_list *list, struct err *e)
{
	struct walk w = {open_fn, ctx, pattern, list, 0, e};

	while (str_starts(w.pattern, STR("./")))
		w.pattern = str_from_at(w.pattern, 2);
	if (!str_has(w.pattern, '*') && !str_has(w.pattern, '?')) {
		CLEANUP_MEM char *path =
			mem_strndup(w.pattern.p, w.pattern.len);
		int fd = open_fn(ctx, path, false);

		if (fd < 0 && errno == ENOENT)
			return 0;
		if (fd >= 0)
			close(fd);
		return add(list, path, e); /* what it is, the reader says */
	}
	return walk_dir(&w, ".", 0);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void glob_sort(struct glob_list *list)
{
	size_t kept = 0;

	if (!list->n)
		return;
	qsort(list->paths, list->n, sizeof(*list->paths), by_bytes);
	for (size_t i = 1; i < list->n; i++) {
		if (strcmp(list->paths[kept], list->paths[i]) != 0)
			list->paths[++kept] = list->paths[i];
		else
			mem_free(list->paths[i]);
	}
	list->n = kept + 1;
}

void glob_done(struct glob_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		mem_free(list->paths[i]);
	mem_free(list->paths);
	*list = (struct glob_list){0};
}
