/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The steps of a check, one after the other; its words are check_text.c's. */
#include "vault/check.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vault/internal.h"
#include "vault/kv.h"
#include "vault/login.h"
#include "vault/token.h"

#include <string.h>

/* Whatever it is, the check says so instead of its status. */
#define HEALTH                                                                 \
	"v1/sys/health?standbyok=true&perfstandbyok=true&sealedcode=200"       \
	"&uninitcode=200&drsecondarycode=200"

enum {
	STEP_US = 10 * 1000000,
};

struct check {
	struct place *p;
	check_fn *fn;
	void *ctx;
	struct check_report report;
	char *lines; /* what paths point into */
	struct check_path paths[CHECK_PATHS_MAX];
	size_t n_paths, at; /* at: whose mount is looked for */
	struct call *call;
	struct token_wait *wait;
	struct token *token;
};

static void look_for_mounts(struct check *c);

static void check_free(struct check *c)
{
	if (c->token)
		token_put(c->token);
	buf_done(&c->report.b);
	mem_free(c->lines);
	mem_free(c);
}

void check_cancel(struct check *c)
{
	if (!c)
		return;
	call_cancel(c->call);
	token_wait_cancel(c->wait);
	check_free(c);
}

static void finish(struct check *c)
{
	check_end(&c->report);
	c->fn(c->ctx, buf_view(&c->report.b));
	check_free(c);
}

static call_fn on_health;

static void ask(struct check *c, const char *method, const char *path,
		struct str body, call_fn *fn)
{
	struct call_request r = {.method = method,
				 .path = path,
				 .body = body,
				 .kind = RETRY_READ,
				 .always = true,
				 .of_server = fn == on_health,
				 .deadline_us = clock_mono_us() + STEP_US};

	if (c->token)
		r.token = token_secret(c->token);
	c->call = call_start(c->p, &r, fn, c);
}

/* --- what jobs want ------------------------------------------------------ */

static void on_capabilities(void *ctx, struct vault_answer *a,
			    const struct err *why)
{
	struct check *c = ctx;

	c->call = NULL;
	if (why)
		check_step(&c->report, "paths", CHECK_FAILED,
			   "The policy `default` lets every login ask for its "
			   "capabilities; give it that.",
			   "%s", why->text);
	else
		check_capabilities(&c->report, a, c->paths, c->n_paths);
	finish(c);
}

static void look_for_capabilities(struct check *c)
{
	CLEANUP_BUF struct buf b = BUF_INIT(CHECK_TEXT_MAX);

	if (check_capabilities_body(&b, c->paths, c->n_paths)) {
		ask(c, "POST", "v1/sys/capabilities-self", buf_view(&b),
		    on_capabilities);
		return;
	}
	if (!c->n_paths)
		check_step(&c->report, "paths", CHECK_SKIPPED, "",
			   "no stored job has a secret of this provider");
	for (size_t i = 0; i < c->n_paths; i++)
		check_capabilities(&c->report, NULL, &c->paths[i], 1);
	finish(c);
}

static void on_mount(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct check *c = ctx;
	struct check_path *p = &c->paths[c->at];
	char mount[SECRET_REF_PATH_MAX + 1] = "";
	uint8_t version = 0;
	struct err e;

	c->call = NULL;
	/* where it may not be seen it may not be read either */
	if (!why && kv_mount_read(a, p->path, mount, &version, &e))
		version = 0;
	check_path_policy(p, str_from(mount), version);
	c->at++;
	look_for_mounts(c);
}

/* One after the other, those that the settings do not know. */
static void look_for_mounts(struct check *c)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);

	for (; c->at < c->n_paths; c->at++) {
		struct check_path *p = &c->paths[c->at];
		const struct provider_mount *m =
			provider_mount_of(c->p->p, p->path);

		if (!str_is(p->kind, "kv"))
			check_path_policy(p, STR(""), 0);
		else if (m)
			check_path_policy(p, str_from(m->mount), m->version);
		else if (!kv_mount_path(p->path, &b))
			break;
	}
	if (c->at < c->n_paths)
		ask(c, "GET", buf_cstr(&b), (struct str){NULL, 0}, on_mount);
	else
		look_for_capabilities(c);
}

/* --- who we are there ---------------------------------------------------- */

static void on_lookup(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct check *c = ctx;

	c->call = NULL;
	if (why)
		check_step(&c->report, "token", CHECK_FAILED,
			   "The policy `default` lets every token look itself "
			   "up; give it that.",
			   "%s", why->text);
	else
		check_token(&c->report, a);
	look_for_mounts(c);
}

