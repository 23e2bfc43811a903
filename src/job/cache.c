/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `cache` of a task: what may be kept, and what it belongs to. */
#include "job/cache.h"
#include "job/check.h"

#include <string.h>

const char *job_cache_path(struct str path)
{
	struct str rest = path;

	if (!path.len || path.len > CACHE_PATH_MAX || path.p[0] == '/' ||
	    path.p[path.len - 1] == '/')
		return "a path below the workspace, without a slash at its "
		       "ends";
	for (size_t i = 0; i < path.len; i++)
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == 0x7f)
			return "a control character in the path";
	if (str_has(path, '*') || str_has(path, '?') || !str_utf8_valid(path))
		return "a directory or file is wanted, no pattern";
	if (str_is(str_cut(&rest, '/'), ".nfo"))
		return ".nfo is not the task's own";
	for (rest = path; rest.len;) {
		struct str part = str_cut(&rest, '/');

		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return "a part of the path is empty, \".\" or \"..\"";
	}
	return NULL;
}

void check_cache(const struct job_task *t, struct problems *ps)
{
	const struct doc_node *cache = doc_get(t->node, "cache");
	const struct doc_node *paths = doc_get(cache, "paths");
	const struct doc_node *keys = doc_get(cache, "restore_keys");
	const char *wrong;

	if (paths && paths->kind == DOC_LIST &&
	    (!paths->n || paths->n > CACHE_PATHS_MAX))
		problem_at(ps, paths, "bad-cache", NULL,
			   "from 1 to %d paths are wanted", CACHE_PATHS_MAX);
	for (const struct doc_node *n =
		     paths && paths->kind == DOC_LIST ? paths->first : NULL;
	     n; n = n->next) {
		wrong = job_cache_path(n->text);
		if (wrong)
			problem_at(ps, n, "bad-cache", NULL, "%s", wrong);
	}
	if (keys && keys->kind == DOC_LIST && keys->n > CACHE_PATHS_MAX)
		problem_at(ps, keys, "bad-cache", NULL,
			   "at most %d keys to restore from", CACHE_PATHS_MAX);
}

/* The same files under other paths are another cache. */
struct hash job_cache_scope(const struct job_cache *c)
{
	struct hash_ctx *h = hash_begin();

	for (size_t i = 0; i < c->n_paths; i++) {
		hash_update(h, c->paths[i].p, c->paths[i].len);
		hash_update(h, "", 1);
	}
	return hash_end(h);
}
