/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Providers as the settings have them (`secret_providers`), read from the
 * normalised JSON list that `nfo serve` makes and the monitor hands on.  Pure.
 * There is no credential in it: those are in files that the monitor opens
 * (MSG_CREDENTIAL).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "proto/edges.h"
#include "secrets/ref.h"

enum {
	PROVIDER_TEXT_MAX = 4000,
	PROVIDER_MOUNTS_MAX = 16,
	PROVIDER_HOSTS_MAX = 4,
	PROVIDER_LIST_MAX = 1 << 20, /* bytes of the list */
};

enum provider_auth {
	AUTH_TOKEN,
	AUTH_APPROLE,
	AUTH_JWT,
	AUTH_KUBERNETES,
	AUTH_CERT,
	AUTH_IDENTITY, /* a JWT of the attempt's own */
	N_AUTHS,
};
const char *provider_auth_name(enum provider_auth a);

/* Texts are in the list's arena, NUL-terminated, "" where not given. */
struct provider {
	const char *name;
	const char
		*address; /* https://HOST[:PORT][/PATH], no slash at its end */
	const char *origin; /* of it, see http_origin() */
	uint16_t port;
	const char *vault_namespace;
	const char *server_name;
	enum provider_auth auth;
	const char *auth_mount; /* "approle", ...; no slashes at its ends */
	const char *auth_role;
	const char *role_id;
	const char *audience;
	bool secret_id_wrapped;
	/* Where a redirect may lead besides the address's own host: origins. */
	const char *redirects[PROVIDER_HOSTS_MAX];
	size_t n_redirects;
	struct provider_mount {
		const char *mount; /* no slashes at its ends */
		uint8_t version;   /* 1 or 2 */
	} mounts[PROVIDER_MOUNTS_MAX];
	size_t n_mounts;
	uint32_t timeout_ms; /* of one request, with all its tries */
	/* Which files there are: bit enum credential. */
	uint32_t files;
};

struct providers {
	struct arena *arena;
	struct provider *items; /* in the order of the settings */
	size_t n;
};

MUST_USE int providers_read(struct str json, struct providers *ret,
			    struct err *e);
void providers_done(struct providers *p);
const struct provider *providers_find(const struct providers *p,
				      const char *name);
/* The mount of a path and what is behind it, where the settings know it. */
const struct provider_mount *provider_mount_of(const struct provider *p,
					       struct str path);
