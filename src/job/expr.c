/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Expressions, evaluated while they are parsed; see expr.h. */
#include "job/expr.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* With c NULL it only parses: every name is the empty text. */
struct parser {
	struct str rest;
	const struct expr_context *c;
	expr_name_fn *on_name;
	void *name_ctx;
	bool asks_failure;
	unsigned depth;
	struct err *e;
};

struct expr_value expr_string(struct str s)
{
	return (struct expr_value){.type = EXPR_STRING, .text = s};
}

struct expr_value expr_int(struct arena *a, int64_t i)
{
	struct expr_value v = {.type = EXPR_INT, .i = i};
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, i);

	if (a)
		v.text = str_n(arena_strndup(a, text, (size_t)n), (size_t)n);
	if (!v.text.p)
		v.text.len = 0;
	return v;
}

struct expr_value expr_bool(bool b)
{
	return (struct expr_value){.type = EXPR_BOOL,
				   .b = b,
				   .text = b ? STR("true") : STR("false")};
}

bool expr_truth(const struct expr_value *v)
{
	switch (v->type) {
	case EXPR_BOOL:
		return v->b;
	case EXPR_INT:
		return v->i != 0;
	case EXPR_STRING:
		break;
	}
	return v->text.len && !str_is(v->text, "false");
}

static int wrong(struct parser *p, const char *what)
{
	struct str near = str_n(p->rest.p, p->rest.len < 20 ? p->rest.len : 20);

	if (!near.len)
		near = STR("the end");
	return err_set(p->e, ERR_INVALID, "%s at \"" STR_FMT "\"", what,
		       STR_ARG(near));
}

static void skip(struct parser *p)
{
	while (p->rest.len && (p->rest.p[0] == ' ' || p->rest.p[0] == '\t' ||
			       p->rest.p[0] == '\n'))
		p->rest = str_from_at(p->rest, 1);
}

static bool take(struct parser *p, const char *token)
{
	skip(p);
	if (!str_starts(p->rest, str_from(token)))
		return false;
	p->rest = str_from_at(p->rest, strlen(token));
	return true;
}

static int parse_or(struct parser *p, struct expr_value *ret);

static int literal_string(struct parser *p, struct expr_value *ret)
{
	char quote = p->rest.p[0];
	const char *end = p->rest.len > 1 ? memchr(p->rest.p + 1, quote,
						   p->rest.len - 1) :
					    NULL;
	size_t len;

	if (!end)
		return wrong(p, "a text that does not end");
	len = (size_t)(end - p->rest.p) - 1;
	*ret = expr_string(str_n(p->rest.p + 1, len));
	p->rest = str_from_at(p->rest, len + 2);
	return 0;
}

static size_t word_len(struct str s)
{
	size_t n = 0;

	while (n < s.len && ((s.p[n] >= 'a' && s.p[n] <= 'z') ||
			     (s.p[n] >= 'A' && s.p[n] <= 'Z') ||
			     (s.p[n] >= '0' && s.p[n] <= '9') ||
			     (s.p[n] && strchr("_-.", s.p[n]))))
		n++;
	return n;
}

/* Of "tasks.T@VALUES.outputs.NAME" all of it: values may be any text. */
static size_t name_len(struct str s)
{
	size_t n = word_len(s), end;

	if (n >= s.len || s.p[n] != '@')
		return n;
	for (end = n; end < s.len && !strchr("'\"(){}\n", s.p[end]); end++) {
		struct str rest = str_from_at(s, end);

		if (str_starts(rest, STR(".outputs.")))
			return end + word_len(rest);
		if (str_starts(rest, STR(".state")) &&
		    word_len(rest) == strlen(".state"))
			return end + strlen(".state");
	}
	return n;
}

/* --- functions ---------------------------------------------------------- */

enum {
	ARGS_MAX = 2
};

static int fn_contains(struct parser *p, struct expr_value *a, size_t n,
		       struct expr_value *ret)
{
	(void)p;
	(void)n;
	*ret = expr_bool(!a[1].text.len ||
			 (a[0].text.len && memmem(a[0].text.p, a[0].text.len,
						  a[1].text.p, a[1].text.len)));
	return 0;
}

static int fn_starts(struct parser *p, struct expr_value *a, size_t n,
		     struct expr_value *ret)
{
	(void)p;
	(void)n;
	*ret = expr_bool(str_starts(a[0].text, a[1].text));
	return 0;
}

static int fn_ends(struct parser *p, struct expr_value *a, size_t n,
		   struct expr_value *ret)
{
	(void)p;
	(void)n;
	*ret = expr_bool(str_ends(a[0].text, a[1].text));
	return 0;
}

static int fn_hash(struct parser *p, struct expr_value *a, size_t n,
		   struct expr_value *ret)
{
	struct hash h = hash_sha256(a[0].text.p, a[0].text.len);
	char hex[HASH_HEX_LEN + 1];
	char *copy = NULL;

	(void)n;
	hash_hex(&h, hex);
	if (p->c)
		copy = arena_strndup(p->c->arena, hex, HASH_HEX_LEN);
	*ret = expr_string(str_n(copy ? copy : "", copy ? HASH_HEX_LEN : 0));
	return 0;
}

