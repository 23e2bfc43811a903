/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How each method logs in, as one table, and what its answers mean. */
#include "vault/login.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 6 * CREDENTIAL_MAX + 4096, /* all of it escaped */
	TEXT_MAX = 64 * 1024,                 /* bytes of a credential */
	JWT_MAX = 16 * 1024,
};

/* --- what a credential looks like ---------------------------------------- */

static struct str text_of(const struct secret *s)
{
	struct secret_view v = secret_bytes(s);

	return str_n((const char *)v.bytes, v.n_bytes);
}

/* Words of printable ASCII; anything else in its place is a mistake, and what
 * is sent should not be somebody's whole file. */
static bool is_word(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len && s.len <= max;
}

static bool is_jwt(struct str s)
{
	size_t dots = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.')
			dots++;
		else if (!memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
				 "tuvwxyz0123456789-_",
				 s.p[i], 64))
			return false;
	}
	return dots == 2 && s.len <= JWT_MAX && s.p[0] != '.';
}

int login_check_word(const struct secret *s, const char *what, struct err *e)
{
	if (s && is_word(text_of(s), TEXT_MAX))
		return 0;
	return err_set(e, ERR_INVALID,
		       "that is no %s: it is one word of printable ASCII, "
		       "and nothing else is in the file",
		       what);
}

/* --- requests ------------------------------------------------------------ */

/* No copy of it is left behind by growing. */
static void begin(struct login_request *r, size_t secret_len,
		  enum retry_kind kind)
{
	*r = (struct login_request){.path = BUF_INIT(4096),
				    .body = BUF_INIT(BODY_MAX),
				    .kind = kind};
	(void)buf_room(&r->body, 2 * secret_len + 2048);
}

static void member(struct buf *b, const char *key, struct str value)
{
	buf_printf(b, "%c\"%s\":\"", b->len ? ',' : '{', key);
	buf_json(b, value);
	buf_putc(b, '"');
}

static void may_member(struct buf *b, const char *key, const char *value)
{
	if (*value)
		member(b, key, str_from(value));
}

static int finish(const struct provider *p, struct login_request *r,
		  struct err *e)
{
	if (!r->body.len)
		buf_putc(&r->body, '{');
	buf_putc(&r->body, '}');
	buf_puts(&r->path, "v1/auth/");
	buf_puts(&r->path, p->auth_mount);
	buf_puts(&r->path, "/login");
	if (!r->path.failed && !r->body.failed)
		return 0;
	login_request_done(r);
	return err_set(e, ERR_LIMIT, "the login of %s is too long", p->name);
}

void login_request_done(struct login_request *r)
{
	buf_wipe(&r->body);
	buf_done(&r->path);
}

static int approle(const struct provider *p, const struct login_material *m,
		   struct login_request *ret, struct err *e)
{
	const struct secret *id = m->files[CREDENTIAL_SECRET_ID];

	if (id && login_check_word(id, "secret id", e))
		return -1;
	begin(ret, id ? text_of(id).len : 0, RETRY_MAKES);
	member(&ret->body, "role_id", str_from(p->role_id));
	if (id)
		member(&ret->body, "secret_id", text_of(id));
	return finish(p, ret, e);
}

static int with_jwt(const struct provider *p, const struct secret *jwt,
		    struct login_request *ret, struct err *e)
{
	if (!jwt || !is_jwt(text_of(jwt)))
		return err_set(e, ERR_INVALID,
			       "that is no JWT: three parts of base64url with "
			       "dots between, and nothing else in the file");
	begin(ret, text_of(jwt).len, RETRY_MAKES);
	may_member(&ret->body, "role", p->auth_role);
	member(&ret->body, "jwt", text_of(jwt));
	return finish(p, ret, e);
}

static int jwt(const struct provider *p, const struct login_material *m,
	       struct login_request *ret, struct err *e)
{
	return with_jwt(p, m->files[CREDENTIAL_JWT], ret, e);
}

static int identity(const struct provider *p, const struct login_material *m,
		    struct login_request *ret, struct err *e)
{
	return with_jwt(p, m->identity, ret, e);
}

/* The certificate is in the TLS handshake. */
static int cert(const struct provider *p, const struct login_material *m,
		struct login_request *ret, struct err *e)
{
	(void)m;
	begin(ret, 0, RETRY_MAKES);
	may_member(&ret->body, "name", p->auth_role);
	return finish(p, ret, e);
}

#define BIT(c) (1u << (c))

const struct login_method login_methods[N_AUTHS] = {
	[AUTH_TOKEN] = {.needs = BIT(CREDENTIAL_TOKEN)},
	[AUTH_APPROLE] = {                .may = BIT(CREDENTIAL_SECRET_ID),               .make = approle},
	[AUTH_JWT] = {                .needs = BIT(CREDENTIAL_JWT),                   .make = jwt},
	[AUTH_KUBERNETES] = {                .needs = BIT(CREDENTIAL_JWT),                   .make = jwt},
	[AUTH_CERT] = {                .make = cert                             },
	[AUTH_IDENTITY] = { .identity = true,                              .make = identity},
};

