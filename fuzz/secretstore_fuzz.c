/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A secret store whose rows somebody has rewritten: edits of its database, as
 * SQLite takes them, then everything is read.  Whatever they are, a secret that
 * comes out is one that went in.
 *
 * The input is edits of four bytes: which cell (two bytes), what becomes of it,
 * and a byte for that.
 */
#include "base/fd.h"
#include "base/hash.h"
#include "secrets/store.h"
#include "secrets/store_sql.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define P STR("default")

enum {
	EDITS_MAX = 16,
	CELLS_MAX = 1024
};

static char top[64], db[96], good[96], epoch_dir[96];
static struct secret_store_opts opts = {.path = db, .epoch_dir = epoch_dir};
static struct secret_opener opener;
static char *cells[CELLS_MAX]; /* "UPDATE t SET c = %s WHERE ..." in parts */
static size_t n_cells;

static void must(int bad)
{
	if (bad)
		abort();
}

static void put(struct secret_store *s, const char *name, const char *text)
{
	struct secret *value;
	uint64_t v;
	struct err e;

	must(secret_new(text, strlen(text), 0, &value, &e) ||
	     secret_store_put(s, P, str_from(name), value, SECRET_VALUE_BYTES,
			      SECRET_STORE_ANY, &v, &e));
	secret_free(value);
}

static void copy(const char *from, const char *to)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	CLEANUP_FD int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct err e;

	must(fd < 0 || fd_read_file(AT_FDCWD, from, &b, &e) ||
	     fd_write_all(fd, b.data, b.len));
}

static int on_cell(void *unused, int n, char **values, char **names)
{
	(void)unused;
	(void)n;
	(void)names;
	if (n_cells < CELLS_MAX)
		cells[n_cells++] = strdup(values[0]);
	return 0;
}

/* Every column of every row, named so that an UPDATE finds it. */
static void list_cells(void)
{
	static const char *const rows[] = {"manifest", "slots", "versions"};
	sqlite3 *lite;
	char text[512];

	must(sqlite3_open(good, &lite));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(text, sizeof(text),
			       "SELECT c.name || ' ' || '%1$s' || ' rowid = ' "
			       "|| r.rowid FROM pragma_table_info('%1$s') c, "
			       "%1$s r",
			       rows[i]);
		must(sqlite3_exec(lite, text, on_cell, NULL, NULL));
	}
	must(sqlite3_exec(lite,
			  "SELECT c.name || ' heads path = ' || quote(r.path) "
			  "FROM pragma_table_info('heads') c, heads r",
			  on_cell, NULL, NULL));
	must(sqlite3_exec(lite,
			  "SELECT c.name || ' keyring kind = ' || "
			  "quote(r.kind) FROM pragma_table_info('keyring') c, "
			  "keyring r",
			  on_cell, NULL, NULL));
	must(sqlite3_close(lite));
	must(n_cells < 40);
}

static void setup(void)
{
	static const unsigned char bytes[SECRET_STORE_KEY_LEN] = "the key";
	struct secret_store *s;
	struct secret *key;
	uint64_t term;
	struct err e;

	(void)snprintf(top, sizeof(top), "/tmp/nfo-storefuzz-XXXXXX");
	must(!mkdtemp(top));
	(void)snprintf(db, sizeof(db), "%s/secrets.db", top);
	(void)snprintf(good, sizeof(good), "%s/good.db", top);
	(void)snprintf(epoch_dir, sizeof(epoch_dir), "%s", top);
	must(secret_new(bytes, sizeof(bytes), 0, &key, &e));
	opener.key = key;
	must(secret_store_create(&opts, &opener, &e) ||
	     secret_store_open(&opts, &opener, 1, &s, &e));
	put(s, "a", "value a 1");
	put(s, "a", "value a 2");
	put(s, "b", "value b 1");
	must(secret_store_rekey(s, &opener, 1, &term, &e));
	put(s, "b", "value b 2");
	secret_store_close(s);
	copy(db, good);
	list_cells();
}

