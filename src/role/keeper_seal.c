/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Opening and sealing the store.  At the start it is opened by what needs
 * nobody (the key file, systemd's credential); where that fails, or somebody
 * has sealed it, the keeper serves all the same and says so.  That it was
 * sealed is kept in a file: a keeper that died does not open it again.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "secrets/keyfile.h"
#include "secrets/scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	REWRAP_SLICE = 512, /* secrets between two looks at the channels */
	STATUS_MAX = 16384,
	WAIT_MAX_S = 64,
	CREDENTIAL_MAX_LEN = 2 * KEYFILE_KEY_LEN + 2
};

static const char *const reasons[] = {
	[SEAL_NONE] = NULL,         [SEAL_ASKED] = "asked",
	[SEAL_NO_KEY] = "no-key",   [SEAL_ROLLBACK] = "rollback",
	[SEAL_DAMAGED] = "damaged", [SEAL_PROVIDER] = "provider",
};

/* --- what the server is told -------------------------------------------- */

void keeper_tell_state(struct keeper *k)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	if (!k->server)
		return;
	wire_str(&w, STR(""));
	wire_u8(&w, k->store ? PROVIDER_UP : PROVIDER_SEALED);
	wire_str(&w, str_from(k->store ? "" : k->seal.why));
	if (chan_post(k->server, MSG_PROVIDER_STATE, &w, NULL, 0, &e))
		log_warn("the server was not told of the store: %s", e.text);
}

int keeper_seal_status(struct keeper *k, uint64_t tag, struct wire_reader *r,
		       struct chan_msg *msg)
{
	CLEANUP_BUF struct buf b = BUF_INIT(STATUS_MAX);
	struct secret_store_status st;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	if (!k->store) {
		buf_printf(&b, "{\"sealed\":true,\"reason\":\"%s\",\"text\":\"",
			   reasons[k->seal.reason]);
		buf_json(&b, str_from(k->seal.why));
		buf_puts(&b, "\"}");
		return keeper_tell(k, tag, 0, &b);
	}
	secret_store_status(k->store, &st);
	buf_printf(&b,
		   "{\"sealed\":false,\"term\":%" PRIu64 ",\"epoch\":%" PRIu64
		   ",\"secrets\":%" PRIu64 ",\"to_rewrap\":%" PRIu64
		   ",\"old_root_key\":%s,\"memory_locked\":%s}",
		   st.term, st.epoch, st.secrets, st.old,
		   st.old_root ? "true" : "false",
		   st.locked ? "true" : "false");
	return keeper_tell(k, tag, 0, &b);
}

/* --- open and closed ---------------------------------------------------- */

/* Some of it at a time, so that nobody waits for long. */
static void on_rewrap(void *ctx)
{
	struct keeper *k = ctx;
	uint64_t left = 0;
	struct err e;

	if (!k->store)
		return;
	if (secret_store_rewrap(k->store, REWRAP_SLICE, &left, &e))
		log_error("secrets are not wrapped anew: %s", e.text);
	else if (left)
		loop_timer_set(k->seal.rewrap, clock_mono_us());
	else
		log_info("all secrets are wrapped anew");
}

void keeper_rewrap(struct keeper *k)
{
	loop_timer_set(k->seal.rewrap, clock_mono_us());
}

static void opened(struct keeper *k)
{
	struct secret_store_status st;

	k->scanner = scanner_new(k->store);
	k->seal.reason = SEAL_NONE;
	secret_store_status(k->store, &st);
	if (st.old || st.old_root)
		keeper_rewrap(k);
	keeper_identity_wake(k);
	keeper_leases_wake(k);
}

static void closed(struct keeper *k, enum seal_reason reason, const char *why)
{
	keeper_identity_seal(k);
	scanner_free(k->scanner);
	k->scanner = NULL;
	secret_store_close(k->store);
	k->store = NULL;
	keeper_seal_reason(k, reason, why);
	if (k->seal.rewrap)
		loop_timer_set(k->seal.rewrap, -1);
}

struct secret_store_opts keeper_store_opts(const struct keeper *k)
{
	return (struct secret_store_opts){.path = k->seal.db,
					  .epoch_dir = k->seal.epoch};
}

