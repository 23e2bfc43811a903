/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an administrator does with the keys of the store: its slots, a new term,
 * a new root key. */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>

enum {
	LIST_MAX = 4096
};

int keeper_slots(struct keeper *k, uint64_t tag, struct wire_reader *r,
		 struct chan_msg *msg)
{
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX];
	CLEANUP_BUF struct buf b = BUF_INIT(LIST_MAX);
	char created[CLOCK_TEXT_LEN + 1];
	size_t n = 0;
	struct err e;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	if (secret_store_slots(k->store, slots, &n, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	buf_putc(&b, '[');
	for (size_t i = 0; i < n; i++) {
		clock_format(slots[i].created_us, created);
		buf_printf(&b,
			   "%s{\"slot\":%" PRIu64 ",\"kind\":\"%s\","
			   "\"created_at\":\"%s\"",
			   i ? "," : "", slots[i].id,
			   secret_slot_kind_name(slots[i].kind), created);
		if (slots[i].kind == SECRET_SLOT_TRANSIT)
			buf_printf(&b, ",\"provider\":\"%s\",\"key\":\"%s/%s\"",
				   slots[i].transit.provider,
				   slots[i].transit.mount,
				   slots[i].transit.key);
		if (slots[i].log_n)
			buf_printf(&b, ",\"scrypt\":%u", slots[i].log_n);
		buf_putc(&b, '}');
	}
	buf_putc(&b, ']');
	return keeper_tell(k, tag, 0, &b);
}

/* The opener of that kind: what the message brought, or the keeper has. */
static int opener_of(struct keeper *k, enum secret_slot_kind kind,
		     const struct secret *pass, struct secret_opener *ret,
		     struct err *e)
{
	struct secret_opener have[KEEPER_SOURCES_MAX];
	size_t n;

	if (kind == SECRET_SLOT_PASSPHRASE) {
		*ret = (struct secret_opener){.kind = kind, .key = pass};
		return 0;
	}
	n = keeper_sources(k, have, e);
	for (size_t i = 0; i < n; i++) {
		if (have[i].kind == kind) {
			*ret = have[i];
			return 0;
		}
	}
	if (kind == SECRET_SLOT_KEYFILE)
		return -1; /* keyfile_read() said why */
	return err_set(e, ERR_NOT_FOUND, "the server was started without a %s",
		       secret_slot_kind_name(kind));
}

int keeper_slot_add(struct keeper *k, uint64_t tag, struct wire_reader *r,
		    struct chan_msg *msg)
{
	uint8_t kind = wire_get_u8(r), log_n = wire_get_u8(r);
	struct str text = wire_get_str(r, SECRET_STORE_PASSPHRASE_MAX);
	CLEANUP_SECRET struct secret *pass = NULL;
	struct secret_opener by;
	uint64_t id = 0;
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds || kind >= N_SECRET_SLOT_KINDS ||
	    secret_new(text.p, text.len, SECRET_WIPE_ON_FORK, &pass, &e))
		return -1;
	if (kind == SECRET_SLOT_TRANSIT) {
		if (keeper_transit_add(k, tag, text, &e))
			return 0;
		return keeper_answer(k, tag, -1, 0, &e);
	}
	mem_wipe((char *)(uintptr_t)text.p, text.len);
	bad = opener_of(k, (enum secret_slot_kind)kind, pass, &by, &e);
	if (!bad) {
		by.log_n = log_n;
		bad = secret_store_slot_add(k->store, &by, &id, &e);
	}
	keeper_sources_done(k);
	return keeper_answer(k, tag, bad, id, &e);
}

int keeper_slot_remove(struct keeper *k, uint64_t tag, struct wire_reader *r,
		       struct chan_msg *msg)
{
	uint64_t id = wire_get_u64(r);
	struct err e;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	return keeper_answer(k, tag, secret_store_slot_remove(k->store, id, &e),
			     0, &e);
}

int keeper_rotate(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	uint64_t term = 0;
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	bad = secret_store_rotate(k->store, &term, &e);
	if (!bad)
		keeper_rewrap(k);
	return keeper_answer(k, tag, bad, term, &e);
}

/* All slots: those of the keeper's own sources too. */
void keeper_rekey_by(struct keeper *k, uint64_t tag,
		     const struct secret_opener *by, size_t n)
{
	struct secret_opener all[KEEPER_SOURCES_MAX + KEEPER_REKEY_MAX];
	uint64_t term = 0;
	size_t n_all;
	struct err e;
	int bad;

	n_all = keeper_sources(k, all, &e);
	for (size_t i = 0; i < n && i < KEEPER_REKEY_MAX; i++)
		all[n_all++] = by[i];
	bad = secret_store_rekey(k->store, all, n_all, &term, &e);
	if (!bad)
		keeper_rewrap(k);
	keeper_sources_done(k);
	(void)!keeper_answer(k, tag, bad, term, &e);
}

/* The passphrases came along; what providers open is asked for. */
int keeper_rekey(struct keeper *k, uint64_t tag, struct wire_reader *r,
		 struct chan_msg *msg)
{
	struct secret *pass[SECRET_STORE_SLOTS_MAX] = {NULL};
	uint8_t n_pass = wire_get_u8(r);
	size_t n = 0;
	struct err e;

	if (n_pass > SECRET_STORE_SLOTS_MAX || msg->n_fds)
		return -1;
	for (; n < n_pass; n++) {
		struct str s = wire_get_str(r, SECRET_STORE_PASSPHRASE_MAX);

		if (r->failed ||
		    secret_new(s.p, s.len, SECRET_WIPE_ON_FORK, &pass[n], &e))
			break;
		mem_wipe((char *)(uintptr_t)s.p, s.len);
	}
	if (n == n_pass && wire_end(r)) {
		keeper_transit_rekey(k, tag, pass, n);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		secret_free(pass[i]);
	return -1;
}
