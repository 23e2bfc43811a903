/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The secret store by itself: reads a second, and how long it takes until all
 * secrets are wrapped in a new term, in slices as the keeper does it.
 *
 *   secretstore_bench [SECRETS [DIR]]     100000, /var/tmp
 */
#include "base/clock.h"
#include "base/fd.h"
#include "secrets/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SLICE = 1024,
	READS = 20000
};

static void must(int bad, const struct err *e)
{
	if (!bad)
		return;
	fprintf(stderr, "secretstore_bench: %s\n", e->text);
	exit(1);
}

static double seconds(int64_t since_us)
{
	return (double)(clock_mono_us() - since_us) / 1e6;
}

/* Of CPU, for machines that do other things beside. */
static double cpu(clock_t since)
{
	return (double)(clock() - since) / CLOCKS_PER_SEC;
}

static void name_of(unsigned n, char out[16])
{
	(void)snprintf(out, 16, "s%u", n);
}

static void put_all(struct secret_store *s, unsigned n)
{
	struct secret *value;
	char name[16];
	uint64_t v;
	struct err e;

	must(secret_new("correct horse battery staple", 28, 0, &value, &e), &e);
	for (unsigned i = 0; i < n; i++) {
		name_of(i, name);
		must(secret_store_put(s, STR("default"), str_from(name), value,
				      SECRET_VALUE_BYTES, SECRET_STORE_ANY, &v,
				      &e),
		     &e);
	}
	secret_free(value);
}

static void read_some(struct secret_store *s, unsigned n)
{
	int64_t start = clock_mono_us();
	clock_t used = clock();
	unsigned at = 1;

	for (unsigned i = 0; i < READS; i++) {
		struct secret *value;
		char name[16];
		struct err e;

		at = at * 1103515245 + 12345;
		name_of(at / 65536 % n, name);
		must(secret_store_get(s, STR("default"), str_from(name), 0,
				      &value, NULL, &e),
		     &e);
		secret_free(value);
	}
	printf("%u secrets: %.0f reads/s, %.0f per s of CPU\n", n,
	       READS / seconds(start), READS / cpu(used));
}

static void rewrap(struct secret_store *s, unsigned n)
{
	int64_t start, slice, longest = 0;
	clock_t used = clock();
	uint64_t term, left = 1;
	struct err e;

	must(secret_store_rotate(s, &term, &e), &e);
	start = clock_mono_us();
	while (left) {
		slice = clock_mono_us();
		must(secret_store_rewrap(s, SLICE, &left, &e), &e);
		slice = clock_mono_us() - slice;
		longest = slice > longest ? slice : longest;
	}
	printf("%u secrets: wrapped anew in %.2f s (%.2f s of CPU), the longest "
	       "slice of %d %.0f ms\n",
	       n, seconds(start), cpu(used), SLICE, (double)longest / 1000);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	static const unsigned char bytes[SECRET_STORE_KEY_LEN] = "a key";
	struct secret_store_opts o = {0};
	struct secret_opener by = {0};
	char dir[256], db[300];
	struct secret_store *s;
	struct secret *key;
	int64_t start;
	struct err e;

	(void)snprintf(dir, sizeof(dir), "%s/nfo-bench-XXXXXX",
		       argc > 2 ? argv[2] : "/var/tmp");
	if (!n || !mkdtemp(dir))
		return 1;
	(void)snprintf(db, sizeof(db), "%s/secrets.db", dir);
	o.path = db;
	o.epoch_dir = dir;
	must(secret_store_heap_init(&e), &e);
	must(secret_new(bytes, sizeof(bytes), 0, &key, &e), &e);
	by.key = key;
	must(secret_store_create(&o, &by, &e) ||
		     secret_store_open(&o, &by, 1, &s, &e),
	     &e);
	start = clock_mono_us();
	put_all(s, n);
	printf("%u secrets: %.0f puts/s, each durable\n", n,
	       n / seconds(start));
	read_some(s, n);
	rewrap(s, n);
	secret_store_close(s);
	start = clock_mono_us();
	must(secret_store_open(&o, &by, 1, &s, &e), &e);
	printf("%u secrets: opened in %.2f s\n", n, seconds(start));
	read_some(s, n);
	secret_store_close(s);
	secret_free(key);
	must(fd_remove_tree(AT_FDCWD, dir, &e), &e);
	return 0;
}
