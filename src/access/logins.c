/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logins that bring their own groups and roles; see logins.h. */
#include "access/logins.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

enum {
	ONE_MAX = 256 * 1024 /* bytes of one login */
};

struct entry {
	struct link link; /* the one used last is the last */
	struct arena *arena;
	struct login x;
};

struct logins {
	struct map *by_hash, *by_id;
	struct link used;
	size_t n;
};

struct logins *logins_new(void)
{
	struct logins *l = mem_alloc(sizeof(*l));

	l->by_hash = map_new();
	l->by_id = map_new();
	list_init(&l->used);
	return l;
}

static struct str key_of(const struct hash *h)
{
	return str_n((const char *)h->b, HASH_LEN);
}

static void drop(struct logins *l, struct entry *x)
{
	(void)map_del(l->by_hash, key_of(&x->x.hash));
	(void)map_del(l->by_id, str_from(x->x.id.s));
	list_del(&x->link);
	arena_free(x->arena);
	mem_free(x);
	l->n--;
}

void logins_drop(struct logins *l, struct str provider)
{
	LIST_FOR(at, &l->used)
	{
		struct entry *x = LIST_ENTRY(at, struct entry, link);

		if (!provider.len || str_eq(x->x.provider, provider))
			drop(l, x);
	}
}

void logins_free(struct logins *l)
{
	if (!l)
		return;
	logins_drop(l, STR(""));
	map_free(l->by_hash, NULL);
	map_free(l->by_id, NULL);
	mem_free(l);
}

const struct login *logins_find(struct logins *l, const struct hash *h)
{
	struct entry *x = map_get(l->by_hash, key_of(h));

	if (!x || !hash_eq(&x->x.hash, h))
		return NULL;
	list_del(&x->link);
	list_push(&l->used, &x->link);
	return &x->x;
}

const struct login *logins_id(const struct logins *l, struct str id)
{
	const struct entry *x = map_get(l->by_id, id);

	return x ? &x->x : NULL;
}

size_t logins_len(const struct logins *l)
{
	return l->n;
}

int64_t logins_next_end(const struct logins *l, int64_t now_us)
{
	int64_t next = 0;

	LIST_FOR(at, &l->used)
	{
		const struct entry *x = LIST_ENTRY(at, struct entry, link);

		if (x->x.expires_us > now_us &&
		    (!next || x->x.expires_us < next))
			next = x->x.expires_us;
	}
	return next;
}

/* --- one more ----------------------------------------------------------- */

static struct str keep(struct arena *a, struct str s)
{
	const char *p = arena_strndup(a, s.p, s.len);

	return p ? str_n(p, s.len) : STR("");
}

static const struct str *keep_all(struct arena *a, const struct str *from,
				  size_t n)
{
	struct str *to = arena_alloc(a, (n + 1) * sizeof(*to));

	for (size_t i = 0; to && i < n; i++)
		to[i] = keep(a, from[i]);
	return to;
}

static void copy(struct entry *to, const struct login *from)
{
	struct arena *a = to->arena;
	struct login_given *given =
		arena_alloc(a, (from->n_given + 1) * sizeof(*given));

	to->x = *from;
	to->x.id = ulid_new();
	to->x.provider = keep(a, from->provider);
	to->x.subject = keep(a, from->subject);
	to->x.groups = keep_all(a, from->groups, from->n_groups);
	if (!to->x.groups)
		to->x.n_groups = 0;
	for (size_t i = 0; given && i < from->n_given; i++) {
		given[i] = from->given[i];
		given[i].projects = keep_all(a, from->given[i].projects,
					     from->given[i].n_projects);
		if (!given[i].projects)
			given[i].n_projects = 0;
	}
	to->x.given = given;
	if (!given)
		to->x.n_given = 0;
}

static void make_room(struct logins *l, int64_t now_us)
{
	LIST_FOR(at, &l->used)
	{
		struct entry *x = LIST_ENTRY(at, struct entry, link);

		if (x->x.expires_us <= now_us)
			drop(l, x);
	}
	if (l->n >= LOGINS_MAX)
		drop(l, LIST_ENTRY(l->used.next, struct entry, link));
}

const struct login *logins_add(struct logins *l, const struct login *x,
			       int64_t now_us)
{
	struct entry *old = map_get(l->by_hash, key_of(&x->hash)), *mine;

	if (old)
		drop(l, old);
	make_room(l, now_us);
	mine = mem_alloc(sizeof(*mine));
	mine->arena = arena_new(ONE_MAX);
	copy(mine, x);
	list_push(&l->used, &mine->link);
	(void)map_put(l->by_hash, key_of(&mine->x.hash), mine);
	(void)map_put(l->by_id, str_from(mine->x.id.s), mine);
	l->n++;
	return &mine->x;
}
