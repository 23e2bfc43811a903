/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Providers of secrets: what is true of several of their settings together, and
 * the list that goes to the keeper by way of the monitor.
 */
#include "config/values.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
	PROVIDERS_MAX = 16,
	REFUSE_LEN = 200
};

#define AT(member) offsetof(struct config_provider, member)

static const char *const auths[N_CONFIG_AUTHS] = {
	"token", "approle", "jwt", "kubernetes", "cert", "identity",
};

/* Whose they are, in the order of `auths`: ! must be there, + may, . may not. */
static const struct {
	const char *name;
	size_t at;
	char whose[N_CONFIG_AUTHS + 1];
} members[] = {
	{"token_file",     AT(token_file),     "!....."},
	{"role_id",        AT(role_id),        ".!...."},
	{"secret_id_file", AT(secret_id_file), ".+...."},
	{"jwt_file",       AT(jwt_file),       "..!+.."},
	{"auth_role",      AT(auth_role),      ".+!!+!"},
	{"audience",       AT(audience),       ".....!"},
	{"client_cert",    AT(client_cert),    "++++!+"},
	{"client_key",     AT(client_key),     "++++!+"},
};

/* Its key is the name of the file for the monitor. */
static const struct {
	const char *name;
	size_t at;
} files[] = {
	{"ca_file",        AT(ca_file)       },
	{"client_cert",    AT(client_cert)   },
	{"client_key",     AT(client_key)    },
	{"token_file",     AT(token_file)    },
	{"secret_id_file", AT(secret_id_file)},
	{"jwt_file",       AT(jwt_file)      },
};

static struct str member(const struct config_provider *p, size_t at)
{
	return *(const struct str *)(const void *)((const char *)p + at);
}

static bool has(const struct config_provider *p, size_t at)
{
	return member(p, at).len > 0;
}

/* --- checks ------------------------------------------------------------- */

static void wrong(const struct config *c, const struct config_provider *p,
		  const char *code, const char *what, const char *why,
		  struct problems *ps)
{
	char text[REFUSE_LEN];

	(void)snprintf(text, sizeof(text), "\"" STR_FMT "\": %s%s%s",
		       STR_ARG(p->name), what, *what ? " " : "", why);
	config_wrong(c, ps, "secret_providers", code, NULL, text);
}

static void check_members(const struct config *c,
			  const struct config_provider *p, struct problems *ps)
{
	char why[REFUSE_LEN / 2];

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		char rule = members[i].whose[p->auth];
		bool is = has(p, members[i].at);

		if (is ? rule != '.' : rule != '!')
			continue;
		(void)snprintf(why, sizeof(why), "%s auth: %s",
			       is ? "means nothing with" : "is wanted for",
			       auths[p->auth]);
		wrong(c, p, is ? "not-with" : "missing-key", members[i].name,
		      why, ps);
	}
	if (!p->client_cert.len != !p->client_key.len)
		wrong(c, p, "incomplete", "",
		      "client_cert and client_key go together", ps);
	if (p->secret_id_wrapped && !p->secret_id_file.len)
		wrong(c, p, "missing-key", "secret_id_file",
		      "is wanted for secret_id_wrapped", ps);
	if (p->secret_id_wrapped && !p->auth_role.len)
		wrong(c, p, "missing-key", "auth_role",
		      "is wanted for secret_id_wrapped: its secret ids are the "
		      "only ones that are taken",
		      ps);
	if (p->ca_file.len && str_starts(p->address, STR("http://")))
		wrong(c, p, "not-with", "ca_file", "means nothing with http",
		      ps);
}

static void check_kv(const struct config *c, const struct config_provider *p,
		     struct problems *ps)
{
	if (p->kv.n > 16)
		wrong(c, p, "too-many", "kv", "has more than 16 mounts", ps);
	for (size_t i = 0; i < p->kv.n; i++)
		if (value_mount(p->kv.items[i].name) ||
		    (!str_is(p->kv.items[i].value, "1") &&
		     !str_is(p->kv.items[i].value, "2")))
			wrong(c, p, "bad-value", "kv",
			      "is a map of mounts, each 1 or 2", ps);
}

