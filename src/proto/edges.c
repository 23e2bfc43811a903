/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The fixed messages on the wire; see edges.h. */
#include "proto/edges.h"
#include "base/log.h"

#include <string.h>

static const char *const roles[N_ROLES] = {
	[ROLE_MONITOR] = "monitor", [ROLE_SERVER] = "server",
	[ROLE_KEEPER] = "keeper",   [ROLE_SPAWNER] = "spawner",
	[ROLE_ZYGOTE] = "zygote",   [ROLE_RUNNER] = "runner",
	[ROLE_FETCHER] = "fetcher",
};

const char *role_name(enum role r)
{
	return r < N_ROLES ? roles[r] : "unknown";
}

static const char *const credentials[N_CREDENTIALS] = {
	[CREDENTIAL_CA] = "ca_file",
	[CREDENTIAL_CLIENT_CERT] = "client_cert",
	[CREDENTIAL_CLIENT_KEY] = "client_key",
	[CREDENTIAL_TOKEN] = "token_file",
	[CREDENTIAL_SECRET_ID] = "secret_id_file",
	[CREDENTIAL_JWT] = "jwt_file",
};

const char *credential_name(enum credential c)
{
	return c < N_CREDENTIALS ? credentials[c] : "unknown";
}

static const char *const provider_states[N_PROVIDER_STATES] = {
	[PROVIDER_UP] = "up",
	[PROVIDER_DOWN] = "down",
	[PROVIDER_SEALED] = "sealed",
};

const char *provider_state_name(enum provider_state s)
{
	return s < N_PROVIDER_STATES ? provider_states[s] : "unknown";
}

void attempt_id_encode(const struct attempt_id *id, struct wire_writer *w)
{
	wire_bytes(w, id->attempt.s, ULID_LEN);
	wire_u64(w, id->fence);
}

int attempt_id_decode(struct wire_reader *r, struct attempt_id *ret)
{
	struct attempt_id id = {0};

	wire_get_bytes(r, id.attempt.s, ULID_LEN);
	id.fence = wire_get_u64(r);
	if (r->failed || !ulid_valid(str_n(id.attempt.s, ULID_LEN)))
		return -1;
	*ret = id;
	return 0;
}

void ended_encode(const struct ended *m, struct wire_writer *w)
{
	attempt_id_encode(&m->id, w);
	wire_u8(w, m->state);
	wire_u8(w, m->kind);
	wire_u32(w, (uint32_t)m->exit_code);
	wire_u8(w, m->signo);
}

int ended_decode(struct wire_reader *r, struct ended *ret)
{
	struct ended m = {0};

	if (attempt_id_decode(r, &m.id))
		return -1;
	m.state = wire_get_u8(r);
	m.kind = wire_get_u8(r);
	m.exit_code = (int32_t)wire_get_u32(r);
	m.signo = wire_get_u8(r);
	if (r->failed || m.state >= N_STATES ||
	    !state_final((enum run_state)m.state) || m.kind >= N_KINDS ||
	    m.exit_code < -1 || m.exit_code > 255 || m.signo > 64)
		return -1;
	*ret = m;
	return 0;
}

void make_encode(const struct make *m, struct wire_writer *w)
{
	wire_u8(w, m->n_secrets);
	for (size_t i = 0; i < m->n_secrets && i < MAKE_SECRETS_MAX; i++)
		wire_str(w, str_from(m->secrets[i]));
}

/* NAME or NAME/FIELD of [A-Za-z0-9._-], no part empty or with a leading dot. */
static bool secret_name_ok(struct str s)
{
	unsigned slashes = 0;
	char before = '/';

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '_' || c == '-';

		if (before == '/' && !plain)
			return false;
		if (!plain && c != '.' && (c != '/' || ++slashes > 1))
			return false;
		before = c;
	}
	return before != '/';
}

int make_decode(struct wire_reader *r, struct make *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->n_secrets = wire_get_u8(r);
	if (ret->n_secrets > MAKE_SECRETS_MAX)
		return -1;
	for (size_t i = 0; i < ret->n_secrets; i++) {
		struct str s = wire_get_str(r, MAKE_SECRET_NAME_MAX);

		if (!secret_name_ok(s))
			return -1;
		memcpy(ret->secrets[i], s.p, s.len);
	}
	return r->failed ? -1 : 0;
}

void verify_encode(const struct verify *m, struct wire_writer *w)
{
	wire_str(w, m->project);
	wire_str(w, m->ref);
	wire_u8(w, m->how);
	wire_u8(w, m->n_macs);
	for (size_t i = 0; i < m->n_macs && i < VERIFY_MACS_MAX; i++)
		wire_bytes(w, m->macs[i].b, HASH_LEN);
	wire_str(w, m->token);
}

int verify_decode(struct wire_reader *r, struct verify *ret)
{
	struct verify m = {.project = wire_get_str(r, 63)};

	m.ref = wire_get_str(r, VERIFY_REF_MAX);
	m.how = wire_get_u8(r);
	m.n_macs = wire_get_u8(r);
	if (m.how >= N_VERIFY_HOWS || m.n_macs > VERIFY_MACS_MAX)
		return -1;
	for (size_t i = 0; i < m.n_macs; i++)
		wire_get_bytes(r, m.macs[i].b, HASH_LEN);
	m.token = wire_get_str(r, VERIFY_TOKEN_MAX);
	if (r->failed || (m.how == VERIFY_TOKEN ? m.n_macs : m.token.len))
		return -1;
	*ret = m;
	return 0;
}

