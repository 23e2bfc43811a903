/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The secret store by itself: reads a second, and how long it takes until all
 * secrets are wrapped in a new term, in slices as the keeper does it.
 *
 *   secretstore_bench [SECRETS [DIR]]     100000, /var/tmp
 *
 * It is filled in /dev/shm, where a put does not wait for a disk, and then
 * moved to DIR.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "secrets/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

enum {
	SLICE = 512, /* as the keeper */
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

static void make_dir(const char *where, char out[256],
		     struct secret_store_opts *o, char db[300])
{
	(void)snprintf(out, 256, "%s/nfo-bench-XXXXXX", where);
	if (!mkdtemp(out)) {
		perror(where);
		exit(1);
	}
	(void)snprintf(db, 300, "%s/secrets.db", out);
	*o = (struct secret_store_opts){.path = db, .epoch_dir = out};
}

static void copy(const char *from, const char *to, const char *name)
{
	char a[512], b[512];
	CLEANUP_FD int in = -1;
	CLEANUP_FD int out = -1;
	ssize_t n;

	(void)snprintf(a, sizeof(a), "%s/%s", from, name);
	(void)snprintf(b, sizeof(b), "%s/%s", to, name);
	in = open(a, O_RDONLY | O_CLOEXEC);
	out = open(b, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0);
	if (n < 0 || fsync(out)) {
		perror(b);
		exit(1);
	}
}

static void fill(const struct secret_store_opts *o,
		 const struct secret_opener *by, unsigned n)
{
	int64_t start = clock_mono_us();
	struct secret_store *s;
	struct err e;

	must(secret_store_create(o, by, &e) ||
		     secret_store_open(o, by, 1, &s, &e),
	     &e);
	put_all(s, n);
	printf("%u secrets: %.0f puts/s into memory\n", n, n / seconds(start));
	secret_store_close(s);
}

int main(int argc, char **argv)
{
	static const unsigned char bytes[SECRET_STORE_KEY_LEN] = "a key";
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	char shm[256], dir[256], shm_db[300], db[300];
	struct secret_store_opts from, o;
	struct secret_opener by = {0};
	struct secret_store *s;
	struct secret *key;
	int64_t start;
	struct err e;

	make_dir("/dev/shm", shm, &from, shm_db);
	make_dir(argc > 2 ? argv[2] : "/var/tmp", dir, &o, db);
	must(secret_store_heap_init(&e), &e);
	must(secret_new(bytes, sizeof(bytes), 0, &key, &e), &e);
	by.key = key;
	fill(&from, &by, n ? n : 1);
	copy(shm, dir, "secrets.db");
	copy(shm, dir, "secrets.epoch");
	must(fd_remove_tree(AT_FDCWD, shm, &e), &e);
	start = clock_mono_us();
	must(secret_store_open(&o, &by, 1, &s, &e), &e);
	printf("%u secrets: opened in %.2f s\n", n, seconds(start));
	read_some(s, n);
	rewrap(s, n);
	read_some(s, n);
	secret_store_close(s);
	secret_free(key);
	must(fd_remove_tree(AT_FDCWD, dir, &e), &e);
	return 0;
}
