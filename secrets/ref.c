/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The canonical text of secret references; see ref.h.  The parser is lenient
 * and then writes what it understood: unless that is the very text it was
 * given, the text was not canonical.  So there is only one set of rules.
 */
#include "secrets/ref.h"

#include <string.h>

static const char *const kind_names[] = {
	[SECRET_REF_STORE] = "store",
	[SECRET_REF_VAULT] = "vault",
	[SECRET_REF_EXEC] = "exec",
	[SECRET_REF_IDENTITY] = "identity",
};

static const char *const read_names[] = {
	[SECRET_READ_KV] = "kv",
	[SECRET_READ_PLAIN] = "read",
	[SECRET_READ_SSH_CERT] = "ssh-cert",
	[SECRET_READ_PKI] = "pki",
};

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_word(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool secret_name_valid(struct str s)
{
	if (!s.len || s.len > SECRET_REF_NAME_MAX || !is_lower(s.p[0]))
		return false;
	for (size_t i = 1; i < s.len; i++) {
		char c = s.p[i];

		if (!is_lower(c) && !(c >= '0' && c <= '9') && c != '_' &&
		    c != '-')
			return false;
	}
	return true;
}

/* --- what is well formed ------------------------------------------------- */

static bool text_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return str_utf8_valid(s);
}

static bool path_valid(struct str s)
{
	if (!s.len || !text_valid(s) || s.p[s.len - 1] == '/')
		return false;
	while (s.p) {
		struct str part = str_cut(&s, '/');

		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}

static bool param_name_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_word(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
			return false;
	}
	return s.len > 0;
}

static int wrong(const char *part, struct err *e)
{
	return err_set(e, ERR_INVALID, "secret reference: bad %s", part);
}

static int check_params(const struct secret_ref *r, struct err *e)
{
	bool may = r->kind == SECRET_REF_EXEC ||
		   r->kind == SECRET_REF_IDENTITY ||
		   (r->kind == SECRET_REF_VAULT && r->read != SECRET_READ_KV);

	if (r->n_params > (may ? SECRET_REF_PARAMS_MAX : 0))
		return wrong("number of parameters", e);
	for (size_t i = 0; i < r->n_params; i++) {
		if (!param_name_valid(str_from(r->params[i].name)))
			return wrong("name of a parameter", e);
		if (!text_valid(str_from(r->params[i].value)))
			return wrong("value of a parameter", e);
		for (size_t j = 0; j < i; j++) {
			if (!strcmp(r->params[i].name, r->params[j].name))
				return wrong("parameter: given twice", e);
		}
	}
	return 0;
}

/* A word of ASCII, and for how long: nothing else. */
static int check_identity(const struct secret_ref *r, struct err *e)
{
	uint64_t ttl;

	for (const char *s = r->path; *s; s++)
		if (*s <= ' ' || *s > '~')
			return wrong("audience", e);
	if (!r->path[0] || strlen(r->path) >= SECRET_REF_PATH_MAX)
		return wrong("audience", e);
	if (r->n_params != 1 || strcmp(r->params[0].name, "ttl") != 0 ||
	    str_to_duration(str_from(r->params[0].value), &ttl))
		return wrong("ttl", e);
	return r->field[0] || r->version ? wrong("field", e) : 0;
}

static int check(const struct secret_ref *r, struct err *e)
{
	bool vault = r->kind == SECRET_REF_VAULT;

	if (r->kind == SECRET_REF_IDENTITY && check_identity(r, e))
		return -1;
	if (r->kind == SECRET_REF_STORE ?
		    !secret_name_valid(str_from(r->project)) :
		    r->project[0])
		return wrong("project", e);
	if (vault ? !secret_name_valid(str_from(r->provider)) : r->provider[0])
		return wrong("provider", e);
	if (vault ? !path_valid(str_from(r->path)) :
		    r->kind != SECRET_REF_IDENTITY &&
			    !secret_name_valid(str_from(r->path)))
		return wrong(vault ? "path" : "name", e);
	if (!vault && r->read != SECRET_READ_KV)
		return wrong("kind", e);
	if (!text_valid(str_from(r->field)))
		return wrong("field", e);
	if (r->version > INT64_MAX || (r->version && r->read) ||
	    (r->version && r->kind == SECRET_REF_EXEC))
		return wrong("version", e);
	return check_params(r, e);
}

/* --- writing ------------------------------------------------------------- */

static void put_escaped(struct buf *b, const char *s, bool slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_word(*s) || strchr("._~-", c) || (slash && c == '/')) {
			buf_putc(b, *s);
			continue;
		}
		buf_putc(b, '%');
		buf_putc(b, digits[c >> 4]);
		buf_putc(b, digits[c & 15]);
	}
}

static void put_params(struct buf *b, const struct secret_ref *r, char *sep)
{
	const char *last = "";

	for (size_t n = 0; n < r->n_params; n++) {
		const struct secret_ref_param *next = NULL;

		for (size_t i = 0; i < r->n_params; i++) {
			const struct secret_ref_param *p = &r->params[i];

			if (strcmp(p->name, last) > 0 &&
			    (!next || strcmp(p->name, next->name) < 0))
				next = p;
		}
		buf_printf(b, "%cp.%s=", *sep, next->name);
		put_escaped(b, next->value, false);
		last = next->name;
		*sep = '&';
	}
}

