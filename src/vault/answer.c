/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The envelope of an answer; see answer.h. */
#include "vault/answer.h"

#include "base/mem.h"
#include "secrets/wipe.h"

#include <stdio.h>
#include <string.h>

enum {
	LEASE_MAX_S = 10 * 366 * 86400,
	FIELDS_TOP_MAX = 64, /* keys of an envelope; sys/ adds its own */
};

void answer_begin(void)
{
	json_set_alloc_funcs(wipe_budget_alloc, wipe_budget_free);
}

/* --- members ------------------------------------------------------------ */

static int wrong(const char *key, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE,
		       "the answer is not one of Vault's (\"%s\")", key);
}

int answer_text(const json_t *o, const char *key, struct str *ret,
		struct err *e)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v))
		return wrong(key, e);
	*ret = str_n(json_string_value(v), json_string_length(v));
	return 0;
}

int answer_secret(const json_t *o, const char *key, struct secret **ret,
		  struct err *e)
{
	struct str s;

	if (answer_text(o, key, &s, e))
		return -1;
	if (!s.len || s.len > ANSWER_TOKEN_MAX)
		return wrong(key, e);
	return secret_new(s.p, s.len, 0, ret, e);
}

/* A text of printable ASCII; "" where there is none, or null. */
static int get_id(const json_t *o, const char *key, char *out, size_t max,
		  struct err *e)
{
	const json_t *v = json_object_get(o, key);
	size_t len = json_string_length(v);
	const char *s = json_string_value(v);

	out[0] = '\0';
	if (!v || json_is_null(v))
		return 0;
	if (!s || len > max)
		return wrong(key, e);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] > 0x7e)
			return wrong(key, e);
	memcpy(out, s, len + 1);
	return 0;
}

static int get_number(const json_t *o, const char *key, int64_t max,
		      int64_t *ret, struct err *e)
{
	const json_t *v = json_object_get(o, key);

	*ret = 0;
	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return wrong(key, e);
	*ret = json_integer_value(v) > max ? max : json_integer_value(v);
	return 0;
}

static int get_bool(const json_t *o, const char *key, bool *ret, struct err *e)
{
	const json_t *v = json_object_get(o, key);

	if (v && !json_is_null(v) && !json_is_boolean(v))
		return wrong(key, e);
	*ret = json_is_true(v);
	return 0;
}

/* An object, or nothing: null, or not there. */
static int get_object(const json_t *o, const char *key, json_t **ret,
		      struct err *e)
{
	json_t *v = json_object_get(o, key);

	if (v && !json_is_null(v) && !json_is_object(v))
		return wrong(key, e);
	*ret = json_is_object(v) ? v : NULL;
	return 0;
}

/* --- its parts ---------------------------------------------------------- */

static int read_auth(const json_t *o, struct answer_auth *a, struct err *e)
{
	const char *type = json_string_value(json_object_get(o, "token_type"));
	struct str token = STR("");
	json_t *mfa = NULL;

	if (get_object(o, "mfa_requirement", &mfa, e) ||
	    (json_object_get(o, "client_token") &&
	     answer_text(o, "client_token", &token, e)) ||
	    (token.len &&
	     answer_secret(o, "client_token", &a->client_token, e)) ||
	    get_id(o, "accessor", a->accessor, ANSWER_ID_MAX, e) ||
	    get_id(o, "entity_id", a->entity_id, ANSWER_ID_MAX, e) ||
	    get_number(o, "lease_duration", LEASE_MAX_S, &a->lease_duration_s,
		       e) ||
	    get_number(o, "num_uses", INT64_MAX, &a->num_uses, e) ||
	    get_bool(o, "renewable", &a->renewable, e) ||
	    get_bool(o, "orphan", &a->orphan, e))
		return -1;
	a->batch = type && !strcmp(type, "batch");
	a->mfa = mfa != NULL;
	return 0;
}

static int read_wrap(const json_t *o, struct answer_wrap *w, struct err *e)
{
	return answer_secret(o, "token", &w->token, e) ||
	       get_id(o, "accessor", w->accessor, ANSWER_ID_MAX, e) ||
	       get_id(o, "creation_path", w->creation_path, ANSWER_ID_MAX, e) ||
	       get_number(o, "ttl", LEASE_MAX_S, &w->ttl_s, e);
}

