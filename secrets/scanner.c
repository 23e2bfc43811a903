/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The sets of the projects that were scanned last; see scanner.h. */
#include "secrets/scanner.h"

#include "base/mem.h"
#include "secrets/redact.h"

#include <string.h>

enum {
	PAGE = 200 /* secrets listed at once */
};

struct kept {
	char project[SECRET_STORE_NAME_MAX + 1];
	struct redact_set *set; /* NULL: an empty place */
	uint64_t used;          /* the scan that used it last */
};

struct scanner {
	struct secret_store *store;
	struct kept kept[SCANNER_PROJECTS];
	uint64_t n_scans;
};

/* The plain values, while a set is made of them. */
struct values {
	struct secret *own[SCANNER_SECRETS_MAX];
	struct redact_secret list[SCANNER_SECRETS_MAX];
	size_t n;
};

static void values_free(struct values *v)
{
	for (size_t i = 0; i < v->n; i++)
		secret_free(v->own[i]);
	mem_free(v);
}

static int values_add(struct values *v, struct secret_store *store,
		      const struct secret_meta *m, struct err *e)
{
	struct err why;

	if (v->n == SCANNER_SECRETS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d secrets to look for",
			       SCANNER_SECRETS_MAX);
	if (secret_store_get(store, str_from(m->project), str_from(m->name), 0,
			     &v->own[v->n], NULL, &why)) {
		if (why.code == ERR_NOT_FOUND)
			return 0; /* its newest version is deleted */
		*e = why;
		return -1;
	}
	if (secret_bytes(v->own[v->n]).n_bytes < SCANNER_VALUE_MIN) {
		secret_free(v->own[v->n]);
		return 0;
	}
	v->list[v->n] = (struct redact_secret){"secret", v->own[v->n]};
	v->n++;
	return 0;
}

static int values_read(struct values *v, struct secret_store *store,
		       struct str project, struct err *e)
{
	CLEANUP_MEM struct secret_meta *page = mem_array(PAGE, sizeof(*page));
	char after[SECRET_STORE_NAME_MAX + 1] = "";
	size_t n = PAGE;

	while (n == PAGE) {
		if (secret_store_list(store, project, str_from(after), page,
				      PAGE, &n, e))
			return -1;
		for (size_t i = 0; i < n; i++)
			if (values_add(v, store, &page[i], e))
				return -1;
		if (n)
			memcpy(after, page[n - 1].name, sizeof(after));
	}
	return 0;
}

static int build(struct secret_store *store, struct str project,
		 struct redact_set **ret, struct err *e)
{
	struct values *v = mem_alloc(sizeof(*v));
	int bad = values_read(v, store, project, e) ||
		  redact_set_new(v->list, v->n, NULL, 0, ret, e);

	values_free(v);
	return bad ? -1 : 0;
}

static void forget(struct kept *k)
{
	redact_set_free(k->set);
	*k = (struct kept){.set = NULL};
}

static struct kept *find(struct scanner *s, struct str project)
{
	for (size_t i = 0; i < SCANNER_PROJECTS; i++)
		if (s->kept[i].set && str_is(project, s->kept[i].project))
			return &s->kept[i];
	return NULL;
}

static size_t patterns(const struct scanner *s)
{
	size_t n = 0;

	for (size_t i = 0; i < SCANNER_PROJECTS; i++)
		if (s->kept[i].set)
			n += redact_set_patterns(s->kept[i].set);
	return n;
}

static struct kept *oldest(struct scanner *s)
{
	struct kept *old = NULL;

	for (size_t i = 0; i < SCANNER_PROJECTS; i++)
		if (s->kept[i].set && (!old || s->kept[i].used < old->used))
			old = &s->kept[i];
	return old;
}

static struct kept *empty(struct scanner *s)
{
	for (size_t i = 0; i < SCANNER_PROJECTS; i++)
		if (!s->kept[i].set)
			return &s->kept[i];
	return NULL;
}

/* Take the set, unless it is too large or could be swapped to a disk. */
static bool keep(struct scanner *s, struct str project, struct redact_set *set)
{
	size_t n = redact_set_patterns(set);
	struct kept *k;

	if (n > SCANNER_PATTERNS_MAX || !redact_set_locked(set))
		return false;
	while (!empty(s) || patterns(s) > SCANNER_PATTERNS_MAX - n)
		forget(oldest(s));
	k = empty(s);
	memcpy(k->project, project.p, project.len); /* the store checked it */
	k->set = set;
	k->used = s->n_scans;
	return true;
}

static bool look(const struct redact_set *set, struct str text)
{
	struct redact_watch *watch = redact_watch_new(set);
	uint64_t seen = redact_watch_write(watch, text.p, text.len);

	redact_watch_free(watch);
	return seen > 0;
}

int scanner_hit(struct scanner *s, struct str project, struct str text,
		bool *ret, struct err *e)
{
	struct kept *k = find(s, project);
	struct redact_set *set;

	s->n_scans++;
	if (k) {
		k->used = s->n_scans;
		*ret = look(k->set, text);
		return 0;
	}
	if (build(s->store, project, &set, e))
		return -1;
	*ret = look(set, text);
	if (!keep(s, project, set))
		redact_set_free(set);
	return 0;
}

void scanner_changed(struct scanner *s, struct str project)
{
	struct kept *k = find(s, project);

	if (k)
		forget(k);
}

size_t scanner_kept(const struct scanner *s)
{
	size_t n = 0;

	for (size_t i = 0; i < SCANNER_PROJECTS; i++)
		n += s->kept[i].set != NULL;
	return n;
}

struct scanner *scanner_new(struct secret_store *store)
{
	struct scanner *s = mem_alloc(sizeof(*s));

	s->store = store;
	return s;
}

void scanner_free(struct scanner *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SCANNER_PROJECTS; i++)
		forget(&s->kept[i]);
	mem_free(s);
}