void public_keys_encode(const struct public_keys *m, struct wire_writer *w)
{
	wire_str(w, m->issuer);
	wire_str(w, m->jwks);
	wire_str(w, m->sealing);
}

int public_keys_decode(struct wire_reader *r, struct public_keys *ret)
{
	struct public_keys m = {.issuer = wire_get_str(r, ISSUER_MAX)};

	m.jwks = wire_get_str(r, PUBLIC_KEYS_MAX);
	m.sealing = wire_get_str(r, PUBLIC_KEYS_MAX);
	if (!wire_end(r) || !m.issuer.len || !m.jwks.len || !m.sealing.len)
		return -1;
	*ret = m;
	return 0;
}

void helper_end_encode(const struct helper_end *m, struct wire_writer *w)
{
	wire_u8(w, m->code);
	wire_u32(w, m->status);
	wire_u8(w, m->timed_out);
	wire_str(w, str_from(m->text));
}

int helper_end_decode(struct wire_reader *r, struct helper_end *ret)
{
	struct helper_end m = {.code = wire_get_u8(r),
			       .status = wire_get_u32(r)};
	uint8_t timed_out = wire_get_u8(r);
	struct str text = wire_get_str(r, sizeof(m.text) - 1);

	if (r->failed || m.code > ERR_UNGUARDED || timed_out > 1)
		return -1;
	m.timed_out = timed_out;
	memcpy(m.text, text.p, text.len);
	*ret = m;
	return 0;
}

void usage_encode(const struct usage *m, struct wire_writer *w)
{
	wire_u64(w, m->cpu_us);
	wire_u64(w, m->memory_peak_bytes);
	wire_u32(w, m->pids_peak);
	wire_u8(w, m->oom);
	wire_u8(w, m->disk_full);
	wire_u32(w, m->not_enforced);
}

int usage_decode(struct wire_reader *r, struct usage *ret)
{
	struct usage m = {0};

	m.cpu_us = wire_get_u64(r);
	m.memory_peak_bytes = wire_get_u64(r);
	m.pids_peak = wire_get_u32(r);
	m.oom = wire_get_u8(r);
	m.disk_full = wire_get_u8(r);
	m.not_enforced = wire_get_u32(r);
	if (r->failed || m.oom > 1 || m.disk_full > 1 || m.not_enforced > 31 ||
	    m.cpu_us > INT64_MAX || m.memory_peak_bytes > INT64_MAX)
		return -1;
	*ret = m;
	return 0;
}

void role_init_encode(const struct role_init *m, struct wire_writer *w)
{
	wire_str(w, str_from(m->state));
	wire_u32(w, m->owner_uid);
	wire_u32(w, m->max_attempts);
	wire_u32(w, m->idle_exit_s);
	wire_u8(w, m->cgroups_required);
	wire_u8(w, m->first_start);
	wire_u8(w, m->landlock_optional);
	wire_u8(w, m->unseal_credential);
	wire_str(w, str_from(m->issuer));
	wire_u32(w, m->identity_rotate_s);
	wire_u8(w, m->n_export_to);
	for (size_t i = 0; i < m->n_export_to; i++)
		wire_str(w, str_from(m->export_to[i]));
	wire_u32(w, m->tls_listeners);
	wire_u8(w, m->n_tls_fds);
	wire_u8(w, m->log_format);
	wire_u8(w, m->log_level);
	wire_u8(w, m->log_journal);
}

static bool init_sane(const struct role_init *m)
{
	return m->log_format < N_LOG_FORMATS && m->log_level < N_LOG_LEVELS &&
	       m->n_tls_fds != 1 && m->n_tls_fds <= N_TLS_FDS &&
	       (m->n_tls_fds || !m->tls_listeners);
}

/* As long as the room for it, without a NUL in it. */
static void get_line(struct wire_reader *r, char *room, size_t max)
{
	struct str s = wire_get_str(r, max);

	if (str_has(s, '\0'))
		r->failed = true;
	else if (s.len)
		memcpy(room, s.p, s.len);
}

static void get_export_to(struct wire_reader *r, struct role_init *ret)
{
	uint8_t n = wire_get_u8(r);

	if (n > EXPORT_TO_MAX)
		r->failed = true;
	for (; !r->failed && ret->n_export_to < n; ret->n_export_to++)
		get_line(r, ret->export_to[ret->n_export_to], EXPORT_TO_LEN);
}

int role_init_decode(struct wire_reader *r, struct role_init *ret)
{
	memset(ret, 0, sizeof(*ret));
	get_line(r, ret->state, INIT_PATH_MAX);
	ret->owner_uid = wire_get_u32(r);
	ret->max_attempts = wire_get_u32(r);
	ret->idle_exit_s = wire_get_u32(r);
	ret->cgroups_required = wire_get_u8(r);
	ret->first_start = wire_get_u8(r);
	ret->landlock_optional = wire_get_u8(r);
	ret->unseal_credential = wire_get_u8(r);
	get_line(r, ret->issuer, ISSUER_MAX);
	ret->identity_rotate_s = wire_get_u32(r);
	get_export_to(r, ret);
	ret->tls_listeners = wire_get_u32(r);
	ret->n_tls_fds = wire_get_u8(r);
	ret->log_format = wire_get_u8(r);
	ret->log_level = wire_get_u8(r);
	ret->log_journal = wire_get_u8(r);
	return wire_end(r) && ret->state[0] == '/' && init_sane(ret) ? 0 : -1;
}