int secret_ref_format(const struct secret_ref *r, struct buf *b, struct err *e)
{
	size_t start = b->len;
	char sep = '?';

	if (check(r, e))
		return -1;
	buf_printf(b, "%s:", kind_names[r->kind]);
	if (r->kind == SECRET_REF_STORE)
		buf_printf(b, "%s/", r->project);
	else if (r->kind == SECRET_REF_VAULT)
		buf_printf(b, "%s:", r->provider);
	put_escaped(b, r->path, true);
	if (r->read) {
		buf_printf(b, "%ckind=%s", sep, read_names[r->read]);
		sep = '&';
	}
	if (r->version) {
		buf_printf(b, "%cversion=%llu", sep,
			   (unsigned long long)r->version);
		sep = '&';
	}
	put_params(b, r, &sep);
	if (r->field[0]) {
		buf_putc(b, '#');
		put_escaped(b, r->field, false);
	}
	if (b->failed || b->len - start > SECRET_REF_TEXT_MAX)
		return err_set(e, ERR_LIMIT,
			       "secret reference: longer than %d bytes",
			       SECRET_REF_TEXT_MAX);
	return 0;
}

/* --- reading ------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Into out, of max + 1 bytes; a NUL in it is refused. */
static int get_escaped(struct str s, char *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++, n++) {
		int hi, lo;

		if (n == max)
			return -1;
		out[n] = s.p[i];
		if (s.p[i] == '%') {
			if (s.len - i < 3)
				return -1;
			hi = hex_digit(s.p[i + 1]);
			lo = hex_digit(s.p[i + 2]);
			if (hi < 0 || lo < 0)
				return -1;
			out[n] = (char)(hi << 4 | lo);
			i += 2;
		}
		if (!out[n])
			return -1;
	}
	out[n] = 0;
	return 0;
}

static int get_one_param(struct str name, struct str value,
			 struct secret_ref *r)
{
	struct secret_ref_param *p = &r->params[r->n_params];

	if (r->n_params == SECRET_REF_PARAMS_MAX)
		return -1;
	if (get_escaped(name, p->name, SECRET_REF_NAME_MAX) ||
	    get_escaped(value, p->value, SECRET_REF_VALUE_MAX))
		return -1;
	r->n_params++;
	return 0;
}

static int get_option(struct str option, struct secret_ref *r)
{
	struct str name = str_cut(&option, '=');

	if (str_starts(name, STR("p.")))
		return get_one_param(str_from_at(name, 2), option, r);
	if (str_is(name, "version"))
		return str_to_u64(option, INT64_MAX, &r->version);
	if (!str_is(name, "kind"))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(read_names); i++) {
		if (str_is(option, read_names[i])) {
			r->read = (enum secret_ref_read)i;
			return 0;
		}
	}
	return -1;
}

static int get_kind(struct str name, struct secret_ref *r)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (str_is(name, kind_names[i])) {
			r->kind = (enum secret_ref_kind)i;
			return 0;
		}
	}
	return -1;
}

static int get(struct str s, struct secret_ref *r, struct err *e)
{
	struct str place, options, part;

	if (get_kind(str_cut(&s, ':'), r))
		return wrong("kind", e);
	options = str_cut(&s, '#');
	if (s.p && get_escaped(s, r->field, SECRET_REF_FIELD_MAX))
		return wrong("field", e);
	place = str_cut(&options, '?');
	if (r->kind == SECRET_REF_STORE) {
		part = str_cut(&place, '/');
		if (get_escaped(part, r->project, SECRET_REF_NAME_MAX))
			return wrong("project", e);
	} else if (r->kind == SECRET_REF_VAULT) {
		part = str_cut(&place, ':');
		if (get_escaped(part, r->provider, SECRET_REF_NAME_MAX))
			return wrong("provider", e);
	}
	if (get_escaped(place, r->path, SECRET_REF_PATH_MAX))
		return wrong("path", e);
	while (options.p) {
		if (get_option(str_cut(&options, '&'), r))
			return wrong("option", e);
	}
	return 0;
}

int secret_ref_parse(struct str text, struct secret_ref *ret, struct err *e)
{
	CLEANUP_BUF struct buf again = BUF_INIT(SECRET_REF_TEXT_MAX);
	struct secret_ref r = {0};

	if (text.len > SECRET_REF_TEXT_MAX)
		return err_set(e, ERR_LIMIT,
			       "secret reference: longer than %d bytes",
			       SECRET_REF_TEXT_MAX);
	if (get(text, &r, e) || secret_ref_format(&r, &again, e))
		return -1;
	if (!str_eq(text, buf_view(&again)))
		return err_set(e, ERR_INVALID,
			       "secret reference: not the canonical spelling");
	*ret = r;
	return 0;
}

int secret_ref_hash(const struct secret_ref *r, struct hash *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SECRET_REF_TEXT_MAX);

	if (secret_ref_format(r, &text, e))
		return -1;
	*ret = hash_sha256(text.data, text.len);
	return 0;
}