static int fn_failed(struct parser *p, struct expr_value *a, size_t n,
		     struct expr_value *ret)
{
	struct str task = n ? a[0].text : str_n(NULL, 0);
	CLEANUP_BUF struct buf name = BUF_INIT(EXPR_LEN_MAX + 32);

	p->asks_failure = true;
	if (task.len && p->on_name) {
		buf_printf(&name, "tasks." STR_FMT ".state", STR_ARG(task));
		if (p->on_name(p->name_ctx, buf_view(&name), p->e))
			return -1;
	}
	*ret = expr_bool(p->c && p->c->failed && p->c->failed(p->c->ctx, task));
	return 0;
}

static int fn_always(struct parser *p, struct expr_value *a, size_t n,
		     struct expr_value *ret)
{
	(void)a;
	(void)n;
	p->asks_failure = true;
	*ret = expr_bool(true);
	return 0;
}

static const struct {
	const char *name;
	size_t min, max;
	int (*call)(struct parser *p, struct expr_value *a, size_t n,
		    struct expr_value *ret);
} functions[] = {
	{"contains",   2, 2, fn_contains},
        {"startsWith", 2, 2, fn_starts  },
	{"endsWith",   2, 2, fn_ends    },
        {"hash",       1, 1, fn_hash    },
	{"failed",     0, 1, fn_failed  },
        {"always",     0, 0, fn_always  },
};

static int call(struct parser *p, struct str name, struct expr_value *ret)
{
	struct expr_value args[ARGS_MAX];
	size_t n = 0, f = 0;

	while (f < ARRAY_LEN(functions) && !str_is(name, functions[f].name))
		f++;
	if (f == ARRAY_LEN(functions))
		return err_set(p->e, ERR_INVALID,
			       "no function " STR_FMT "(); there are contains, "
			       "startsWith, endsWith, hash, failed, always",
			       STR_ARG(name));
	if (!take(p, ")")) {
		do {
			if (n == ARGS_MAX)
				return wrong(p, "too many arguments");
			if (parse_or(p, &args[n++]))
				return -1;
		} while (take(p, ","));
		if (!take(p, ")"))
			return wrong(p, "a ) is missing");
	}
	if (n < functions[f].min || n > functions[f].max)
		return err_set(p->e, ERR_INVALID,
			       STR_FMT "() takes another number of arguments",
			       STR_ARG(name));
	return functions[f].call(p, args, n, ret);
}

static int name_or_call(struct parser *p, struct expr_value *ret)
{
	struct str name = str_n(p->rest.p, name_len(p->rest));

	p->rest = str_from_at(p->rest, name.len);
	if (take(p, "("))
		return call(p, name, ret);
	if (str_is(name, "true") || str_is(name, "false")) {
		*ret = expr_bool(name.p[0] == 't');
		return 0;
	}
	if (!str_has(name, '.'))
		return err_set(p->e, ERR_INVALID,
			       "\"" STR_FMT "\" is no value (texts are quoted: "
			       "'" STR_FMT "')",
			       STR_ARG(name), STR_ARG(name));
	if (p->on_name && p->on_name(p->name_ctx, name, p->e))
		return -1;
	*ret = expr_string(str_n(NULL, 0));
	return p->c ? p->c->lookup(p->c->ctx, name, ret, p->e) : 0;
}

static int primary(struct parser *p, struct expr_value *ret)
{
	int64_t v;
	size_t n;

	skip(p);
	if (!p->rest.len)
		return wrong(p, "a value is missing");
	if (p->rest.p[0] == '\'' || p->rest.p[0] == '"')
		return literal_string(p, ret);
	if (take(p, "(")) {
		if (parse_or(p, ret))
			return -1;
		return take(p, ")") ? 0 : wrong(p, "a ) is missing");
	}
	n = word_len(p->rest);
	if (!n)
		return wrong(p, "a value is wanted");
	if ((p->rest.p[0] >= '0' && p->rest.p[0] <= '9') ||
	    p->rest.p[0] == '-') {
		if (str_to_i64(str_n(p->rest.p, n), INT64_MIN, INT64_MAX, &v))
			return wrong(p, "a number that is none");
		*ret = expr_int(p->c ? p->c->arena : NULL, v);
		p->rest = str_from_at(p->rest, n);
		return 0;
	}
	return name_or_call(p, ret);
}

static int unary(struct parser *p, struct expr_value *ret)
{
	int bad;

	if (++p->depth > EXPR_DEPTH_MAX)
		return err_set(p->e, ERR_LIMIT, "nested too deep");
	skip(p);
	if (p->rest.len && p->rest.p[0] == '!' &&
	    !(p->rest.len > 1 && p->rest.p[1] == '=')) {
		p->rest = str_from_at(p->rest, 1);
		bad = unary(p, ret);
		if (!bad)
			*ret = expr_bool(!expr_truth(ret));
	} else {
		bad = primary(p, ret);
	}
	p->depth--;
	return bad;
}

/*
 * Two texts are equal when they are the same text ('1.0' is not '1', nor '01');
 * where one is a number, or when asked which is less, numbers count as such.
 */
