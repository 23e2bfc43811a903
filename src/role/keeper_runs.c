/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keys of runs' private files: one for each run that asks, made when it is
 * first asked for, destroyed when the run has ended.  The server, which keeps
 * the files, can only have them destroyed.
 */
#include "role/keeper.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "secrets/private.h"

#include <ctype.h>
#include <string.h>
#include <sys/random.h>

#define PREFIX "run-"

enum {
	NAME_LEN = sizeof(PREFIX) - 1 + ULID_LEN,
	PAGE = 100
};

static const struct str own = {SECRET_STORE_OWN, sizeof(SECRET_STORE_OWN) - 1};

static struct str name_of(const struct ulid *run, char name[NAME_LEN + 1])
{
	memcpy(name, PREFIX, sizeof(PREFIX) - 1);
	for (size_t i = 0; i <= ULID_LEN; i++)
		name[sizeof(PREFIX) - 1 + i] =
			(char)tolower((unsigned char)run->s[i]);
	return str_n(name, NAME_LEN);
}

static int make(struct keeper *k, struct str name, struct secret **ret,
		struct err *e)
{
	struct secret *key;
	uint64_t version;

	if (secret_new(NULL, PRIVATE_KEY_LEN, 0, &key, e))
		return -1;
	if (getrandom(secret_room(key), PRIVATE_KEY_LEN, 0) !=
	    PRIVATE_KEY_LEN) {
		secret_free(key);
		return err_set(e, ERR_INTERNAL, "no random numbers");
	}
	if (secret_store_put(k->store, own, name, key, SECRET_VALUE_BYTES, 0,
			     &version, e)) {
		secret_free(key);
		return -1;
	}
	*ret = key;
	return 0;
}

int keeper_run_key(struct keeper *k, const struct ulid *run,
		   struct secret **ret, struct err *e)
{
	char text[NAME_LEN + 1];
	struct str name = name_of(run, text);

	if (!k->store)
		return err_set(e, ERR_UNAVAILABLE, "the store is sealed");
	if (!secret_store_get(k->store, own, name, 0, ret, NULL, e))
		return 0;
	return e->code == ERR_NOT_FOUND ? make(k, name, ret, e) : -1;
}

/* Sealed: its turn comes when the server asks which there are. */
int keeper_run_gone(struct keeper *k, struct wire_reader *r)
{
	struct str run = wire_get_str(r, ULID_LEN);
	char text[NAME_LEN + 1];
	struct secret_meta m;
	struct ulid id = {0};
	struct err e;

	if (!wire_end(r) || !ulid_valid(run))
		return -1;
	memcpy(id.s, run.p, ULID_LEN);
	if (k->store &&
	    !secret_store_stat(k->store, own, name_of(&id, text), &m, &e) &&
	    secret_store_forget(k->store, own, name_of(&id, text), &e))
		log_warn("the key of run %s: %s", id.s, e.text);
	return 0;
}

static void add(struct buf *b, const char *name)
{
	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 ||
	    strlen(name) != NAME_LEN)
		return;
	for (size_t i = sizeof(PREFIX) - 1; i < NAME_LEN; i++)
		buf_putc(b, (char)toupper((unsigned char)name[i]));
}

/* However many there are, it is one message: a channel holds only so many.
 * Those that find no room are asked for again. */
static int tell(struct keeper *k, const struct buf *b)
{
	CLEANUP_FD int fd = -1;
	struct err e;

	fd = fd_memfd_sealed("runs", buf_view(b), &e);
	if (fd < 0) {
		log_warn("the keys of runs: %s", e.text);
		return 0;
	}
	return chan_post(k->server, MSG_RUN_KEYS_OF, NULL, &fd, 1, &e);
}

int keeper_run_keys(struct keeper *k, struct wire_reader *r)
{
	CLEANUP_MEM struct secret_meta *page = mem_array(PAGE, sizeof(*page));
	char after[SECRET_STORE_NAME_MAX + 1] = "";
	CLEANUP_BUF struct buf b = BUF_INIT(RUN_KEYS_MAX);
	size_t n = PAGE;
	struct err e;

	if (!wire_end(r))
		return -1;
	while (k->store && n == PAGE && b.len + PAGE * ULID_LEN <= b.max) {
		if (secret_store_list(k->store, own, str_from(after), page,
				      PAGE, &n, &e)) {
			log_warn("the keys of runs: %s", e.text);
			return 0;
		}
		for (size_t i = 0; i < n; i++)
			add(&b, page[i].name);
		if (n)
			memcpy(after, page[n - 1].name, sizeof(after));
	}
	return b.len ? tell(k, &b) : 0;
}
