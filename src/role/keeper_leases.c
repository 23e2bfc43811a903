/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Leases, for the keeper: the key of their journal, which attempts live, what
 * the server may ask of them, and that they are given back before it leaves.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/journal.h"
#include "vault/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
	LEASES_PAGE = 500,
	LEASES_MAX = 1 << 20 /* bytes of a page */
};

static const struct str own = {SECRET_STORE_OWN, sizeof(SECRET_STORE_OWN) - 1};

/* --- the journal ---------------------------------------------------------- */

/* Random, and not derived from the root key, which may be made anew. */
static int journal_key(struct keeper *k, struct secret **ret, struct err *e)
{
	const struct str name = STR("leases");
	uint64_t version;
	struct secret *key;

	if (!secret_store_get(k->store, own, name, 0, ret, NULL, e))
		return 0;
	if (e->code != ERR_NOT_FOUND ||
	    secret_new(NULL, JOURNAL_KEY_LEN, 0, &key, e))
		return -1;
	random_bytes(secret_room(key), JOURNAL_KEY_LEN);
	if (secret_store_put(k->store, own, name, key, SECRET_VALUE_BYTES,
			     SECRET_STORE_ANY, &version, e)) {
		secret_free(key);
		return -1;
	}
	*ret = key;
	return 0;
}

void keeper_leases_wake(struct keeper *k)
{
	CLEANUP_SECRET struct secret *key = NULL;
	struct err e;

	if (k->vault && k->store &&
	    (journal_key(k, &key, &e) ||
	     leases_open(vault_leases(k->vault), k->dir_fd, key, &e)))
		log_error("leases: %s", e.text);
}

int keeper_leases_new(struct keeper *k, const char *state, struct err *e)
{
	char dir[INIT_PATH_MAX + 16];

	(void)snprintf(dir, sizeof(dir), "%s/keeper", state);
	k->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir_fd < 0)
		return err_sys(e, errno, "%s", dir);
	crash_begin(k->dir_fd);
	keeper_leases_wake(k);
	return 0;
}

void keeper_leases_tell(struct keeper *k)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	if (!k->server || !k->vault)
		return;
	wire_u32(&w, (uint32_t)leases_count(vault_leases(k->vault)));
	(void)!chan_post(k->server, MSG_LEASE_COUNT, &w, NULL, 0, &e);
}

/* --- attempts ------------------------------------------------------------- */

int keeper_on_attempt(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt_id id;

	if (attempt_id_decode(&r, &id) || !wire_end(&r) || msg->n_fds)
		return -1;
	if (k->vault && msg->type == MSG_ALIVE)
		vault_attempt_alive(k->vault, &id.attempt);
	else if (k->vault)
		vault_attempt_ended(k->vault, &id.attempt);
	return 0;
}

/* --- what the server asks ------------------------------------------------- */

/* As C strings, which names and ids are. */
static bool text(struct wire_reader *r, char *to, size_t max)
{
	struct str s = wire_get_str(r, max);

	return !r->failed && !str_has(s, '\0') &&
	       snprintf(to, max + 1, STR_FMT, STR_ARG(s)) >= 0;
}

int keeper_leases(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	char provider[64], project[64], run[ULID_LEN + 1], after[ULID_LEN + 1];
	CLEANUP_BUF struct buf b = BUF_INIT(LEASES_MAX);
	bool more = false;
	uint32_t limit;

	if (!text(r, provider, 63) || !text(r, project, 63) ||
	    !text(r, run, ULID_LEN) || !text(r, after, ULID_LEN))
		return -1;
	limit = wire_get_u32(r);
	if (!wire_end(r) || msg->n_fds || !limit || limit > LEASES_PAGE)
		return -1;
	if (k->vault)
		more = leases_list(vault_leases(k->vault), provider, project,
				   run, after, limit, &b);
	else
		buf_puts(&b, "[]");
	return keeper_tell(k, tag, more, &b);
}

int keeper_lease_revoke(struct keeper *k, uint64_t tag, struct wire_reader *r,
			struct chan_msg *msg)
{
	char id[ULID_LEN + 1];
	struct err e;

	if (!text(r, id, ULID_LEN) || !wire_end(r) || msg->n_fds ||
	    !ulid_valid(str_from(id)))
		return -1;
	if (k->vault && !leases_revoke(vault_leases(k->vault), id))
		return keeper_answer(k, tag, 0, 0, NULL);
	err_set(&e, ERR_NOT_FOUND, "no such lease");
	return keeper_answer(k, tag, -1, 0, &e);
}