void keeper_seal_reason(struct keeper *k, enum seal_reason reason,
			const char *why)
{
	k->seal.reason = reason;
	(void)snprintf(k->seal.why, sizeof(k->seal.why), "%s", why);
}

int keeper_open_with(struct keeper *k, const struct secret_opener *by,
		     size_t n_by, bool accept_rollback, struct err *e)
{
	struct secret_store_opts o = keeper_store_opts(k);

	o.accept_rollback = accept_rollback;
	if (secret_store_open(&o, by, n_by, &k->store, e))
		return -1;
	opened(k);
	return 0;
}

size_t keeper_sources(struct keeper *k, struct secret_opener *ret,
		      struct err *e)
{
	size_t n = 0;

	secret_free(k->seal.key);
	k->seal.key = NULL;
	if (!keyfile_read(k->seal.keyfile, &k->seal.key, e))
		ret[n++] = (struct secret_opener){.kind = SECRET_SLOT_KEYFILE,
						  .key = k->seal.key};
	if (k->seal.credential)
		ret[n++] =
			(struct secret_opener){.kind = SECRET_SLOT_CREDENTIAL,
					       .key = k->seal.credential};
	return n;
}

void keeper_sources_done(struct keeper *k)
{
	secret_free(k->seal.key);
	k->seal.key = NULL;
}

static int open_by_sources(struct keeper *k, bool accept_rollback,
			   struct err *e)
{
	struct secret_opener by[KEEPER_SOURCES_MAX];
	size_t n = keeper_sources(k, by, e);
	int bad;

	if (!n) {
		e->code = ERR_DENIED;
		return -1;
	}
	bad = keeper_open_with(k, by, n, accept_rollback, e);
	keeper_sources_done(k);
	return bad;
}

/* What a store that did not open is waiting for; false: that is no state to
 * wait in. */
static bool reason_of(const struct err *e, enum seal_reason *ret)
{
	if (e->code == ERR_CONFLICT && e->sys != ESTALE)
		return false;
	*ret = e->code == ERR_CONFLICT ? SEAL_ROLLBACK :
	       e->code == ERR_DENIED   ? SEAL_NO_KEY :
					 SEAL_DAMAGED;
	return e->code == ERR_CONFLICT || e->code == ERR_DENIED ||
	       e->code == ERR_INTERNAL;
}

bool keeper_stays_sealed(struct keeper *k, const struct err *why)
{
	enum seal_reason reason;

	if (!reason_of(why, &reason))
		return false;
	closed(k, reason, why->text);
	return true;
}

/* --- the start ---------------------------------------------------------- */

void keeper_seal_credential(struct keeper *k, struct role_start *start)
{
	char text[CREDENTIAL_MAX_LEN];
	struct err e;
	ssize_t n;
	int *fd;

	if (!start->init.unseal_credential || !start->n_fds)
		return;
	fd = &start->fds[--start->n_fds];
	n = fd_read_full(*fd, text, sizeof(text));
	fd_close(fd);
	/* The store stays sealed, and others may still open it. */
	if (n < 0 || keyfile_decode(str_n(text, (size_t)n),
				    "the credential nfo-unseal-key",
				    &k->seal.credential, &e))
		log_error("%s", n < 0 ? "the credential nfo-unseal-key cannot "
					"be read" :
					e.text);
	mem_wipe(text, sizeof(text));
}

/* A store with one slot, of the credential where there is one. */
static int create(struct keeper *k, struct err *e)
{
	struct secret_store_opts o = keeper_store_opts(k);
	struct secret_opener by[KEEPER_SOURCES_MAX];
	size_t n;
	int bad;

	if (!k->seal.credential && access(k->seal.keyfile, F_OK) &&
	    keyfile_create(k->seal.keyfile, e))
		return -1;
	n = keeper_sources(k, by, e);
	bad = n ? secret_store_create(&o, &by[0], e) : -1;
	keeper_sources_done(k);
	return bad;
}

