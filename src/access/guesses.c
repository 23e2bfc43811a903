/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Wrong tokens by client; see guesses.h. */
#include "access/guesses.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum {
	WAYS = 8, /* places where a client may be found */
	SETS = GUESSES_TABLE / WAYS
};

struct entry {
	uint64_t client; /* a keyed hash; 0: nobody */
	int64_t at_us;   /* of the last one */
	unsigned count;  /* then */
};

struct guesses {
	unsigned char key[HASH_LEN]; /* nobody can aim at another's place */
	struct entry entries[SETS][WAYS];
};

struct guesses *guesses_new(void)
{
	struct guesses *g = mem_alloc(sizeof(*g));

	random_bytes(g->key, sizeof(g->key));
	return g;
}

void guesses_free(struct guesses *g)
{
	mem_free(g);
}

static uint64_t name_of(const struct guesses *g, struct str client)
{
	struct hash h =
		hash_hmac_sha256(g->key, sizeof(g->key), client.p, client.len);
	uint64_t v;

	memcpy(&v, h.b, sizeof(v));
	return v ? v : 1;
}

static unsigned left(const struct entry *x, int64_t now)
{
	int64_t gone = (now - x->at_us) / GUESSES_FORGET_US;

	return !x->client || gone >= x->count ? 0 : x->count - (unsigned)gone;
}

static struct entry *find(struct guesses *g, uint64_t client)
{
	struct entry *set = g->entries[client % SETS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].client == client)
			return &set[i];
	return NULL;
}

/* The place of who counts least, and of those who was heard of first. */
static struct entry *make_room(struct guesses *g, uint64_t client, int64_t now)
{
	struct entry *set = g->entries[client % SETS], *least = set;

	for (size_t i = 1; i < WAYS; i++) {
		unsigned a = left(&set[i], now), b = left(least, now);

		if (a < b || (a == b && set[i].at_us < least->at_us))
			least = &set[i];
	}
	*least = (struct entry){.client = client, .at_us = now};
	return least;
}

static int64_t wait_of(unsigned count)
{
	int64_t us = GUESSES_FIRST_US;

	if (count <= GUESSES_FREE)
		return 0;
	for (unsigned i = GUESSES_FREE + 1; i < count; i++)
		if (us < GUESSES_LONGEST_US)
			us *= 2;
	return us < GUESSES_LONGEST_US ? us : GUESSES_LONGEST_US;
}

int64_t guesses_wrong(struct guesses *g, struct str client, int64_t mono_us)
{
	uint64_t name = name_of(g, client);
	struct entry *x = find(g, name);

	if (!x)
		x = make_room(g, name, mono_us);
	x->count = left(x, mono_us);
	if (x->count < GUESSES_MOST)
		x->count++;
	x->at_us = mono_us;
	return wait_of(x->count);
}

unsigned guesses_count(const struct guesses *g, struct str client,
		       int64_t mono_us)
{
	uint64_t name = name_of(g, client);
	const struct entry *set = g->entries[name % SETS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].client == name)
			return left(&set[i], mono_us);
	return 0;
}