/* --- answers ------------------------------------------------------------- */

static uint64_t not_below_zero(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

int login_read(struct vault_answer *a, struct life_news *news,
	       struct secret **ret, struct err *e)
{
	struct answer_auth *auth = a->auth;

	if (auth && auth->mfa)
		return err_set(e, ERR_DENIED,
			       "the login wants a second factor (MFA), which "
			       "no server has: free this role of it");
	if (!auth || !auth->client_token)
		return err_set(e, ERR_UNAVAILABLE,
			       "the answer to the login has no token");
	if (login_check_word(auth->client_token, "token", e))
		return err_set(e, ERR_UNAVAILABLE,
			       "the answer to the login has a token that can "
			       "be none");
	*ret = auth->client_token;
	auth->client_token = NULL;
	news->ttl_s = not_below_zero(auth->lease_duration_s);
	news->uses = not_below_zero(auth->num_uses);
	news->renewable = auth->renewable && !auth->batch;
	news->ours = !auth->batch; /* the others cannot be revoked */
	return 0;
}

int login_read_renewal(const struct vault_answer *a, struct life_news *news,
		       struct err *e)
{
	if (!a->auth)
		return err_set(e, ERR_UNAVAILABLE,
			       "the answer to the renewal has no auth in it");
	news->ttl_s = not_below_zero(a->auth->lease_duration_s);
	news->uses = not_below_zero(a->auth->num_uses);
	news->renewable = a->auth->renewable && !a->auth->batch;
	return 0;
}

static int number(const json_t *o, const char *key, uint64_t *ret,
		  struct err *e)
{
	const json_t *n = json_object_get(o, key);

	*ret = 0;
	if (!n || json_is_null(n))
		return 0;
	if (!json_is_integer(n))
		return err_set(e, ERR_UNAVAILABLE,
			       "the answer's %s is no number", key);
	*ret = not_below_zero(json_integer_value(n));
	return 0;
}

int login_read_lookup(const struct vault_answer *a, struct life_news *news,
		      struct err *e)
{
	if (!a->data)
		return err_set(e, ERR_UNAVAILABLE,
			       "the answer about the token has no data");
	if (number(a->data, "ttl", &news->ttl_s, e) ||
	    number(a->data, "num_uses", &news->uses, e))
		return -1;
	news->renewable = json_is_true(json_object_get(a->data, "renewable"));
	news->ours = false;
	return 0;
}

/* --- a secret id in a wrapping ------------------------------------------- */

int login_wrap_lookup(const struct secret *wrapping, struct buf *ret,
		      struct err *e)
{
	if (login_check_word(wrapping, "wrapping token", e))
		return -1;
	(void)buf_room(ret, 2 * text_of(wrapping).len + 64);
	member(ret, "token", text_of(wrapping));
	buf_putc(ret, '}');
	return ret->failed ? err_set(e, ERR_LIMIT, "wrapping token: too long") :
			     0;
}

/* With its namespace before it, or without: servers differ. */
static bool is_path(const struct provider *p, struct str path)
{
	struct str ns = str_from(p->vault_namespace);
	char want[2 * PROVIDER_TEXT_MAX + 64];
	size_t at = 0;

	while (ns.len && ns.p[ns.len - 1] == '/')
		ns.len--;
	if (ns.len && str_starts(path, ns) && path.len > ns.len &&
	    path.p[ns.len] == '/')
		at = ns.len + 1;
	(void)snprintf(want, sizeof(want), "auth/%s/role/%s/secret-id",
		       p->auth_mount, p->auth_role);
	return str_is(str_from_at(path, at), want);
}

int login_wrap_check(const struct provider *p, const struct vault_answer *a,
		     struct err *e)
{
	char clean[ANSWER_TEXT_MAX + 1];
	struct str path;

	if (!a->data || answer_text(a->data, "creation_path", &path, e))
		return err_set(e, ERR_UNAVAILABLE,
			       "the answer about the wrapping token has no "
			       "creation_path");
	if (is_path(p, path))
		return 0;
	answer_clean(path, NULL, clean);
	return err_set(e, ERR_DENIED,
		       "the wrapping token was made at %s, and not at "
		       "auth/%s/role/%s/secret-id: somebody else's, it was "
		       "not unwrapped",
		       clean, p->auth_mount, p->auth_role);
}

int login_unwrap_read(const struct vault_answer *a, struct secret **ret,
		      struct err *e)
{
	struct secret *id = NULL;

	if (!a->data)
		return err_set(e, ERR_UNAVAILABLE,
			       "what was unwrapped has no data");
	if (answer_secret(a->data, "secret_id", &id, e))
		return -1;
	if (login_check_word(id, "secret id", e)) {
		secret_free(id);
		return -1;
	}
	*ret = id;
	return 0;
}
