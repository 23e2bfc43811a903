/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Providers of secrets, for the keeper: their list from INIT, the files that
 * the monitor opens for them, what the server is told of them, and what an
 * attempt reads from them.
 */
#include "role/keeper.h"

#include "base/fd.h"
#include "base/mem.h"
#include "vault/provider.h"

#include <string.h>

enum {
	PORTS_MAX = 16 * (1 + PROVIDER_HOSTS_MAX)
};

/* --- what it asks us for ------------------------------------------------ */

static void ask_file(void *ctx, uint32_t tag, uint16_t provider, uint8_t which)
{
	struct wire_writer w = {.len = 0};
	struct keeper *k = ctx;
	struct err e;

	wire_u32(&w, tag);
	wire_u16(&w, provider);
	wire_u8(&w, which);
	/* Without a monitor we are at our end. */
	(void)!chan_post(k->monitor, MSG_CREDENTIAL, &w, NULL, 0, &e);
}

static void tell_server(void *ctx, const char *provider,
			enum provider_state state, const char *text)
{
	struct wire_writer w = {.len = 0};
	struct keeper *k = ctx;
	struct err e;

	if (state == PROVIDER_UP)
		keeper_transit_heard(k, provider);
	if (!k->server)
		return;
	wire_str(&w, str_from(provider));
	wire_u8(&w, (uint8_t)state);
	wire_str(&w, str_from(text));
	(void)!chan_post(k->server, MSG_PROVIDER_STATE, &w, NULL, 0, &e);
}

static int mint(void *ctx, const struct grant *who, const char *audience,
		struct secret **ret, struct err *e)
{
	return keeper_mint(ctx, who, str_from(audience), 0, INT64_MAX, ret,
			   NULL, e);
}

static void count_leases(void *ctx, size_t n)
{
	(void)n;
	keeper_leases_tell(ctx);
}

static const struct vault_host host = {ask_file, tell_server, count_leases,
				       mint};

int keeper_on_credential(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint32_t tag = wire_get_u32(&r);
	uint8_t code = wire_get_u8(&r);
	struct str text = wire_get_str(&r, ERR_TEXT_MAX);
	struct err e;

	if (!wire_end(&r) || !k->vault || !code != (msg->n_fds == 1) ||
	    code > ERR_UNGUARDED)
		return -1;
	err_set(&e, (enum err_code)code, STR_FMT, STR_ARG(text));
	vault_credential(k->vault, tag, code ? -1 : chan_msg_take(msg, 0),
			 code ? &e : NULL);
	return 0;
}

/* --- its beginning ------------------------------------------------------ */

/* Before the keeper is confined: what libraries read once, and the ports. */
void keeper_vault_confine(struct keeper *k, struct role_start *start)
{
	uint16_t ports[PORTS_MAX];
	struct err e;
	size_t n = 0;

	k->providers = BUF_INIT(PROVIDER_LIST_MAX);
	if (start->n_fds) {
		if (fd_memfd_read(start->fds[0], &k->providers, &e) ||
		    vault_begin(&e))
			role_failed(&e);
		fd_close(&start->fds[0]);
		n = vault_ports(buf_view(&k->providers), ports, PORTS_MAX);
	}
	role_confine_ports(ROLE_KEEPER, start, ports, n);
}

int keeper_vault_new(struct keeper *k, struct err *e)
{
	int bad = k->providers.len ? vault_new(k->loop, buf_view(&k->providers),
					       &host, k, &k->vault, e) :
				     0;

	buf_done(&k->providers);
	return bad;
}
