/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keeper: the only holder of keys.  An attempt's channel gets the secrets
 * of its grant and no others (keeper_attempt.c); what the server may ask is in
 * keeper_server.c.
 */
#include "role/keeper.h"

#include "base/log.h"
#include "secrets/crypto.h"

#include <malloc.h>

/* --- the monitor -------------------------------------------------------- */

static void on_server_gone(void *ctx, const struct err *why)
{
	struct keeper *k = ctx;

	(void)why;
	keeper_checks_end(k);
	keeper_transit_unasked(k);
	chan_free(k->server);
	k->server = NULL;
}

static const struct chan_ops server_ops = {keeper_on_server, on_server_gone};

static int on_monitor(void *ctx, struct chan_msg *msg)
{
	struct keeper *k = ctx;

	switch (msg->type) {
	case MSG_GRANT:
		return keeper_grant(k, msg);
	case MSG_SERVER: /* the end of a new server's channel */
		if (msg->n_fds != 1)
			return -1;
		keeper_checks_end(k);
		keeper_transit_unasked(k);
		chan_free(k->server);
		k->server = chan_new(k->loop, chan_msg_take(msg, 0),
				     &server_ops, k);
		if (k->vault)
			vault_tell(k->vault);
		keeper_leases_tell(k);
		keeper_tell_state(k); /* last: then all are told */
		keeper_identity_wake(k);
		return 0;
	case MSG_HELPER_ENDED:
		return keeper_on_helper(k, msg);
	case MSG_CREDENTIAL_IS:
		return keeper_on_credential(k, msg);
	case MSG_ALIVE:
	case MSG_GONE:
		return keeper_on_attempt(k, msg);
	case MSG_ALIVE_END:
		if (k->vault)
			vault_alive_end(k->vault);
		return msg->body_len || msg->n_fds ? -1 : 0;
	case MSG_STOP:
		keeper_leave(k);
		return 0;
	default:
		return -1;
	}
}

static void on_monitor_gone(void *ctx, const struct err *why)
{
	(void)why;
	loop_stop(((struct keeper *)ctx)->loop);
}

static const struct chan_ops monitor_ops = {on_monitor, on_monitor_gone};

int main(void)
{
	struct keeper k = {0};
	struct role_start start;
	struct err e;
	int bad = crypto_heap_init(&e);

	role_begin(ROLE_KEEPER, &start);
	if (bad)
		role_failed(&e);
	/* Threads that look names up are few and short: no heap for each. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)hash_sha256("", 0); /* libcrypto reads its configuration now */
	keeper_seal_credential(&k, &start);
	keeper_vault_confine(&k, &start);
	list_init(&k.attempts);
	list_init(&k.checks);
	list_init(&k.helpers);
	if (secret_process_harden(&e) || secret_store_heap_init(&e) ||
	    loop_new(&k.loop, &e))
		role_failed(&e);
	keeper_transit_new(&k);
	if (keeper_identity_new(&k, &start.init, &e) ||
	    keeper_sealed_new(&k, &e) || keeper_move_new(&k, &start.init, &e) ||
	    keeper_seal_start(&k, start.init.state, &e) ||
	    keeper_vault_new(&k, &e) ||
	    keeper_leases_new(&k, start.init.state, &e))
		role_failed(&e);
	keeper_transit_start(&k);
	k.monitor = chan_new(k.loop, ROLE_FD, &monitor_ops, &k);
	role_ready();
	if (loop_run(k.loop, &e))
		log_error("%s", e.text);
	keeper_attempts_end(&k);
	keeper_checks_end(&k);
	keeper_helpers_end(&k);
	keeper_transit_free(&k);
	vault_free(k.vault);
	keeper_seal_end(&k);
	keeper_identity_free(&k);
	keeper_sealed_free(&k);
	return 0;
}
