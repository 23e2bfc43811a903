/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See vault_env.h.  The variables are put together as settings, so that they
 * are checked as these are. */
#include "cli/vault_env.h"

#include "base/fd.h"
#include "base/mem.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TEXT_MAX = 64 * 1024,
	TOKEN_MAX = 8192,
};

static const struct {
	const char *name, *key;
	bool path;
} variables[] = {
	{"ADDR",            "address",         false},
	{"NAMESPACE",       "namespace",       false},
	{"CACERT",          "ca_file",         true },
	{"CLIENT_CERT",     "client_cert",     true },
	{"CLIENT_KEY",      "client_key",      true },
	{"TLS_SERVER_NAME", "tls_server_name", false},
};

static const char *const prefixes[] = {"BAO_", "VAULT_"};

/* BAO_ goes first; what is empty is not there.  Its whole name in full. */
static char *get(const char *name, char full[40])
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		char *v;

		(void)snprintf(full, 40, "%s%s", prefixes[i], name);
		v = getenv(full);
		if (v && *v)
			return v;
	}
	return NULL;
}

/* --- the token ----------------------------------------------------------- */

/* What others see of our environment is the memory itself. */
static void forget_tokens(void)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		char name[40];
		char *v;

		(void)snprintf(name, sizeof(name), "%sTOKEN", prefixes[i]);
		v = getenv(name);
		if (v)
			mem_wipe(v, strlen(v));
		unsetenv(name);
	}
}

static int inherited(int fd, struct err *e)
{
	return fcntl(fd, F_SETFD, 0) ? err_sys(e, errno, "fcntl") : 0;
}

/* -1 in *ret: there is none. */
static int take_token(int *ret, struct err *e)
{
	char name[40];
	char *v = get("TOKEN", name);
	int bad = 0;

	*ret = -1;
	if (v && strlen(v) > TOKEN_MAX) {
		bad = err_set(e, ERR_INVALID, "%s: over %d bytes", name,
			      TOKEN_MAX);
	} else if (v) {
		*ret = fd_memfd_sealed("vault-token", str_from(v), e);
		bad = *ret < 0 || inherited(*ret, e) ? -1 : 0;
	}
	forget_tokens();
	return bad;
}

/* --- the rest ------------------------------------------------------------ */

/* As Go's strconv.ParseBool says no; anything else is a yes. */
static int check_verify(struct err *e)
{
	static const char *const no[] = {"0",     "f",     "F",
					 "false", "False", "FALSE"};
	char name[40];
	const char *v = get("SKIP_VERIFY", name);

	for (size_t i = 0; v && i < ARRAY_LEN(no); i++)
		if (!strcmp(v, no[i]))
			v = NULL;
	if (!v)
		return 0;
	return err_set(e, ERR_INVALID,
		       "%s is not followed: whoever stands between would have "
		       "the token and every secret. Name who signed the "
		       "server's certificate in BAO_CACERT, and take %s away",
		       name, name);
}

static void put(struct buf *b, const char *key, struct str value)
{
	buf_printf(b, "%s\"%s\":\"", b->data[b->len - 1] == '{' ? "" : ",",
		   key);
	buf_json(b, value);
	buf_putc(b, '"');
}

static void put_variable(struct buf *b, size_t i)
{
	char name[40], here[PATH_MAX];
	const char *v = get(variables[i].name, name);
	CLEANUP_BUF struct buf path = BUF_INIT(2 * PATH_MAX);
	struct str s;

	if (!v)
		return;
	s = str_from(v);
	if (variables[i].path && *v != '/' && getcwd(here, sizeof(here))) {
		buf_printf(&path, "%s/%s", here, v);
		s = buf_view(&path);
	}
	while (!variables[i].path && s.len && s.p[s.len - 1] == '/')
		s.len--;
	put(b, variables[i].key, s);
}

static bool has(const char *name)
{
	char full[40];

	return get(name, full) != NULL;
}

static int as_settings(int token, struct buf *b, struct err *e)
{
	char file[32];

	if (token < 0 && !(has("CLIENT_CERT") && has("CLIENT_KEY")))
		return err_set(e, ERR_INVALID,
			       "BAO_ADDR (or VAULT_ADDR) is set, but neither "
			       "BAO_TOKEN nor BAO_CLIENT_CERT with "
			       "BAO_CLIENT_KEY: there is no way to log in");
	buf_puts(b, "{\"secret_providers\":[{");
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		put_variable(b, i);
	put(b, "auth", token < 0 ? STR("cert") : STR("token"));
	if (token >= 0) {
		(void)snprintf(file, sizeof(file), "/dev/fd/%d", token);
		put(b, "token_file", str_from(file));
	}
	buf_puts(b, "}]}");
	return b->failed ? err_set(e, ERR_INVALID, "BAO_ADDR: too long") : 0;
}

/* The setting as the variable that it was. */
static int wrong(const struct problems *ps, struct err *e)
{
	return err_set(e, ERR_INVALID, "of BAO_* or VAULT_*: %s",
		       ps->n ? ps->items[0].message : "it is wrong");
}

static int make_list(int token, int *ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	CLEANUP_BUF struct buf list = BUF_INIT(TEXT_MAX);
	struct config *c;
	int bad;

	if (check_verify(e) || as_settings(token, &text, e))
		return -1;
	c = config_new();
	bad = config_read(c, buf_view(&text), DOC_JSON, ps) ||
			      config_check(c, ps) ||
			      !config_providers(c, &list) ?
		      wrong(ps, e) :
		      0;
	config_free(c);
	if (bad)
		return -1;
	*ret = fd_memfd_sealed("providers", buf_view(&list), e);
	return *ret < 0 || inherited(*ret, e) ? -1 : 0;
}

int vault_env_take(struct vault_env *ret, struct err *e)
{
	struct vault_env v = {-1, -1};

	if (take_token(&v.token, e) ||
	    (has("ADDR") && make_list(v.token, &v.list, e))) {
		vault_env_done(&v);
		return -1;
	}
	if (v.list < 0)
		fd_close(&v.token);
	*ret = v;
	return 0;
}

void vault_env_done(struct vault_env *v)
{
	fd_close(&v->list);
	fd_close(&v->token);
}
