/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A hash map with open addressing; see map.h. */
#include "base/map.h"
#include "base/hash.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

struct slot {
	char *key; /* NULL: free, unless dead */
	size_t key_len;
	uint64_t hash;
	void *value;
	bool dead; /* deleted: a search goes on past it */
};

struct map {
	struct slot *slots;
	size_t cap, used, n; /* used counts dead ones too */
};

/* One for all maps of a process: nobody outside may know where a key goes. */
static uint64_t seed;

static void choose_seed(void)
{
	random_bytes(&seed, sizeof(seed));
}

/* FNV-1a with a secret start, mixed at the end. */
static uint64_t hash_key(struct str key)
{
	uint64_t h = seed ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= seed | 1;
	return h ^ h >> 29;
}

struct map *map_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct map *m = mem_alloc(sizeof(*m));

	(void)pthread_once(&once, choose_seed);
	m->cap = 16;
	m->slots = mem_array(m->cap, sizeof(*m->slots));
	return m;
}

void map_free(struct map *m, void (*free_value)(void *))
{
	if (!m)
		return;
	for (size_t i = 0; i < m->cap; i++) {
		if (m->slots[i].key && free_value)
			free_value(m->slots[i].value);
		mem_free(m->slots[i].key);
	}
	mem_free(m->slots);
	mem_free(m);
}

/* The slot of key, or the first one free for it. */
static struct slot *find(const struct map *m, struct str key, uint64_t hash)
{
	struct slot *spare = NULL;

	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct slot *s = &m->slots[i];

		if (!s->key && !s->dead)
			return spare ? spare : s;
		if (!s->key && !spare)
			spare = s;
		if (s->key && s->hash == hash && s->key_len == key.len &&
		    !memcmp(s->key, key.p, key.len))
			return s;
	}
}

static void grow(struct map *m)
{
	struct slot *old = m->slots;
	size_t cap = m->cap;

	if (m->n * 4 >= m->cap)
		m->cap *= 2;
	m->slots = mem_array(m->cap, sizeof(*m->slots));
	m->used = m->n;
	for (size_t i = 0; i < cap; i++)
		if (old[i].key)
			*find(m, str_n(old[i].key, old[i].key_len),
			      old[i].hash) = old[i];
	mem_free(old);
}

void *map_get(const struct map *m, struct str key)
{
	const struct slot *s = find(m, key, hash_key(key));

	return s->key ? s->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = hash_key(key);
	struct slot *s;
	void *old;

	if ((m->used + 1) * 4 > m->cap * 3)
		grow(m);
	s = find(m, key, hash);
	if (s->key) {
		old = s->value;
		s->value = value;
		return old;
	}
	if (!s->dead)
		m->used++;
	m->n++;
	*s = (struct slot){
		.key = mem_strndup(key.p, key.len),
		.key_len = key.len,
		.hash = hash,
		.value = value,
	};
	return NULL;
}

void *map_del(struct map *m, struct str key)
{
	struct slot *s = find(m, key, hash_key(key));
	void *old = s->value;

	if (!s->key)
		return NULL;
	mem_free(s->key);
	*s = (struct slot){.dead = true};
	m->n--;
	return old;
}

size_t map_len(const struct map *m)
{
	return m->n;
}

bool map_next(const struct map *m, size_t *at, struct str *ret_key,
	      void **ret_value)
{
	for (; *at < m->cap; (*at)++) {
		const struct slot *s = &m->slots[*at];

		if (!s->key)
			continue;
		if (ret_key)
			*ret_key = str_n(s->key, s->key_len);
		if (ret_value)
			*ret_value = s->value;
		(*at)++;
		return true;
	}
	return false;
}
