/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* References to secrets; see secret_ref.h. */
#include "job/secret_ref.h"
#include "job/job.h"

#include <inttypes.h>
#include <string.h>

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || strchr("._~-", c);
}

/* Everything else as %XX; '/' too where it does not divide a path. */
void job_ref_escaped(struct buf *b, struct str s, bool path)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c && (plain(c) || (path && c == '/')))
			buf_putc(b, c);
		else
			buf_printf(b, "%%%02X", (unsigned char)c);
	}
}

static bool text_ok(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.len <= max && str_utf8_valid(s);
}

bool job_secret_path_ok(struct str s)
{
	if (!text_ok(s, SECRET_PATH_MAX))
		return false;
	do {
		struct str part = str_cut(&s, '/');

		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
	} while (s.p);
	return true;
}

/* A path that was put together may not lead elsewhere. */
static int vault(const struct doc_node *decl, const struct expr_context *c,
		 struct buf *b, struct err *e)
{
	CLEANUP_BUF struct buf path = BUF_INIT(4096);

	if (expr_fill(doc_get(decl, "vault")->text, c, &path, e))
		return -1;
	if (!job_secret_path_ok(buf_view(&path)))
		return err_set(e, ERR_INVALID,
			       "no path in Vault: \"" STR_FMT "\"",
			       STR_ARG(buf_view(&path)));
	buf_puts(b, "vault:");
	buf_str(b, job_text(doc_get(decl, "provider"), "default"));
	buf_putc(b, ':');
	job_ref_escaped(b, buf_view(&path), true);
	return 0;
}

static void store(struct str project, struct str name, struct buf *b)
{
	buf_puts(b, "store:");
	if (!str_has(name, '/')) {
		buf_str(b, project);
		buf_putc(b, '/');
	}
	buf_str(b, name);
}

/* Sorted by name: the next one behind `last`. */
static const struct doc_node *next_param(const struct doc_node *params,
					 struct str last)
{
	const struct doc_node *best = NULL;

	for (const struct doc_node *n = params ? params->first : NULL; n;
	     n = n->next)
		if (str_cmp(n->key, last) > 0 &&
		    (!best || str_cmp(n->key, best->key) < 0))
			best = n;
	return best;
}

static int param(const struct doc_node *n, const struct expr_context *c,
		 char sep, struct buf *b, struct err *e)
{
	CLEANUP_BUF struct buf value = BUF_INIT(4096);

	if (expr_fill(n->text, c, &value, e))
		return -1;
	if (!text_ok(buf_view(&value), SECRET_VALUE_MAX))
		return err_set(e, ERR_INVALID,
			       "params." STR_FMT
			       ": over %d bytes, or not of one line",
			       STR_ARG(n->key), SECRET_VALUE_MAX);
	buf_printf(b, "%cp." STR_FMT "=", sep, STR_ARG(n->key));
	job_ref_escaped(b, buf_view(&value), false);
	return 0;
}

/* In the order of names; a ttl stands among them. */
static int params(const struct doc_node *decl, const struct expr_context *c,
		  char sep, struct buf *b, struct err *e)
{
	const struct doc_node *map = doc_get(decl, "params");
	const struct doc_node *ttl = doc_get(decl, "ttl");
	const struct doc_node *n = next_param(map, STR(""));

	while (n || ttl) {
		if (ttl && (!n || str_cmp(n->key, STR("ttl")) > 0)) {
			buf_printf(b, "%cp.ttl=%" PRIu64 "s", sep,
				   job_time(ttl, 0) / 1000000);
			ttl = NULL;
		} else {
			if (param(n, c, sep, b, e))
				return -1;
			n = next_param(map, n->key);
		}
		sep = '&';
	}
	return 0;
}

int job_secret_ref(struct str project, const struct doc_node *decl,
		   const struct expr_context *c, struct buf *b, struct err *e)
{
	struct str kind = job_text(doc_get(decl, "kind"), "kv");
	const struct doc_node *version = doc_get(decl, "version");
	const struct doc_node *field = doc_get(decl, "field");
	size_t before = b->len;
	char sep = '?';

	if (doc_get(decl, "store")) {
		store(project, doc_get(decl, "store")->text, b);
	} else if (doc_get(decl, "exec")) {
		buf_puts(b, "exec:");
		buf_str(b, doc_get(decl, "exec")->text);
	} else if (vault(decl, c, b, e)) {
		return -1;
	}
	if (!str_is(kind, "kv")) {
		buf_printf(b, "%ckind=" STR_FMT, sep, STR_ARG(kind));
		sep = '&';
	}
	if (version) {
		buf_printf(b, "%cversion=" STR_FMT, sep,
			   STR_ARG(version->text));
		sep = '&';
	}
	if (params(decl, c, sep, b, e))
		return -1;
	if (field) {
		buf_putc(b, '#');
		job_ref_escaped(b, field->text, false);
	}
	return b->failed || b->len - before > SECRET_TEXT_MAX ?
		       err_set(e, ERR_LIMIT, "a reference over %d bytes",
			       SECRET_TEXT_MAX) :
		       0;
}
