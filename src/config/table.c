/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Every setting of a server, once; see config.h. */
#include "base/log.h"
#include "config/values.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define AT(member)        .at = offsetof(struct config, member)
#define OIDC(member)      .at = offsetof(struct config_oidc, member)
#define OIDC_ROLE(member) .at = offsetof(struct config_oidc_role, member)
#define PROVIDER(member)  .at = offsetof(struct config_provider, member)
#define HELPER(member)    .at = offsetof(struct config_helper, member)
#define SECOND            INT64_C(1000000)

/* A table this wide reads better as it is. */
/* clang-format off */
const struct config_key config_keys[] = {
	{"", "state", CONFIG_TEXT, AT(state), .restart = true,
	 .option = "state", .wrong = value_path,
	 .help = "The state directory; default as of every command.",
	 .example = "/var/lib/nfo"},
	{"", "policy", CONFIG_TEXT, AT(policy), .restart = true,
	 .option = "policy", .wrong = value_path,
	 .help = "Directory of policy files; default `policies` in the state "
		 "directory. A reload reads the files anew.",
	 .example = "/etc/nfo/policies"},
	{"", "listen", CONFIG_TEXTS, AT(listen), .restart = true,
	 .option = "listen", .wrong = value_listen, .max = 8,
	 .help = "TCP addresses, each ADDRESS:PORT; loopback, for there is no "
		 "TLS.",
	 .example = "[\"127.0.0.1:7070\"]"},
	{"", "tls_listen", CONFIG_TEXTS, AT(tls_listen), .restart = true,
	 .option = "tls-listen", .wrong = value_listen, .max = 8,
	 .help = "TCP addresses with TLS, each ADDRESS:PORT.",
	 .example = "[\"0.0.0.0:7443\", \"[::]:7443\"]"},
	{"", "plain_listen_anywhere", CONFIG_BOOL, AT(plain_listen_anywhere),
	 .restart = true, .fallback = "false",
	 .help = "`listen` may be any address: tokens pass in the clear.",
	 .example = "true"},
	{"", "hosts", CONFIG_TEXTS, AT(hosts), .wrong = value_host, .max = 32,
	 .help = "Names of the server in Host, besides localhost; with TLS any "
		 "name will do.",
	 .example = "[ci.example.org]"},
	{"", "sockets", CONFIG_TEXTS, AT(sockets), .restart = true,
	 .option = "socket", .wrong = value_path, .max = 4,
	 .help = "Unix sockets; default `run/nfo.sock` in the state directory.",
	 .example = "[/run/nfo/nfo.sock]"},
	{"", "cgroups", CONFIG_CHOICE, AT(cgroups), .restart = true,
	 .option = "cgroups", .choices = "require|prefer",
	 .fallback = "require",
	 .help = "require: no limit goes unenforced; prefer: go on and say so "
		 "in each run.",
	 .example = "prefer"},
	{"", "allow_no_landlock", CONFIG_BOOL, AT(allow_no_landlock),
	 .restart = true, .option = "allow-no-landlock", .fallback = "false",
	 .help = "Go on where the kernel has no Landlock: less keeps the roles "
		 "apart.",
	 .example = "true"},
	{"", "max_attempts", CONFIG_INT, AT(max_attempts), .restart = true,
	 .fallback = "256", .min = 1, .max = 4096,
	 .help = "Attempts at once, on this machine.", .example = "64"},
	{"", "base_path", CONFIG_TEXT, AT(base_path), .fallback = "",
	 .wrong = value_base_path,
	 .help = "Where a proxy shows the API, such as /nfo: links begin with "
		 "it, and requests may.",
	 .example = "/nfo"},
	{"", "trusted_proxies", CONFIG_TEXTS, AT(trusted_proxies),
	 .wrong = value_network,
	 .help = "Whose Forwarded and X-Forwarded-* are believed: addresses, "
		 "networks, or `unix` for peers on a Unix socket.",
	 .example = "[127.0.0.1, \"10.0.0.0/8\", \"fd00::/8\", unix]"},

	{"", "tls", CONFIG_MAP, .help = "For `tls_listen` (docs/transport.md)."},
	{"tls", "cert", CONFIG_TEXT, AT(tls.cert), .restart = true,
	 .option = "tls-cert", .wrong = value_path,
	 .help = "Certificate and what leads to its root, PEM. A reload reads "
		 "the file anew.",
	 .example = "/etc/nfo/cert.pem"},
	{"tls", "key", CONFIG_TEXT, AT(tls.key), .restart = true,
	 .option = "tls-key", .wrong = value_path,
	 .help = "Its key, PEM, without a passphrase. A reload reads the file "
		 "anew.",
	 .example = "/etc/nfo/key.pem"},
	{"tls", "client_ca", CONFIG_TEXT, AT(tls.client_ca), .restart = true,
	 .option = "tls-client-ca", .wrong = value_path,
	 .help = "Who signs certificates of clients, PEM. A reload reads the "
		 "file anew.",
	 .example = "/etc/nfo/clients.pem"},
	{"tls", "client", CONFIG_CHOICE, AT(tls.client), .restart = true,
	 .option = "tls-client", .choices = "optional|required",
	 .fallback = "optional",
	 .help = "May a client come without a certificate.",
	 .example = "required"},

	{"", "log", CONFIG_MAP, .help = "What is said on standard error."},
	{"log", "format", CONFIG_CHOICE, AT(log.format), .choices = "kv|json",
	 .fallback = "kv", .help = "key=value, or JSON; a line a message.",
	 .example = "json"},
	{"log", "level", CONFIG_CHOICE, AT(log.level),
	 .choices = "error|warn|info|debug", .fallback = "info",
	 .help = "The least that is said.", .example = "warn"},
	{"log", "requests", CONFIG_BOOL, AT(log.requests),
	 .fallback = "false", .help = "A line for each HTTP request.",
	 .example = "true"},

	{"", "limits", CONFIG_MAP, .help = "How much of what at once."},
	{"limits", "connections", CONFIG_INT, AT(limits.connections),
	 .restart = true, .fallback = "4096", .min = 1, .max = 16384,
	 .help = "Connections of all clients.", .example = "2048"},
	{"limits", "connections_per_client", CONFIG_INT,
	 AT(limits.connections_per_client), .restart = true, .fallback = "0",
	 .min = 0, .max = 16384,
	 .help = "Connections from one address; 0: 256, and half of all of "
		 "loopback or of a local user.",
	 .example = "64"},

	{"", "retention", CONFIG_MAP,
	 .help = "How long what has ended is kept, where a project says nothing "
		 "else; 0: for ever."},
	{"retention", "keep_days", CONFIG_INT, AT(retention.keep_days),
	 .restart = true, .fallback = "0", .min = 0, .max = 36500,
	 .help = "Days after its end that a run goes, logs and all.",
	 .example = "180"},
	{"retention", "keep_failed_days", CONFIG_INT,
	 AT(retention.keep_failed_days), .restart = true, .fallback = "0",
	 .min = 0, .max = 36500,
	 .help = "The same for runs that did not succeed; 0: as keep_days.",
	 .example = "365"},
	{"retention", "keep_runs", CONFIG_INT, AT(retention.keep_runs),
	 .restart = true, .fallback = "0", .min = 0, .max = 1000000,
	 .help = "So many ended runs of each job; older ones go.",
	 .example = "1000"},
	{"retention", "keep_log_days", CONFIG_INT, AT(retention.keep_log_days),
	 .restart = true, .fallback = "0", .min = 0, .max = 36500,
	 .help = "Days after its end that a run's logs go; the run stays.",
	 .example = "90"},
	{"retention", "artifact_days", CONFIG_INT, AT(retention.artifact_days),
	 .restart = true, .fallback = "0", .min = 0, .max = 36500,
	 .help = "For artifacts that do not say how long (`retain`).",
	 .example = "30"},
	{"retention", "keep_last_success", CONFIG_BOOL,
	 AT(retention.keep_last_success), .restart = true, .fallback = "true",
	 .help = "The last run of a job that succeeded stays.",
	 .example = "false"},
	{"retention", "audit_days", CONFIG_INT, AT(retention.audit_days),
	 .restart = true, .fallback = "400", .min = 0, .max = 36500,
	 .help = "Days that it is kept who did what; of the server alone.",
	 .example = "1100"},

	{"", "identity", CONFIG_MAP, .help = "Tokens of attempts "
					     "(docs/identity.md)."},
	{"identity", "issuer", CONFIG_TEXT, AT(identity.issuer),
	 .restart = true, .wrong = value_issuer,
	 .help = "The `iss` of its tokens, where others reach the API; default "
		 "https:// with the first of `hosts`, the port of `tls_listen` "
		 "and base_path.",
	 .example = "https://ci.example.org"},
	{"identity", "rotate", CONFIG_DURATION, AT(identity.rotate_us),
	 .restart = true, .fallback = "30d", .min = 3600 * SECOND,
	 .max = INT64_C(366) * 86400 * SECOND,
	 .help = "How long they are signed with one key; the next one is "
		 "published all the time.",
	 .example = "7d"},

	{"", "timeouts", CONFIG_MAP, .help = "How long what may take."},
	{"timeouts", "header", CONFIG_DURATION, AT(timeouts.header_us),
	 .fallback = "30s", .min = SECOND, .max = 3600 * SECOND,
	 .restart = true,
	 .help = "A request's line and headers are there, or it is closed.",
	 .example = "10s"},
	{"timeouts", "body", CONFIG_DURATION, AT(timeouts.body_us),
	 .fallback = "30s", .min = SECOND, .max = 3600 * SECOND,
	 .restart = true,
	 .help = "A body may take so long, and after that 512 bytes a second.",
	 .example = "10s"},
	{"timeouts", "idle", CONFIG_DURATION, AT(timeouts.idle_us),
	 .fallback = "2m", .min = SECOND, .max = 3600 * SECOND,
	 .restart = true,
	 .help = "A connection on which nothing comes or goes is closed.",
	 .example = "30s"},
	{"timeouts", "stop", CONFIG_DURATION, AT(timeouts.stop_us),
	 .fallback = "10s", .min = SECOND, .max = 60 * SECOND, .restart = true,
	 .help = "At the end: for answers that are under way.",
	 .example = "30s"},

	{"", "oidc", CONFIG_MAPS, AT(oidc), .size = sizeof(struct config_oidc),
	 .help = "Whose tokens are logins: OpenID providers, CI systems."},
	{"oidc", "name", CONFIG_TEXT, OIDC(name), .required = true,
	 .wrong = value_name,
	 .help = "What it is called here: its subjects are oidc:NAME:SUBJECT.",
	 .example = "corp"},
	{"oidc", "issuer", CONFIG_TEXT, OIDC(issuer), .required = true,
	 .wrong = value_url,
	 .help = "The `iss` of its tokens, letter for letter.",
	 .example = "https://login.example.com"},
	{"oidc", "audience", CONFIG_TEXTS, OIDC(audience), .required = true,
	 .max = 8, .help = "What `aud` has to hold, one of them.",
	 .example = "[nfo]"},
	{"oidc", "jwks_uri", CONFIG_TEXT, OIDC(jwks_uri), .restart = true,
	 .wrong = value_url,
	 .help = "Where its keys are; fetched, and again when they change.",
	 .example = "https://login.example.com/jwks.json"},
	{"oidc", "jwks_file", CONFIG_TEXT, OIDC(jwks_file), .restart = true,
	 .wrong = value_path,
	 .help = "Its keys as a file, in place of jwks_uri.",
	 .example = "/etc/nfo/corp-jwks.json"},
	{"oidc", "ca_file", CONFIG_TEXT, OIDC(ca_file), .restart = true,
	 .wrong = value_path,
	 .help = "Who may have signed the certificate at jwks_uri, PEM; "
		 "default whom the system trusts.",
	 .example = "/etc/nfo/corp-ca.pem"},
	{"oidc", "algorithms", CONFIG_TEXTS, OIDC(algorithms), .max = 3,
	 .wrong = value_jwt_alg,
	 .help = "How they may be signed: ES256, RS256, EdDSA; default all of "
		 "them.",
	 .example = "[ES256]"},
	{"oidc", "skew", CONFIG_DURATION, OIDC(skew_us), .fallback = "1m",
	 .min = 0, .max = 300 * SECOND,
	 .help = "How far its clock may be from ours.", .example = "30s"},
	{"oidc", "require", CONFIG_PAIRS, OIDC(require),
	 .help = "Claims that each of its tokens has to have, else it is none: "
		 "as in `when`.",
	 .example = "{ namespace: acme }"},
	{"oidc", "subject_claim", CONFIG_TEXT, OIDC(subject_claim),
	 .fallback = "sub", .help = "The claim that is the subject.",
	 .example = "email"},
	{"oidc", "user_claim", CONFIG_TEXT, OIDC(user_claim),
	 .help = "A claim that names a user of this server; where there is "
		 "one of that name, the login is that user's. Only a claim "
		 "that nobody can choose for themselves.",
	 .example = "preferred_username"},
	{"oidc", "groups_claim", CONFIG_TEXT, OIDC(groups_claim),
	 .help = "The claim with the groups: group/oidc:NAME:GROUP among a "
		 "role's members.",
	 .example = "groups"},
	{"oidc", "roles", CONFIG_MAPS, OIDC(roles),
	 .size = sizeof(struct config_oidc_role),
	 .help = "What its tokens give, besides the roles of the API."},
	{"oidc.roles", "when", CONFIG_PAIRS, OIDC_ROLE(when), .required = true,
	 .help = "Claims, each with what it is like: * is anything without a "
		 "slash, ** anything. A name that begins with / is a JSON "
		 "pointer.",
	 .example = "{ project_path: \"acme/*\", ref_protected: \"true\" }"},
	{"oidc.roles", "role", CONFIG_CHOICE, OIDC_ROLE(role),
	 .required = true, .choices = "viewer|operator|developer|admin",
	 .help = "What the token is then.", .example = "operator"},
	{"oidc.roles", "projects", CONFIG_TEXTS, OIDC_ROLE(projects),
	 .required = true, .help = "Where; * is everywhere.",
	 .example = "[web]"},

	{"", "secret_providers", CONFIG_MAPS, AT(secret_providers),
	 .restart = true, .size = sizeof(struct config_provider),
	 .help = "Vault or OpenBao servers that jobs have secrets of."},
	{"secret_providers", "name", CONFIG_TEXT, PROVIDER(name),
	 .restart = true, .fallback = "default", .wrong = value_name,
	 .help = "What jobs call it: `provider`.", .example = "prod"},
	{"secret_providers", "address", CONFIG_TEXT, PROVIDER(address),
	 .restart = true, .required = true, .wrong = value_provider,
	 .help = "Where it is.", .example = "https://vault.example.com:8200"},
	{"secret_providers", "namespace", CONFIG_TEXT,
	 PROVIDER(vault_namespace), .restart = true, .wrong = value_mount,
	 .help = "Which namespace of it.", .example = "teams/ci"},
	{"secret_providers", "ca_file", CONFIG_TEXT, PROVIDER(ca_file),
	 .restart = true, .wrong = value_path,
	 .help = "Who may have signed its certificate, PEM; default whom the "
		 "system trusts.",
	 .example = "/etc/nfo/vault-ca.pem"},
	{"secret_providers", "client_cert", CONFIG_TEXT,
	 PROVIDER(client_cert), .restart = true, .wrong = value_path,
	 .help = "Our certificate for it, PEM.",
	 .example = "/etc/nfo/vault-client.pem"},
	{"secret_providers", "client_key", CONFIG_TEXT, PROVIDER(client_key),
	 .restart = true, .wrong = value_path,
	 .help = "Its key, PEM, without a passphrase, closed to others.",
	 .example = "/etc/nfo/vault-client.key"},
	{"secret_providers", "tls_server_name", CONFIG_TEXT,
	 PROVIDER(tls_server_name), .restart = true, .wrong = value_host,
	 .help = "The name in its certificate, where that is not the one of "
		 "the address.",
	 .example = "vault.service.consul"},
	{"secret_providers", "auth", CONFIG_CHOICE, PROVIDER(auth),
	 .restart = true, .fallback = "token",
	 .choices = "token|approle|jwt|kubernetes|cert|identity",
	 .help = "How we log in. identity: each attempt for itself, with a "
		 "token that says which it is.",
	 .example = "approle"},
	{"secret_providers", "auth_mount", CONFIG_TEXT, PROVIDER(auth_mount),
	 .restart = true, .wrong = value_mount,
	 .help = "Where the method is mounted, below auth/; default its name, "
		 "jwt for identity.",
	 .example = "ci-approle"},
	{"secret_providers", "auth_role", CONFIG_TEXT, PROVIDER(auth_role),
	 .restart = true,
	 .help = "The role to log in as; of approle, with secret_id_wrapped: "
		 "the role whose secret ids are taken.",
	 .example = "nfo"},
	{"secret_providers", "audience", CONFIG_TEXT, PROVIDER(audience),
	 .restart = true,
	 .help = "Of identity: for whom our tokens are, the `bound_audiences` "
		 "of the role.",
	 .example = "https://vault.example.com"},
	{"secret_providers", "role_id", CONFIG_TEXT, PROVIDER(role_id),
	 .restart = true, .help = "Of approle.",
	 .example = "59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8"},
	{"secret_providers", "token_file", CONFIG_TEXT, PROVIDER(token_file),
	 .restart = true, .wrong = value_path,
	 .help = "Of token: a file with it, closed to others. Read again when "
		 "the token is refused.",
	 .example = "/etc/nfo/vault-token"},
	{"secret_providers", "secret_id_file", CONFIG_TEXT,
	 PROVIDER(secret_id_file), .restart = true, .wrong = value_path,
	 .help = "Of approle: a file with the secret id, closed to others. "
		 "Read at each login.",
	 .example = "/etc/nfo/vault-secret-id"},
	{"secret_providers", "secret_id_wrapped", CONFIG_BOOL,
	 PROVIDER(secret_id_wrapped), .restart = true, .fallback = "false",
	 .help = "The file has a wrapping token in place of it: it is opened "
		 "once, and only if it was made where secret ids of auth_role "
		 "are made.",
	 .example = "true"},
	{"secret_providers", "jwt_file", CONFIG_TEXT, PROVIDER(jwt_file),
	 .restart = true, .wrong = value_path,
	 .help = "Of jwt and kubernetes: a file with it; default of kubernetes "
		 "the one of its service account. Read at each login.",
	 .example = "/run/nfo/vault.jwt"},
	{"secret_providers", "kv", CONFIG_PAIRS, PROVIDER(kv),
	 .restart = true,
	 .help = "Mounts of KV engines, each with its version, 1 or 2; of "
		 "others it is asked.",
	 .example = "{ secret: \"2\", old: \"1\" }"},
	{"secret_providers", "redirects", CONFIG_TEXTS, PROVIDER(redirects),
	 .restart = true, .max = 4, .wrong = value_provider,
	 .help = "Where it may send us besides its own address: the nodes of a "
		 "cluster.",
	 .example = "[\"https://vault-2.example.com:8200\"]"},
	{"secret_providers", "timeout", CONFIG_DURATION, PROVIDER(timeout_us),
	 .restart = true, .fallback = "30s", .min = SECOND,
	 .max = 300 * SECOND,
	 .help = "Within which it answers a request, all tries together.",
	 .example = "10s"},

	{"", "secret_export_to", CONFIG_TEXTS, AT(secret_export_to),
	 .restart = true, .max = 8, .wrong = value_recipient,
	 .help = "Recipients of age whom an export may be sealed to, besides "
		 "the server's own: without them no secret leaves it.",
	 .example = "[age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmc"
		    "ac8p]"},
	{"", "secret_helpers", CONFIG_MAPS, AT(secret_helpers),
	 .restart = true, .size = sizeof(struct config_helper),
	 .help = "Programs that give secrets: `exec` of a job. They run in a "
		 "sandbox."},
	{"secret_helpers", "name", CONFIG_TEXT, HELPER(name), .restart = true,
	 .required = true, .wrong = value_name, .help = "What jobs call it.",
	 .example = "pass"},
	{"secret_helpers", "argv", CONFIG_TEXTS, HELPER(argv), .restart = true,
	 .required = true, .max = 32,
	 .help = "The program and its arguments. Below /usr it is executed "
		 "where it is; any other is a script (#!) that is copied in, "
		 "closed to changes by others.",
	 .example = "[/etc/nfo/helpers/pass, --show]"},
	{"secret_helpers", "network", CONFIG_CHOICE, HELPER(network),
	 .restart = true, .fallback = "none", .choices = "none|host",
	 .help = "Whether it may use the machine's network.",
	 .example = "host"},
	{"secret_helpers", "timeout", CONFIG_DURATION, HELPER(timeout_us),
	 .restart = true, .fallback = "30s", .min = SECOND,
	 .max = 300 * SECOND, .help = "Within which it ends; else it is killed.",
	 .example = "10s"},
};
/* clang-format on */
const size_t config_n_keys = ARRAY_LEN(config_keys);

