/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The words of a check; see check_text.h. */
#include "vault/check_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- steps --------------------------------------------------------------- */

static void member(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_json(b, str_from(value));
	buf_putc(b, '"');
}

void check_begin(struct check_report *r, const char *name)
{
	*r = (struct check_report){.b = BUF_INIT(CHECK_TEXT_MAX)};
	buf_puts(&r->b, "{\"name\":\"");
	buf_json(&r->b, str_from(name));
	buf_puts(&r->b, "\",\"steps\":[");
}

void check_step(struct check_report *r, const char *step,
		enum check_verdict verdict, const char *hint, const char *fmt,
		...)
{
	static const char *const words[] = {
		[CHECK_OK] = "ok",
		[CHECK_FAILED] = "failed",
		[CHECK_SKIPPED] = "skipped",
	};
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&r->b, "%s{\"verdict\":\"%s\"", r->n++ ? "," : "",
		   words[verdict]);
	member(&r->b, "step", step);
	member(&r->b, "text", text);
	if (*hint)
		member(&r->b, "hint", hint);
	buf_putc(&r->b, '}');
	r->failed |= verdict == CHECK_FAILED;
}

void check_end(struct check_report *r)
{
	buf_printf(&r->b, "],\"ok\":%s}", r->failed ? "false" : "true");
}

/* --- health -------------------------------------------------------------- */

static bool is(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static void text(const json_t *o, const char *key,
		 char out[ANSWER_TEXT_MAX + 1])
{
	struct err e;
	struct str s;

	out[0] = '\0';
	if (!answer_text(o, key, &s, &e))
		answer_clean(s, NULL, out);
}

bool check_health(struct check_report *r, const struct vault_answer *a)
{
	char version[ANSWER_TEXT_MAX + 1];

	text(a->root, "version", version);
	if (!json_object_get(a->root, "sealed")) {
		check_step(r, "health", CHECK_FAILED,
			   "Is there another server at this address, or a "
			   "proxy before it?",
			   "the answer is not that of a Vault or OpenBao");
		return false;
	}
	if (!is(a->root, "initialized")) {
		check_step(r, "health", CHECK_FAILED,
			   "It was never set up: bao operator init",
			   "not initialised");
		return false;
	}
	if (is(a->root, "sealed")) {
		check_step(r, "health", CHECK_FAILED,
			   "Its keepers have to unseal it: bao operator unseal",
			   "sealed");
		return false;
	}
	check_step(r, "health", CHECK_OK, "", "unsealed, %s, version %s",
		   is(a->root, "standby") ? "standby" : "active",
		   *version ? version : "unknown");
	return true;
}

/* --- the token ----------------------------------------------------------- */

static bool has_root(const json_t *policies)
{
	size_t n = json_array_size(policies);

	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(policies, i));

		if (s && !strcmp(s, "root"))
			return true;
	}
	return false;
}

static void names(const json_t *policies, char out[ANSWER_TEXT_MAX + 1])
{
	struct buf b = BUF_INIT(4096);
	size_t n = json_array_size(policies);

	for (size_t i = 0; i < n && i < 32; i++) {
		const char *s = json_string_value(json_array_get(policies, i));

		buf_printf(&b, "%s%.100s", i ? ", " : "", s ? s : "?");
	}
	answer_clean(buf_view(&b), NULL, out);
	buf_done(&b);
}

void check_token(struct check_report *r, const struct vault_answer *a)
{
	const json_t *policies = json_object_get(a->data, "policies");
	json_int_t ttl = json_integer_value(json_object_get(a->data, "ttl"));
	char who[ANSWER_TEXT_MAX + 1];

	names(policies, who);
	if (has_root(policies))
		check_step(r, "token", CHECK_FAILED,
			   "Give the server a login of its own, with the few "
			   "paths that jobs need.",
			   "it is a root token: whoever takes the server over "
			   "has everything");
	else if (!ttl)
		check_step(r, "token", CHECK_OK,
			   "It does not end by itself; a login that is renewed "
			   "is better.",
			   "policies %s", who);
	else
		check_step(r, "token", CHECK_OK, "",
			   "policies %s; %" JSON_INTEGER_FORMAT
			   " s left, %srenewable",
			   who, ttl, is(a->data, "renewable") ? "" : "not ");
}

/* --- what it may --------------------------------------------------------- */

/* Whoever sends us paths may not lead us elsewhere by them. */
static bool leads_on(struct str path)
{
	while (path.p) {
		struct str part = str_cut(&path, '/');

		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}

int check_path_read(struct str line, struct check_path *ret)
{
	struct str rest = line;

	*ret = (struct check_path){.kind = str_cut(&rest, ' ')};
	ret->path = rest;
	if (!ret->kind.len || !rest.len || rest.len > SECRET_REF_PATH_MAX ||
	    !leads_on(rest))
		return -1;
	ret->update = str_is(ret->kind, "ssh-cert") || str_is(ret->kind, "pki");
	return 0;
}

static bool depends(struct str path)
{
	for (size_t i = 0; i + 2 < path.len; i++)
		if (!memcmp(path.p + i, "${{", 3))
			return true;
	return false;
}

void check_path_policy(struct check_path *p, struct str mount, uint8_t kv)
{
	struct str rest = str_from_at(p->path, mount.len);

	if (depends(p->path))
		p->policy[0] = '\0';
	else if (kv == 2)
		(void)snprintf(p->policy, sizeof(p->policy),
			       STR_FMT "/data" STR_FMT, STR_ARG(mount),
			       STR_ARG(rest));
	else
		(void)snprintf(p->policy, sizeof(p->policy), STR_FMT,
			       STR_ARG(p->path));
}

bool check_capabilities_body(struct buf *b, const struct check_path *p,
			     size_t n)
{
	size_t k = 0;

	buf_puts(b, "{\"paths\":[");
	for (size_t i = 0; i < n; i++) {
		if (!*p[i].policy)
			continue;
		buf_puts(b, k++ ? ",\"" : "\"");
		buf_json(b, str_from(p[i].policy));
		buf_putc(b, '"');
	}
	buf_puts(b, "]}");
	return k > 0 && !b->failed;
}

/* Any of them in the list?  root may all. */
static bool may(const json_t *list, const char *what)
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s && (!strcmp(s, what) || !strcmp(s, "root")))
			return true;
	}
	return false;
}

static void capability(struct check_report *r, const json_t *data,
		       const struct check_path *p)
{
	const char *want = p->update ? "update" : "read";
	char step[SECRET_REF_PATH_MAX + 16], hint[400];
	const json_t *list = json_object_get(data, p->policy);

	(void)snprintf(step, sizeof(step), "path " STR_FMT, STR_ARG(p->path));
	if (!*p->policy) {
		check_step(r, step, CHECK_SKIPPED, "",
			   "what it is depends on a run's inputs");
		return;
	}
	if (may(list, want) || (p->update && may(list, "create"))) {
		check_step(r, step, CHECK_OK, "", "may %s %s", want, p->policy);
		return;
	}
	(void)snprintf(hint, sizeof(hint),
		       "In a policy of the login: path \"%.250s\" { "
		       "capabilities = [\"%s\"] }",
		       p->policy, want);
	check_step(r, step, CHECK_FAILED, hint, "may not %s %s", want,
		   p->policy);
}

void check_capabilities(struct check_report *r, const struct vault_answer *a,
			const struct check_path *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		capability(r, a->data, &p[i]);
}