static int read_parts(struct vault_answer *a, struct err *e)
{
	json_t *auth = NULL, *wrap = NULL, *root = a->root;

	if (get_id(root, "request_id", a->request_id, sizeof(a->request_id) - 1,
		   e) ||
	    get_id(root, "lease_id", a->lease_id, ANSWER_ID_MAX, e) ||
	    get_number(root, "lease_duration", LEASE_MAX_S,
		       &a->lease_duration_s, e) ||
	    get_bool(root, "renewable", &a->renewable, e) ||
	    get_object(root, "data", &a->data, e) ||
	    get_object(root, "auth", &auth, e) ||
	    get_object(root, "wrap_info", &wrap, e))
		return -1;
	if (auth) {
		a->auth = mem_alloc(sizeof(*a->auth));
		if (read_auth(auth, a->auth, e))
			return -1;
	}
	if (wrap) {
		a->wrap = mem_alloc(sizeof(*a->wrap));
		if (read_wrap(wrap, a->wrap, e))
			return -1;
	}
	return 0;
}

/* --- texts -------------------------------------------------------------- */

/* "a; b", of a list of texts; anything else is left out. */
static void join(const json_t *list, struct buf *b)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (!json_is_string(v))
			continue;
		if (b->len)
			buf_puts(b, "; ");
		buf_put(b, json_string_value(v), json_string_length(v));
	}
}

static bool mentions(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static void read_texts(struct vault_answer *a, struct str body,
		       const struct answer_masks *masks)
{
	struct buf errors = BUF_INIT(1 << 16), warnings = BUF_INIT(1 << 16);

	join(json_object_get(a->root, "errors"), &errors);
	join(json_object_get(a->root, "warnings"), &warnings);
	if (!a->root && a->status >= 300)
		buf_str(&errors,
			str_n(body.p, body.len < 4096 ? body.len : 4096));
	a->sealed = a->status == 503 && errors.len &&
		    mentions(buf_cstr(&errors), "sealed");
	a->inactive = a->status == 500 && errors.len &&
		      mentions(buf_cstr(&errors), "node not active");
	a->wrong_path =
		warnings.len && mentions(buf_cstr(&warnings), "versioned K/V");
	answer_clean(buf_view(&errors), masks, a->errors);
	answer_clean(buf_view(&warnings), masks, a->warnings);
	buf_wipe(&errors);
	buf_wipe(&warnings);
}

/* --- all of it ---------------------------------------------------------- */

static json_t *parse(struct str body)
{
	return json_loadb(body.p, body.len,
			  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

int answer_read(int status, struct str body, const struct answer_masks *masks,
		struct vault_answer **ret, struct err *e)
{
	bool fine = status >= 200 && status < 300;
	struct vault_answer *a = mem_alloc(sizeof(*a));

	a->status = status;
	a->root = str_trim(body).len ? parse(body) : NULL;
	if (!json_is_object(a->root) ||
	    json_object_size(a->root) > FIELDS_TOP_MAX) {
		json_decref(a->root);
		a->root = NULL;
	}
	read_texts(a, body, masks);
	/* Of 200 there is always a body; without one its end was cut off. */
	if (a->root ? read_parts(a, e) && fine :
		      fine && (status == 200 || str_trim(body).len)) {
		if (!a->root)
			(void)err_set(e, ERR_UNAVAILABLE,
				      "the answer is not one of Vault's (no "
				      "JSON, or a name twice or with a NUL)");
		answer_free(a);
		return -1;
	}
	*ret = a;
	return 0;
}

void answer_free(struct vault_answer *a)
{
	if (!a)
		return;
	if (a->auth)
		secret_free(a->auth->client_token);
	if (a->wrap)
		secret_free(a->wrap->token);
	mem_free(a->auth);
	mem_free(a->wrap);
	json_decref(a->root);
	mem_free(a);
}

void answer_err(const struct vault_answer *a, const char *what, struct err *e)
{
	static const struct {
		int status;
		enum err_code code;
		const char *text;
	} known[] = {
		{400, ERR_INVALID,   "the server does not take it" },
		{403, ERR_DENIED,    "permission denied"           },
		{404, ERR_NOT_FOUND, "there is nothing"            },
		{405, ERR_INVALID,   "the server does not do this" },
		{412, ERR_CONFLICT,  "the server is behind"        },
		{413, ERR_LIMIT,     "too large"                   },
		{429, ERR_LIMIT,     "the server is asked too much"},
	};
	enum err_code code = ERR_INTERNAL;
	const char *text = "the server failed";

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].status == a->status) {
			code = known[i].code;
			text = known[i].text;
		}
	if (a->status >= 300 && a->status < 400)
		text = "the server sends us elsewhere";
	err_set(e, code, "%s: %s (status %d%s%s)", what, text, a->status,
		a->errors[0] ? ": " : "", a->errors);
}