void config_check_providers(const struct config *c, struct problems *ps)
{
	const struct config_provider *all = c->secret_providers.items;

	if (c->secret_providers.n > PROVIDERS_MAX)
		config_wrong(c, ps, "secret_providers", "too-many", NULL,
			     "at most 16 providers");
	for (size_t i = 0; i < c->secret_providers.n; i++) {
		for (size_t k = 0; k < i; k++)
			if (str_eq(all[i].name, all[k].name))
				wrong(c, &all[i], "twice", "",
				      "two providers have one name", ps);
		check_members(c, &all[i], ps);
		check_kv(c, &all[i], ps);
	}
}

/* --- the list ----------------------------------------------------------- */

static const char service_account[] =
	"/var/run/secrets/kubernetes.io/serviceaccount/token";

static struct str file_of(const struct config_provider *p, size_t i)
{
	struct str path = member(p, files[i].at);

	if (!path.len && p->auth == CONFIG_AUTH_KUBERNETES &&
	    files[i].at == AT(jwt_file))
		return STR(service_account);
	return path;
}

static void put_text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_puts(b, "\",");
}

static void put_kv(struct buf *b, const struct config_pairs *kv)
{
	buf_puts(b, "\"kv\":{");
	for (size_t i = 0; i < kv->n; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, kv->items[i].name);
		buf_printf(b, "\":" STR_FMT, STR_ARG(kv->items[i].value));
	}
	buf_puts(b, "},");
}

static void put_provider(struct buf *b, const struct config_provider *p)
{
	const char *sep = "";

	buf_putc(b, '{');
	put_text(b, "name", p->name);
	put_text(b, "address", p->address);
	put_text(b, "namespace", p->vault_namespace);
	put_text(b, "tls_server_name", p->tls_server_name);
	put_text(b, "auth", str_from(auths[p->auth]));
	put_text(b, "auth_mount",
		 p->auth_mount.len               ? p->auth_mount :
		 p->auth == CONFIG_AUTH_IDENTITY ? STR("jwt") :
						   str_from(auths[p->auth]));
	put_text(b, "auth_role", p->auth_role);
	put_text(b, "audience", p->audience);
	put_text(b, "role_id", p->role_id);
	put_kv(b, &p->kv);
	buf_printf(b, "\"secret_id_wrapped\":%s,\"timeout_ms\":%" PRId64,
		   p->secret_id_wrapped ? "true" : "false",
		   p->timeout_us / 1000);
	buf_puts(b, ",\"redirects\":[");
	for (size_t i = 0; i < p->redirects.n; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, p->redirects.items[i]);
		buf_putc(b, '"');
	}
	buf_puts(b, "],\"files\":[");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!file_of(p, i).len)
			continue;
		buf_printf(b, "%s\"%s\"", sep, files[i].name);
		sep = ",";
	}
	buf_puts(b, "]}");
}

static void put_files(struct buf *b, const struct config_provider *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct str path = file_of(p, i);

		if (path.len)
			buf_printf(b, "%zu %s %zu\n" STR_FMT "\n", n,
				   files[i].name, path.len, STR_ARG(path));
	}
}

bool config_providers(const struct config *c, struct buf *b)
{
	const struct config_provider *all = c->secret_providers.items;
	CLEANUP_BUF struct buf list = BUF_INIT(b->max);
	size_t n = c->secret_providers.n;

	if (!n)
		return true;
	buf_putc(&list, '[');
	for (size_t i = 0; i < n; i++) {
		buf_puts(&list, i ? "," : "");
		put_provider(&list, &all[i]);
	}
	buf_putc(&list, ']');
	buf_printf(b, "list %zu\n", list.len);
	buf_str(b, buf_view(&list));
	buf_putc(b, '\n');
	for (size_t i = 0; i < n; i++)
		put_files(b, &all[i], i);
	return !b->failed && !list.failed;
}