static const char *const hints[N_AUTHS] = {
	[AUTH_TOKEN] = "token_file: one word, a token that lives, in a file "
		       "that only its owner may read (root or the server's "
		       "user).",
	[AUTH_APPROLE] = "Is role_id that of the role, and the secret id one "
			 "that is neither old nor used up? Is auth_mount "
			 "where AppRole is enabled?",
	[AUTH_JWT] = "Do bound_audiences and bound_claims of the role fit the "
		     "JWT, and is it fresh?",
	[AUTH_KUBERNETES] = "Is the service account bound to the role, and may "
			    "the server ask Kubernetes about it?",
	[AUTH_CERT] = "Is the certificate, or who signed it, a certificate of "
		      "the role's?",
	[AUTH_IDENTITY] = "",
};

static void on_token(void *ctx, struct token *t, const struct err *why)
{
	struct check *c = ctx;

	c->wait = NULL;
	if (why) {
		check_step(&c->report, "login", CHECK_FAILED,
			   hints[c->p->p->auth], "%s", why->text);
		finish(c);
		return;
	}
	c->token = t;
	check_step(&c->report, "login", CHECK_OK, "", "by %s at auth/%s",
		   provider_auth_name(c->p->p->auth), c->p->p->auth_mount);
	ask(c, "GET", "v1/auth/token/lookup-self", (struct str){NULL, 0},
	    on_lookup);
}

static void log_in(struct check *c)
{
	if (login_methods[c->p->p->auth].identity) {
		check_step(&c->report, "login", CHECK_SKIPPED, "",
			   "each attempt logs in with an identity of its own, "
			   "and the server with none");
		finish(c);
		return;
	}
	c->wait = token_get(c->p, NULL, clock_mono_us() + STEP_US, on_token, c);
}

/* --- is it there --------------------------------------------------------- */

/* What a newcomer gets wrong first, by a word of what went wrong. */
static const struct {
	const char *word, *hint;
} address_hints[] = {
	{"wrong version number",
	 "Nobody speaks TLS there: is it http://, or another port?"},
	{"CA certificate",
	 "ca_file: certificates in PEM of who signed the server's."},
	{"it is not there",
	 "Files that the settings name have to be there, and the server's "
	 "user has to read them."				  },
	{"not one of Vault's",
	 "address is only its beginning, https://HOST:8200: "
	 "no /ui, no /v1; and no proxy's page."                    },
	{"ertificate",           "Does ca_file hold who signed the server's certificate, "
		       "and is the name in it that of the address, or of "
		       "tls_server_name?"    },
	{"",
	 "Is the address right, does it listen, is the way open? For TLS: does "
	 "ca_file hold who signed its certificate, and is the name in it that "
	 "of the address, or of tls_server_name?"                  },
};

static const char *address_hint(const char *why)
{
	size_t i = 0;

	while (!strstr(why, address_hints[i].word))
		i++;
	return address_hints[i].hint;
}

static void on_health(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct check *c = ctx;
	bool secure = !strncmp(c->p->p->address, "https:", 6);

	c->call = NULL;
	if (why && !a) {
		check_step(&c->report, "address", CHECK_FAILED,
			   address_hint(why->text), "%s: %s", c->p->p->address,
			   why->text);
		finish(c);
		return;
	}
	check_step(&c->report, "address", CHECK_OK, "", "%s answers",
		   c->p->p->address);
	check_step(&c->report, "tls", secure ? CHECK_OK : CHECK_SKIPPED,
		   secure ? "" : "Tokens and secrets pass in the clear.", "%s",
		   secure ? "its certificate is trusted" : "there is none");
	if (why)
		check_step(&c->report, "health", CHECK_FAILED,
			   "Is address only its beginning, https://HOST:8200, "
			   "without /v1, and no proxy before it?",
			   "%s", why->text);
	if (why || !check_health(&c->report, a))
		finish(c);
	else
		log_in(c);
}

struct check *check_start(struct vault *v, const char *provider,
			  struct str paths, check_fn *fn, void *ctx)
{
	struct place *p = vault_place(v, provider);
	struct check *c;
	struct str rest;

	if (!p)
		return NULL;
	c = mem_alloc(sizeof(*c));

	c->p = p;
	c->fn = fn;
	c->ctx = ctx;
	c->lines = mem_strndup(paths.p, paths.len);
	rest = str_n(c->lines, paths.len);
	while (rest.len && c->n_paths < CHECK_PATHS_MAX)
		if (!check_path_read(str_cut(&rest, '\n'),
				     &c->paths[c->n_paths]))
			c->n_paths++;
	check_begin(&c->report, p->p->name);
	ask(c, "GET", HEALTH, (struct str){NULL, 0}, on_health);
	return c;
}
