/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `nfo serve`: the same program as the private server, meant to stay.  Its
 * settings are checked here, before anything starts; the monitor gets as
 * options what it needs, and the file and our options to hand on.
 */
#include "base/fd.h"
#include "cli/connect.h"
#include "cli/vault_env.h"
#include "cli/verbs.h"
#include "sandbox/delegate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ARGS_MAX = 2 * OPT_LIST_MAX + 64
};

/* What the monitor is started with. */
struct start {
	const char *args[ARGS_MAX];
	size_t n;
};

static void add(struct start *s, const char *name, const char *value)
{
	assert(s->n + 3 < ARGS_MAX);
	s->args[s->n++] = name;
	if (value)
		s->args[s->n++] = value;
}

static void add_all(struct start *s, const char *name,
		    const struct config_texts *l)
{
	for (size_t i = 0; i < l->n; i++)
		add(s, name, l->items[i].p);
}

static void add_text(struct start *s, const char *name, struct str value)
{
	if (value.len)
		add(s, name, value.p);
}

/* --- options as settings ------------------------------------------------ */

/* "KEY=VALUE"; lives as long as we do. */
static void set(struct opt_list *settings, const char *key, const char *value)
{
	char *text;

	if (!value || settings->n == OPT_LIST_MAX)
		return;
	if (asprintf(&text, "%s=%s", key, value) < 0)
		abort();
	settings->items[settings->n++] = text;
}

/* Paths on the command line are relative to where we are; NULL stays NULL. */
static char *absolute(const char *path)
{
	char here[PATH_MAX], *text;

	if (!path)
		return NULL;
	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		here[0] = '\0';
	if (asprintf(&text, "%s%s%s", here, here[0] ? "/" : "", path) < 0)
		abort();
	return text;
}

static void set_path(struct opt_list *settings, const char *key,
		     const char *value)
{
	char *text = absolute(value);

	set(settings, key, text);
	free(text);
}

/* --- starting ----------------------------------------------------------- */

/* The file's word on the state counts for all that looks for it. */
static int state_of(const struct config *c, struct buf *state, struct err *e)
{
	if (c->state.len)
		globals.state = c->state.p;
	return connect_state_dir(state, e);
}

/* What the monitor reads for the server. */
static void add_providers(struct start *s, const struct config *c)
{
	const struct config_oidc *p = c->oidc.items;

	for (size_t i = 0; i < c->oidc.n; i++)
		if (p[i].jwks_file.len)
			add(s, "--attach", p[i].jwks_file.p);
	for (size_t i = 0; i < c->oidc.n; i++) {
		if (!p[i].jwks_uri.len)
			continue;
		add(s, "--fetch", p[i].jwks_uri.p);
		add(s, "--fetch-ca", p[i].ca_file.p);
	}
}

/* As settings name them, for the keeper; -1: they name none. */
static int list_of(const struct config *c, int *ret, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

	*ret = -1;
	if (!config_providers(c, &b))
		return err_set(e, ERR_LIMIT, "secret_providers: too much");
	if (!b.len)
		return 0;
	*ret = fd_memfd_sealed("providers", buf_view(&b), e);
	if (*ret < 0)
		return -1;
	return fcntl(*ret, F_SETFD, 0) ? err_sys(e, errno, "fcntl") : 0;
}

/* Helpers stand behind the providers, wherever those are from. */
static int add_helpers(const struct config *c, int *list, struct err *e)
{
	struct buf b = BUF_INIT(1 << 20);
	int fd = -1;

	if (!c->secret_helpers.n)
		return 0;
	if (*list >= 0 && fd_memfd_read(*list, &b, e))
		return -1;
	if (!config_helpers(c, &b))
		err_set(e, ERR_LIMIT, "secret_helpers: too much");
	else
		fd = fd_memfd_sealed("providers", buf_view(&b), e);
	buf_wipe(&b);
	if (fd < 0)
		return -1;
	fd_close(list);
	*list = fd;
	return fcntl(fd, F_SETFD, 0) ? err_sys(e, errno, "fcntl") : 0;
}

/* In memory: not everybody is to read our arguments.  Our environment counts
 * where the settings say nothing, and has no token any more afterwards. */
static int add_secret_providers(struct start *s, const struct config *c,
				struct err *e)
{
	struct vault_env env = {-1, -1};
	bool bad = vault_env_take(&env, e);
	static char number[16];
	int list;

	if (list_of(c, &list, e))
		return -1;
	if (list < 0 && bad)
		return -1;
	if (list >= 0)
		vault_env_done(&env);
	else
		list = env.list;
	if (add_helpers(c, &list, e))
		return -1;
	if (list < 0)
		return 0;
	(void)snprintf(number, sizeof(number), "%d", list);
	add(s, "--secret-providers", number);
	return 0;
}

