/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The epoch outside the database: one line in a file of another directory,
 * MACed, so that putting back an old database is noticed.  Whoever can put
 * back both is not stopped by it.
 */
#include "secrets/store_internal.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/hex.h"

#define EPOCH_FILE  "secrets.epoch"
#define EPOCH_LABEL "nfo-epoch-v1"

enum {
	EPOCH_FILE_MAX = 160
};

static struct hash epoch_mac(const struct secret_store *s,
			     const unsigned char *key, uint64_t epoch)
{
	struct tlv t;

	tlv_start(&t, EPOCH_LABEL, s->uuid);
	tlv_u64(&t, TLV_EPOCH, epoch);
	return hash_hmac_sha256(key, CRYPTO_KEY_LEN, t.b, t.len);
}

static int write_epoch(struct secret_store *s, uint64_t epoch, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(EPOCH_FILE_MAX);
	char uuid[2 * SSTORE_UUID_LEN + 1], hex[HASH_HEX_LEN + 1];
	struct hash mac = epoch_mac(s, s->keys->epoch, epoch);

	hex_encode(s->uuid, SSTORE_UUID_LEN, uuid);
	hash_hex(&mac, hex);
	buf_printf(&line, "%s %s %llu %s\n", EPOCH_LABEL, uuid,
		   (unsigned long long)epoch, hex);
	return fd_write_file(s->epoch_dir_fd, EPOCH_FILE, buf_view(&line), 0600,
			     e);
}

int sstore_epoch_write(struct secret_store *s, struct err *e)
{
	if (write_epoch(s, s->epoch, e))
		return -1;
	s->epoch_stale = false;
	return 0;
}

struct epoch_line {
	unsigned char uuid[SSTORE_UUID_LEN];
	uint64_t epoch;
	struct hash mac;
};

static int suspect(const char *why, struct err *e)
{
	err_set(e, ERR_CONFLICT, "rollback suspected: %s", why);
	e->sys = ESTALE;
	return -1;
}

/* ERR_NOT_FOUND, ERR_CONFLICT for what is no such line. */
static int read_epoch(struct secret_store *s, struct epoch_line *ret,
		      struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(EPOCH_FILE_MAX);
	struct str rest, label, uuid, epoch;

	if (fd_read_file(s->epoch_dir_fd, EPOCH_FILE, &b, e))
		return e->code == ERR_LIMIT ?
			       suspect("the epoch file is damaged", e) :
			       -1;
	rest = buf_view(&b);
	if (!str_ends(rest, STR("\n")))
		return suspect("the epoch file is damaged", e);
	rest.len--;
	label = str_cut(&rest, ' ');
	uuid = str_cut(&rest, ' ');
	epoch = str_cut(&rest, ' ');
	if (!str_is(label, EPOCH_LABEL) ||
	    hex_decode(uuid, ret->uuid, SSTORE_UUID_LEN) ||
	    str_to_u64(epoch, INT64_MAX, &ret->epoch) ||
	    hex_decode(rest, ret->mac.b, HASH_LEN))
		return suspect("the epoch file is damaged", e);
	return 0;
}

int sstore_epoch_create(struct secret_store *s, struct err *e)
{
	struct epoch_line line;
	struct err why;

	if (!read_epoch(s, &line, &why)) {
		/* Epoch 0 is left by a creation that did not finish. */
		if (line.epoch)
			return err_set(e, ERR_CONFLICT,
				       "the epoch file belongs to a secret "
				       "store that is not there: restore that, "
				       "or remove " EPOCH_FILE);
	} else if (why.code != ERR_NOT_FOUND) {
		return err_set(e, why.code, "%s", why.text);
	}
	return write_epoch(s, 0, e);
}

/* *ret_seen is the newest epoch that is known for certain. */
static int compare(struct secret_store *s, uint64_t *ret_seen, struct err *e)
{
	struct epoch_line line;
	struct hash mac;

	*ret_seen = 0;
	if (read_epoch(s, &line, e))
		return e->code == ERR_NOT_FOUND ?
			       suspect("the epoch file is missing", e) :
			       -1;
	if (memcmp(line.uuid, s->uuid, SSTORE_UUID_LEN))
		return suspect("the epoch file is of another store", e);
	mac = epoch_mac(s, s->keys->epoch, line.epoch);
	/* A new root key's first change died before it was recorded. */
	if (!hash_eq(&mac, &line.mac) && s->root_from)
		mac = epoch_mac(s, s->keys->old_epoch, line.epoch);
	if (!hash_eq(&mac, &line.mac))
		return suspect("the epoch file is damaged", e);
	*ret_seen = line.epoch;
	if (line.epoch <= s->epoch)
		return 0;
	err_set(e, ERR_CONFLICT,
		"rollback suspected: the database is at epoch %llu, the newest "
		"was %llu",
		(unsigned long long)s->epoch, (unsigned long long)line.epoch);
	e->sys = ESTALE;
	return -1;
}

/* Make what is there the newest: beyond every epoch that was recorded. */
static int accept_older(struct secret_store *s, uint64_t seen, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};

	if (seen > s->epoch)
		s->epoch = seen;
	if (sstore_tx_begin(s, &tx, e))
		return -1;
	return sstore_tx_commit(&tx, e);
}

int sstore_epoch_check(struct secret_store *s, bool accept, struct err *e)
{
	uint64_t seen = 0;
	struct err why;

	if (compare(s, &seen, &why)) {
		if (accept && why.code == ERR_CONFLICT)
			return accept_older(s, seen, e);
		*e = why;
		return -1;
	}
	return seen == s->epoch ? 0 : sstore_epoch_write(s, e);
}