static void edit(sqlite3 *lite, const uint8_t *in)
{
	char cell[512], text[2048];
	unsigned arg = in[3];
	char *table, *where;

	(void)snprintf(cell, sizeof(cell), "%s",
		       cells[(in[0] << 8 | in[1]) % n_cells]);
	table = strchr(cell, ' ');
	*table++ = 0;
	where = strchr(table, ' ');
	*where++ = 0;
	switch (in[2] % 5) {
	case 0: /* a byte of it */
		(void)snprintf(text, sizeof(text),
			       "UPDATE %2$s SET %1$s = CAST(substr(%1$s, 1, "
			       "%4$u) || x'%4$02x' || substr(%1$s, %4$u + 2) AS"
			       " BLOB) WHERE %3$s",
			       cell, table, where, arg);
		break;
	case 1: /* its length */
		(void)snprintf(text, sizeof(text),
			       "UPDATE %2$s SET %1$s = zeroblob(%4$u) "
			       "WHERE %3$s",
			       cell, table, where, arg * 300);
		break;
	case 2: /* a number */
		(void)snprintf(text, sizeof(text),
			       "UPDATE %2$s SET %1$s = %4$d WHERE %3$s", cell,
			       table, where, (int)arg - 128);
		break;
	case 3: /* a text */
		(void)snprintf(text, sizeof(text),
			       "UPDATE %2$s SET %1$s = printf('%%.*c', %4$u, "
			       "'x') WHERE %3$s",
			       cell, table, where, arg * 3);
		break;
	default: /* the row, or another one's value */
		if (arg & 1)
			(void)snprintf(text, sizeof(text),
				       "DELETE FROM %s WHERE %s", table, where);
		else
			(void)snprintf(text, sizeof(text),
				       "UPDATE %2$s SET %1$s = (SELECT %1$s "
				       "FROM %2$s ORDER BY %1$s LIMIT 1) "
				       "WHERE %3$s",
				       cell, table, where);
		break;
	}
	(void)sqlite3_exec(lite, text, NULL, NULL, NULL);
}

/* Whatever comes out is what went in under that name. */
static void check(const char *name, uint64_t version, const struct secret *v)
{
	struct secret_view view = secret_bytes(v);
	char want[32];

	(void)snprintf(want, sizeof(want), "value %s %u", name,
		       (unsigned)version);
	must(view.n_bytes != strlen(want) ||
	     memcmp(view.bytes, want, view.n_bytes) != 0);
}

static void use(struct secret_store *s)
{
	static const char *const names[] = {"a", "b"};
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX];
	struct secret_meta meta[8];
	struct secret_version is;
	uint64_t left;
	struct err e;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (uint64_t v = 1; v <= 2; v++) {
			struct secret *value = NULL;

			if (secret_store_get(s, P, str_from(names[i]), v,
					     &value, &is, &e))
				continue;
			check(names[i], is.version, value);
			secret_free(value);
		}
	}
	(void)!secret_store_list(s, P, STR(""), meta, 8, &n, &e);
	(void)!secret_store_slots(s, slots, &n, &e);
	(void)!secret_store_verify(s, &e);
	(void)!secret_store_rewrap(s, 8, &left, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct secret_store *s = NULL;
	sqlite3 *lite = NULL;
	struct err e;

	if (!n_cells)
		setup();
	if (len < 4 || len > EDITS_MAX * 4)
		return 0;
	copy(good, db);
	must(sqlite3_open(db, &lite));
	for (size_t at = 0; at + 4 <= len; at += 4)
		edit(lite, data + at);
	must(sqlite3_close(lite));
	opts.accept_rollback = data[0] & 1;
	if (!secret_store_open(&opts, &opener, 1, &s, &e))
		use(s);
	secret_store_close(s);
	return 0;
}