_Static_assert(ARRAY_LEN(config_keys) <= CONFIG_KEYS_MAX, "too many rows");
_Static_assert(LOG_LEVEL_DEBUG == 3, "log.level is in the order of log.h");

void config_key_path(const struct config_key *k, char out[80])
{
	(void)snprintf(out, 80, "%s%s%s", k->where, *k->where ? "." : "",
		       k->name);
}

const struct config_key *config_key_find(struct str path)
{
	char one[80];

	for (size_t i = 0; i < config_n_keys; i++) {
		config_key_path(&config_keys[i], one);
		if (str_is(path, one))
			return &config_keys[i];
	}
	return NULL;
}

bool config_issuer(const struct config *c, struct buf *b)
{
	struct str at = c->tls_listen.n ? c->tls_listen.items[0] : STR("");
	const char *colon = at.len ? memrchr(at.p, ':', at.len) : NULL;

	if (c->identity.issuer.len)
		return buf_str(b, c->identity.issuer);
	buf_puts(b, "https://");
	buf_str(b, c->hosts.n ? c->hosts.items[0] : STR("localhost"));
	if (colon && strcmp(colon, ":443") != 0)
		buf_puts(b, colon);
	return buf_str(b, c->base_path);
}

bool config_key_is_told(const struct config_key *k)
{
	const struct config_key *of = config_key_find(str_from(k->where));

	return k->form != CONFIG_MAP &&
	       (!*k->where || !of || of->form != CONFIG_MAPS);
}
