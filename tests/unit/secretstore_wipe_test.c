/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is left in memory of a store that was sealed: all of this process is
 * looked through for its keys and values.  What is looked for is kept masked,
 * so that it is not what is found.
 */
#include "secrets/store_internal.h"
#include "secretstore.h"

#include "base/mem.h"

enum {
	MASK = 0x5a,
	NEEDLE_LEN = 32,
	BLOCK = 1 << 16
};

struct needle {
	unsigned char masked[NEEDLE_LEN];
};

static struct needle mask(const void *p)
{
	const unsigned char *from = p;
	struct needle n;

	for (size_t i = 0; i < NEEDLE_LEN; i++)
		n.masked[i] = (unsigned char)(from[i] ^ MASK);
	return n;
}

static size_t count_in(const unsigned char *p, size_t len,
		       const struct needle *n)
{
	size_t found = 0;

	for (size_t at = 0; at + NEEDLE_LEN <= len; at++) {
		size_t i = 0;

		while (i < NEEDLE_LEN && (p[at + i] ^ MASK) == n->masked[i])
			i++;
		found += i == NEEDLE_LEN;
	}
	return found;
}

/* How often it is in a mapping; blocks overlap. */
static size_t count_mapping(int mem, uintptr_t from, uintptr_t to,
			    const struct needle *n)
{
	static unsigned char block[BLOCK + NEEDLE_LEN];
	size_t found = 0;

	for (uintptr_t at = from; at < to; at += BLOCK) {
		size_t want = to - at < sizeof(block) ? to - at : sizeof(block);
		ssize_t got = pread(mem, block, want, (off_t)at);

		/* Our own buffer would be found in itself. */
		if (got > 0 && !(at <= (uintptr_t)block + sizeof(block) &&
				 at + want >= (uintptr_t)block))
			found += count_in(block, (size_t)got, n);
		mem_wipe(block, sizeof(block));
	}
	return found;
}

static size_t count(const struct needle *n)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	CLEANUP_FD int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long from, to;
	char line[512], how[8];
	size_t found = 0;

	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, how) == 3 &&
		    how[0] == 'r' && how[1] == 'w')
			found += count_mapping(mem, from, to, n);
	assert_int_equal(fclose(maps), 0);
	return found;
}

#define VALUE "a value of some length that is nowhere else in here"

static void test_sealed(void **state)
{
	struct needle needles[9];
	struct secret_store *s;
	const unsigned char *kek;
	struct secret *value;
	uint64_t term;
	struct err e;
	size_t n = 0;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its shadow is terabytes, and what is freed it keeps */
#endif
	s = open_store();
	put(s, "a", VALUE);
	assert_int_equal(secret_store_rekey(s, &opener, 1, &term, &e), 0);
	assert_int_equal(get(s, "a", 0, &value, &e), 0);
	needles[n++] = mask(s->keys->root);
	needles[n++] = mask(s->keys->old_root);
	needles[n++] = mask(s->keys->idx);
	needles[n++] = mask(s->keys->epoch);
	assert_int_equal(sstore_kek(s, 1, &kek, &e), 0);
	needles[n++] = mask(kek);
	assert_int_equal(sstore_kek(s, 2, &kek, &e), 0);
	needles[n++] = mask(kek);
	needles[n++] = mask(s->keys->mac[0]);
	for (size_t i = 0; i < n; i++)
		if (i != 4 && !count(&needles[i]))
			fail_msg("key %zu is not found while it is there", i);
	needles[n++] = mask(secret_bytes(value).bytes);
	secret_free(value);
	secret_store_close(s);
	for (size_t i = 0; i < n - 1; i++)
		if (count(&needles[i]))
			fail_msg("key %zu is still in memory", i);
	assert_int_equal(count(&needles[n - 1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_sealed)};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