int keeper_seal_start(struct keeper *k, const char *state, struct err *e)
{
	struct keeper_seal *s = &k->seal;

	(void)snprintf(s->db, sizeof(s->db), "%s/keeper/secrets.db", state);
	(void)snprintf(s->epoch, sizeof(s->epoch), "%s/keeper/epoch", state);
	(void)snprintf(s->keyfile, sizeof(s->keyfile), "%s/keeper/key", state);
	(void)snprintf(s->mark, sizeof(s->mark), "%s/keeper/sealed", state);
	s->rewrap = loop_timer_new(k->loop, on_rewrap, k);
	if (access(s->db, F_OK) && create(k, e))
		return -1;
	if (!access(s->mark, F_OK)) {
		closed(k, SEAL_ASKED, "it was sealed by an administrator");
		return 0;
	}
	if (!open_by_sources(k, false, e))
		return 0;
	if (!keeper_stays_sealed(k, e))
		return -1;
	log_warn("the secret store stays sealed: %s", e->text);
	return 0;
}

void keeper_seal_end(struct keeper *k)
{
	closed(k, SEAL_ASKED, "");
	loop_timer_free(k->seal.rewrap);
	secret_free(k->seal.credential);
	keeper_sources_done(k);
}

/* --- sealing and unsealing ---------------------------------------------- */

static int mark(struct keeper *k, struct err *e)
{
	CLEANUP_FD int fd =
		open(k->seal.mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		     0600);

	if (fd < 0 || fsync(fd))
		return err_sys(e, errno, "%s", k->seal.mark);
	return 0;
}

/* The keys go whatever comes of the mark. */
int keeper_seal(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg)
{
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	keeper_transit_stop(k, "it was sealed by an administrator");
	closed(k, SEAL_ASKED, "it was sealed by an administrator");
	bad = mark(k, &e);
	keeper_tell_state(k);
	return keeper_answer(k, tag, bad, 0, &e);
}

/* One a second, then every second longer: a passphrase costs the keeper a third
 * of a second, and whoever guesses gets nowhere. */
static int too_soon(struct keeper *k, struct err *e)
{
	int64_t now = clock_mono_us();

	if (now >= k->seal.next_us)
		return 0;
	return err_set(e, ERR_LIMIT, "too soon: again in %lld s",
		       (long long)((k->seal.next_us - now) / 1000000 + 1));
}

void keeper_unmark(struct keeper *k)
{
	(void)unlink(k->seal.mark);
}

void keeper_unseal_counts(struct keeper *k, bool bad)
{
	int64_t wait_s = 1;

	k->seal.fails = bad ? k->seal.fails + 1 : 0;
	for (unsigned i = 1; i < k->seal.fails && wait_s < WAIT_MAX_S; i++)
		wait_s *= 2;
	k->seal.next_us = clock_mono_us() + wait_s * 1000000;
}

static int unseal(struct keeper *k, struct str pass, bool accept, struct err *e)
{
	struct secret_opener by = {.kind = SECRET_SLOT_PASSPHRASE};
	CLEANUP_SECRET struct secret *key = NULL;

	if (k->store)
		return err_set(e, ERR_CONFLICT, "the store is not sealed");
	if (too_soon(k, e))
		return -1;
	if (!pass.len)
		return open_by_sources(k, accept, e);
	if (secret_new(pass.p, pass.len, SECRET_WIPE_ON_FORK, &key, e))
		return -1;
	by.key = key;
	return keeper_open_with(k, &by, 1, accept, e);
}

int keeper_unseal(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	bool accept = wire_get_u8(r);
	struct str pass = wire_get_str(r, SECRET_STORE_PASSPHRASE_MAX);
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	bad = unseal(k, pass, accept, &e);
	mem_wipe((char *)(uintptr_t)pass.p, pass.len);
	if (bad && !pass.len && !k->store && e.code == ERR_DENIED &&
	    keeper_transit_unseal(k, tag, accept, &e))
		return 0;
	if (!bad || (e.code != ERR_LIMIT && !k->store))
		keeper_unseal_counts(k, bad);
	if (!bad) {
		keeper_transit_stop(k, "it was opened otherwise");
		keeper_unmark(k);
	} else if (!k->store && e.code != ERR_LIMIT && e.code != ERR_DENIED) {
		(void)keeper_stays_sealed(k, &e);
	}
	keeper_tell_state(k);
	return keeper_answer(k, tag, bad, 0, &e);
}
