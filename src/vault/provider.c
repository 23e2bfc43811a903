/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The list of providers; see provider.h.  `nfo serve` has checked what is in it,
 * so that anything wrong here is our own mistake. */
#include "vault/provider.h"
#include "vault/answer.h"
#include "vault/http.h"

#include "base/mem.h"

#include <string.h>

enum {
	PROVIDERS_MAX = 16,
	TIMEOUT_MAX_MS = 300000
};

static const char *const auths[N_AUTHS] = {
	[AUTH_TOKEN] = "token", [AUTH_APPROLE] = "approle",
	[AUTH_JWT] = "jwt",     [AUTH_KUBERNETES] = "kubernetes",
	[AUTH_CERT] = "cert",   [AUTH_IDENTITY] = "identity",
};

const char *provider_auth_name(enum provider_auth a)
{
	return a < N_AUTHS ? auths[a] : "unknown";
}

/* "" where it is missing; NULL: no memory left. */
static const char *text(struct arena *a, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v))
		return "";
	return arena_strndup(a, json_string_value(v), json_string_length(v));
}

static int read_auth(const json_t *o, enum provider_auth *ret)
{
	const json_t *v = json_object_get(o, "auth");

	for (int i = 0; i < N_AUTHS; i++)
		if (json_is_string(v) &&
		    !strcmp(json_string_value(v), auths[i])) {
			*ret = (enum provider_auth)i;
			return 0;
		}
	return -1;
}

static int read_kv(struct arena *a, const json_t *o, struct provider *p)
{
	json_t *map = json_object_get(o, "kv"), *v;
	const char *key;

	json_object_foreach(map, key, v)
	{
		struct provider_mount *m = &p->mounts[p->n_mounts];
		json_int_t version = json_integer_value(v);

		if (p->n_mounts == PROVIDER_MOUNTS_MAX ||
		    (version != 1 && version != 2))
			return -1;
		m->mount = arena_strndup(a, key, strlen(key));
		m->version = (uint8_t)version;
		p->n_mounts++;
	}
	return 0;
}

static int read_redirects(struct arena *a, const json_t *o, struct provider *p)
{
	const json_t *list = json_object_get(o, "redirects");
	CLEANUP_BUF struct buf b = BUF_INIT(PROVIDER_TEXT_MAX);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		buf_reset(&b);
		if (p->n_redirects == PROVIDER_HOSTS_MAX ||
		    !json_is_string(v) ||
		    http_origin(str_from(json_string_value(v)), &b, NULL))
			return -1;
		p->redirects[p->n_redirects++] =
			arena_strndup(a, b.data, b.len);
	}
	return 0;
}

static int read_files(const json_t *o, struct provider *p)
{
	const json_t *list = json_object_get(o, "files");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		int which = 0;

		while (name && which < N_CREDENTIALS &&
		       strcmp(name, credential_name((enum credential)which)) !=
			       0)
			which++;
		if (!name || which == N_CREDENTIALS)
			return -1;
		p->files |= 1u << which;
	}
	return 0;
}

static int read_one(struct arena *a, const json_t *o, struct provider *p)
{
	CLEANUP_BUF struct buf origin = BUF_INIT(PROVIDER_TEXT_MAX);
	json_int_t ms = json_integer_value(json_object_get(o, "timeout_ms"));

	p->name = text(a, o, "name");
	p->address = text(a, o, "address");
	p->vault_namespace = text(a, o, "namespace");
	p->server_name = text(a, o, "tls_server_name");
	p->auth_mount = text(a, o, "auth_mount");
	p->auth_role = text(a, o, "auth_role");
	p->role_id = text(a, o, "role_id");
	p->audience = text(a, o, "audience");
	p->secret_id_wrapped =
		json_is_true(json_object_get(o, "secret_id_wrapped"));
	p->timeout_ms = (uint32_t)ms;
	if (!secret_name_valid(str_from(p->name)) || ms <= 0 ||
	    ms > TIMEOUT_MAX_MS || read_auth(o, &p->auth) ||
	    http_origin(str_from(p->address), &origin, &p->port) ||
	    read_kv(a, o, p) || read_redirects(a, o, p) || read_files(o, p))
		return -1;
	p->origin = arena_strndup(a, origin.data, origin.len);
	return p->origin ? 0 : -1;
}

int providers_read(struct str json, struct providers *ret, struct err *e)
{
	json_t *root =
		json_loadb(json.p, json.len, JSON_REJECT_DUPLICATES, NULL);
	struct providers ps = {.arena = arena_new(PROVIDER_LIST_MAX * 2)};
	size_t n = json_array_size(root);
	int bad = !json_is_array(root) || n > PROVIDERS_MAX;

	ps.items = arena_alloc(ps.arena, (n ? n : 1) * sizeof(*ps.items));
	for (; !bad && ps.n < n; ps.n++)
		bad = read_one(ps.arena, json_array_get(root, ps.n),
			       &ps.items[ps.n]);
	json_decref(root);
	if (!bad) {
		*ret = ps;
		return 0;
	}
	arena_free(ps.arena);
	return err_set(e, ERR_INVALID, "the list of providers is malformed");
}

void providers_done(struct providers *p)
{
	arena_free(p->arena);
	*p = (struct providers){.n = 0};
}

const struct provider *providers_find(const struct providers *p,
				      const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->items[i].name, name))
			return &p->items[i];
	return NULL;
}

const struct provider_mount *provider_mount_of(const struct provider *p,
					       struct str path)
{
	const struct provider_mount *best = NULL;

	for (size_t i = 0; i < p->n_mounts; i++) {
		struct str mount = str_from(p->mounts[i].mount);

		if (path.len > mount.len && str_starts(path, mount) &&
		    path.p[mount.len] == '/' &&
		    (!best || strlen(best->mount) < mount.len))
			best = &p->mounts[i];
	}
	return best;
}
