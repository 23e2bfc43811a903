/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keeper: the only holder of keys.  An attempt's channel gets the secrets
 * of its grant and no others (keeper_attempt.c); what the server may ask is in
 * keeper_server.c.
 */
#include "role/keeper.h"

#include "base/log.h"
#include "secrets/keyfile.h"
#include "secrets/scanner.h"

#include <stdio.h>
#include <unistd.h>

/* --- the monitor -------------------------------------------------------- */

static void on_server_gone(void *ctx, const struct err *why)
{
	struct keeper *k = ctx;

	(void)why;
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
		chan_free(k->server);
		k->server = chan_new(k->loop, chan_msg_take(msg, 0),
				     &server_ops, k);
		keeper_identity_wake(k);
		if (k->vault)
			vault_tell(k->vault);
		return 0;
	case MSG_CREDENTIAL_IS:
		return keeper_on_credential(k, msg);
	case MSG_STOP:
		loop_stop(k->loop);
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

/* At the first start both key and store are made; later one without the other
 * is an error and stays one. */
static int unseal(struct keeper *k, const char *state, struct err *e)
{
	char dir[INIT_PATH_MAX + 16], key[INIT_PATH_MAX + 32];
	char db[INIT_PATH_MAX + 32], epoch[INIT_PATH_MAX + 32];
	CLEANUP_SECRET struct secret *k32 = NULL;
	struct secret_store_opts o = {.path = db, .epoch_dir = epoch};
	struct secret_opener by = {.kind = SECRET_SLOT_KEYFILE};

	(void)snprintf(dir, sizeof(dir), "%s/keeper", state);
	(void)snprintf(key, sizeof(key), "%s/key", dir);
	(void)snprintf(db, sizeof(db), "%s/secrets.db", dir);
	(void)snprintf(epoch, sizeof(epoch), "%s/epoch", dir);
	if (keyfile_read(key, &k32, e)) {
		if (e->code != ERR_NOT_FOUND || !access(db, F_OK))
			return -1;
		if (keyfile_create(key, e) || keyfile_read(key, &k32, e))
			return -1;
	}
	by.key = k32;
	if (access(db, F_OK) && secret_store_create(&o, &by, e))
		return -1;
	return secret_store_open(&o, &by, 1, &k->store, e);
}

int main(void)
{
	struct keeper k = {0};
	struct role_start start;
	struct err e;

	role_begin(ROLE_KEEPER, &start);
	(void)hash_sha256("", 0); /* libcrypto reads its configuration now */
	keeper_vault_confine(&k, &start);
	list_init(&k.attempts);
	if (secret_process_harden(&e) || secret_store_heap_init(&e) ||
	    loop_new(&k.loop, &e) || keeper_identity_new(&k, &start.init, &e) ||
	    unseal(&k, start.init.state, &e) || keeper_vault_new(&k, &e))
		role_failed(&e);
	keeper_identity_wake(&k);
	k.scanner = scanner_new(k.store);
	k.monitor = chan_new(k.loop, ROLE_FD, &monitor_ops, &k);
	role_ready();
	if (loop_run(k.loop, &e))
		log_error("%s", e.text);
	keeper_attempts_end(&k);
	vault_free(k.vault);
	scanner_free(k.scanner);
	keeper_identity_free(&k);
	secret_store_close(k.store);
	return 0;
}