static int start(const struct config *c, const char *file,
		 const struct opt_list *settings, struct err *e)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	static struct start s;
	CLEANUP_BUF struct buf state = BUF_INIT(PATH_MAX);
	CLEANUP_BUF struct buf program = BUF_INIT(PATH_MAX);
	CLEANUP_BUF struct buf issuer = BUF_INIT(2048);
	char policies[PATH_MAX + 16], socket[PATH_MAX + 16], attempts[24],
		stop[24], rotate[24];

	if (state_of(c, &state, e) ||
	    connect_program("nfo-monitor", &program, e) ||
	    (!c->policy.len && connect_first_policy(buf_cstr(&state), e)))
		return -1;
	(void)snprintf(policies, sizeof(policies), "%s/policies",
		       buf_cstr(&state));
	(void)snprintf(socket, sizeof(socket), "%s/run/nfo.sock",
		       buf_cstr(&state));
	(void)snprintf(attempts, sizeof(attempts), "%lld",
		       (long long)c->max_attempts);
	(void)snprintf(stop, sizeof(stop), "%lld",
		       (long long)c->timeouts.stop_us / 1000);
	(void)snprintf(rotate, sizeof(rotate), "%lld",
		       (long long)c->identity.rotate_us / 1000000);
	add(&s, buf_cstr(&program), NULL);
	add(&s, "--state", buf_cstr(&state));
	add(&s, "--policy", c->policy.len ? c->policy.p : policies);
	add(&s, "--cgroups",
	    c->cgroups == CONFIG_CGROUPS_PREFER ? "prefer" : "require");
	add(&s, "--max-attempts", attempts);
	add(&s, "--stop-ms", stop);
	(void)config_issuer(c, &issuer);
	add(&s, "--issuer", buf_cstr(&issuer));
	add(&s, "--identity-rotate", rotate);
	add_all(&s, "--export-to", &c->secret_export_to);
	if (!c->sockets.n)
		add(&s, "--socket", socket);
	add_all(&s, "--socket", &c->sockets);
	add_all(&s, "--listen", &c->listen);
	add_all(&s, "--tls-listen", &c->tls_listen);
	add_text(&s, "--tls-cert", c->tls.cert);
	add_text(&s, "--tls-key", c->tls.key);
	add_text(&s, "--tls-client-ca", c->tls.client_ca);
	if (c->plain_listen_anywhere)
		add(&s, "--plain-listen-anywhere", NULL);
	add(&s, "--log-format",
	    c->log.format == CONFIG_LOG_JSON ? "json" : "kv");
	add(&s, "--log-level", levels[c->log.level]);
	if (c->allow_no_landlock)
		add(&s, "--allow-no-landlock", NULL);
	if (file)
		add(&s, "--config", file);
	add_providers(&s, c);
	if (add_secret_providers(&s, c, e))
		return -1;
	for (size_t i = 0; i < settings->n; i++)
		add(&s, "--set", settings->items[i]);
	sandbox_delegate_exec((char *const *)(uintptr_t)s.args);
	execv(s.args[0], (char *const *)(uintptr_t)s.args);
	return err_set(e, ERR_INTERNAL, "%s could not be started", s.args[0]);
}

int verb_serve(int argc, char **argv, const struct verb *v)
{
	static struct opt_list settings, listens, tls_listens, sockets;
	const char *file = NULL, *policy = NULL, *cgroups = NULL;
	const char *cert = NULL, *key = NULL, *client_ca = NULL, *client = NULL;
	bool no_landlock = false;
	const struct opt opts[] = {
		{"config",            0, OPT_TEXT, &file,        "FILE",
		 "settings in YAML, JSON or TOML (nfo config explain)"                              },
		{"listen",            0, OPT_LIST, &listens,     "ADDR:PORT",
		 "TCP on a loopback address, with a bearer token"                                   },
		{"socket",            0, OPT_LIST, &sockets,     "PATH",
		 "a Unix socket; the peer's uid is the login"                                       },
		{"tls-listen",        0, OPT_LIST, &tls_listens, "ADDR:PORT",
		 "TCP with TLS, on any address"						     },
		{"tls-cert",          0, OPT_TEXT, &cert,        "FILE",
		 "certificate, and what leads to its root (PEM)"                                    },
		{"tls-key",           0, OPT_TEXT, &key,         "FILE",
		 "its key (PEM, no passphrase)"						     },
		{"tls-client-ca",     0, OPT_TEXT, &client_ca,   "FILE",
		 "who signs certificates of clients (PEM)"                                          },
		{"tls-client",        0, OPT_TEXT, &client,      "optional|required",
		 "may a client come without one (optional)"                                         },
		{"policy",            0, OPT_TEXT, &policy,      "DIR",               "policy files"},
		{"cgroups",           0, OPT_TEXT, &cgroups,     "require|prefer",
		 "require (default): no limit goes unenforced; prefer"                              },
		{"allow-no-landlock", 0, OPT_FLAG, &no_landlock, NULL,
		 "go on where the kernel has no Landlock: less keeps the roles apart"               },
		{"set",               0, OPT_LIST, &settings,    "KEY=VALUE",
		 "any setting, such as log.level=debug"                                             },
	};
	struct config *c;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r || n)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	set_path(&settings, "state", globals.state);
	set_path(&settings, "policy", policy);
	set(&settings, "cgroups", cgroups);
	set(&settings, "allow_no_landlock", no_landlock ? "true" : NULL);
	for (size_t i = 0; i < sockets.n; i++)
		set_path(&settings, "sockets", sockets.items[i]);
	for (size_t i = 0; i < listens.n; i++)
		set(&settings, "listen", listens.items[i]);
	for (size_t i = 0; i < tls_listens.n; i++)
		set(&settings, "tls_listen", tls_listens.items[i]);
	set_path(&settings, "tls.cert", cert);
	set_path(&settings, "tls.key", key);
	set_path(&settings, "tls.client_ca", client_ca);
	set(&settings, "tls.client", client);
	c = config_load(file, &settings);
	if (!c)
		return EXIT_USAGE;
	(void)start(c, absolute(file), &settings, &e);
	return cli_fail(&e);
}