static int order(const struct expr_value *a, const struct expr_value *b,
		 bool less)
{
	int64_t x, y;

	if (!less && a->type != EXPR_INT && b->type != EXPR_INT)
		return str_cmp(a->text, b->text);
	if (!str_to_i64(a->text, INT64_MIN, INT64_MAX, &x) &&
	    !str_to_i64(b->text, INT64_MIN, INT64_MAX, &y))
		return (x > y) - (x < y);
	return str_cmp(a->text, b->text);
}

static int comparison(struct parser *p, struct expr_value *ret)
{
	static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
	struct expr_value right;
	size_t op = 0;
	int d;

	if (unary(p, ret))
		return -1;
	while (op < ARRAY_LEN(ops) && !take(p, ops[op]))
		op++;
	if (op == ARRAY_LEN(ops))
		return 0;
	if (unary(p, &right))
		return -1;
	d = order(ret, &right, op >= 2);
	*ret = expr_bool(op == 0 ? d == 0 :
			 op == 1 ? d != 0 :
			 op == 2 ? d <= 0 :
			 op == 3 ? d >= 0 :
			 op == 4 ? d < 0 :
				   d > 0);
	return 0;
}

static int parse_and(struct parser *p, struct expr_value *ret)
{
	struct expr_value right;

	if (comparison(p, ret))
		return -1;
	while (take(p, "&&")) {
		if (comparison(p, &right))
			return -1;
		*ret = expr_bool(expr_truth(ret) && expr_truth(&right));
	}
	return 0;
}

static int parse_or(struct parser *p, struct expr_value *ret)
{
	struct expr_value right;

	if (++p->depth > EXPR_DEPTH_MAX)
		return err_set(p->e, ERR_LIMIT, "nested too deep");
	if (parse_and(p, ret))
		return -1;
	while (take(p, "||")) {
		if (parse_and(p, &right))
			return -1;
		*ret = expr_bool(expr_truth(ret) || expr_truth(&right));
	}
	p->depth--;
	return 0;
}

static int whole(struct parser *p, struct str text, struct expr_value *ret)
{
	p->rest = text;
	p->depth = 0;
	if (text.len > EXPR_LEN_MAX)
		return err_set(p->e, ERR_LIMIT, "an expression over %d bytes",
			       EXPR_LEN_MAX);
	if (parse_or(p, ret))
		return -1;
	skip(p);
	return p->rest.len ? wrong(p, "something is too much") : 0;
}

int expr_eval(struct str text, const struct expr_context *c,
	      struct expr_value *ret, struct err *e)
{
	struct parser p = {.c = c, .e = e};

	return whole(&p, text, ret);
}

/* Walk a template: plain text and expressions in turn. */
static int template(struct parser *p, struct str text, struct buf *b)
{
	while (text.len) {
		const char *open = memmem(text.p, text.len, "${{", 3);
		const char *close;
		struct expr_value v;
		size_t before = open ? (size_t)(open - text.p) : text.len;

		if (b && !buf_put(b, text.p, before))
			return err_set(p->e, ERR_LIMIT, "a text over 1 MiB");
		text = str_from_at(text, before);
		if (!open)
			break;
		close = memmem(text.p, text.len, "}}", 2);
		if (!close)
			return err_set(p->e, ERR_INVALID, "${{ without its }}");
		if (whole(p, str_n(text.p + 3, (size_t)(close - text.p) - 3),
			  &v))
			return -1;
		if (b && !buf_str(b, v.text))
			return err_set(p->e, ERR_LIMIT, "a text over 1 MiB");
		text = str_from_at(text, (size_t)(close - text.p) + 2);
	}
	return 0;
}

int expr_fill(struct str text, const struct expr_context *c, struct buf *b,
	      struct err *e)
{
	struct parser p = {.c = c, .e = e};

	return template(&p, text, b);
}

int expr_names(struct str text, bool is_template, expr_name_fn *fn, void *ctx,
	       struct err *e)
{
	struct parser p = {.on_name = fn, .name_ctx = ctx, .e = e};
	struct expr_value v;

	return is_template ? template(&p, text, NULL) : whole(&p, text, &v);
}

bool expr_asks_failure(struct str text)
{
	struct parser p = {.e = NULL};
	struct expr_value v;

	return !whole(&p, text, &v) && p.asks_failure;
}

struct str expr_bare(struct str text)
{
	text = str_trim(text);
	if (str_starts(text, STR("${{")) && str_ends(text, STR("}}")) &&
	    text.len >= 5)
		text = str_n(text.p + 3, text.len - 5);
	return text;
}

void expr_check(const struct doc_node *n, struct str text, struct problems *ps)
{
	struct err e;

	if (expr_names(expr_bare(text), false, NULL, NULL, &e))
		problem_at(ps, n, "bad-expression", NULL, "%s", e.text);
}

void expr_check_template(const struct doc_node *n, struct str text,
			 struct problems *ps)
{
	struct err e;

	if (expr_names(text, true, NULL, NULL, &e))
		problem_at(ps, n, "bad-expression", NULL, "%s", e.text);
}
