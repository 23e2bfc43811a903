/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Templates; see template.h. */
#include "job/template.h"
#include "base/hex.h"
#include "job/keys.h"

#include <string.h>

static const char *const quotes[N_QUOTES] = {
	[QUOTE_JSON] = "json",     [QUOTE_YAML] = "yaml",
	[QUOTE_SHELL] = "shell",   [QUOTE_URL] = "url",
	[QUOTE_BASE64] = "base64", [QUOTE_LINE] = "line",
};

/* --- syntax ------------------------------------------------------------- */

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool template_file_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!plain(s.p[i]))
			return false;
	return s.len && s.len <= 63 && s.p[0] != '.';
}

static bool field_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!plain(s.p[i]))
			return false;
	return s.len && s.len <= TEMPLATE_FIELD_MAX;
}

/* "json(x)" is x, quoted. */
static struct str take_quote(struct str s, uint8_t *ret)
{
	*ret = QUOTE_NONE;
	for (uint8_t q = QUOTE_NONE + 1; q < N_QUOTES; q++) {
		size_t n = strlen(quotes[q]);

		if (!str_starts(s, str_from(quotes[q])) || s.len < n + 2 ||
		    s.p[n] != '(' || s.p[s.len - 1] != ')')
			continue;
		*ret = q;
		return str_trim(str_n(s.p + n + 1, s.len - n - 2));
	}
	return s;
}

/* 1: it is the value of a secret; 0: something else; -1: nearly. */
static int take_secret(struct str s, struct template_part *p, struct err *e)
{
	struct str rest = s, head = str_cut(&rest, '.');
	struct str name = str_cut(&rest, '.');

	if (!str_is(head, "secrets") || !job_name_ok(name))
		return 0;
	p->secret = name;
	if (str_is(rest, "value"))
		return 1;
	if (!str_starts(rest, STR("fields.")))
		return 0;
	p->field = str_from_at(rest, strlen("fields."));
	if (field_ok(p->field))
		return 1;
	return err_set(e, ERR_INVALID,
		       "secrets." STR_FMT
		       ".fields.NAME: letters, digits, ., _ and -",
		       STR_ARG(name));
}

static int take_put(struct str s, struct template_part *p, struct err *e)
{
	int is;

	s = take_quote(str_trim(s), &p->quote);
	if (!s.len)
		return err_set(e, ERR_INVALID, "an empty ${{ }}");
	is = take_secret(s, p, e);
	if (is < 0)
		return -1;
	p->kind = is ? PART_SECRET : PART_EXPR;
	if (!is)
		p->text = s;
	return 0;
}

int template_next(struct str *rest, struct template_part *ret, struct err *e)
{
	struct template_part p = {.kind = PART_TEXT};
	const char *open =
		rest->len ? memmem(rest->p, rest->len, "${{", 3) : NULL;
	size_t before = open ? (size_t)(open - rest->p) : rest->len;
	const char *close;

	if (before) {
		p.text = str_n(rest->p, before);
		*rest = str_from_at(*rest, before);
		*ret = p;
		return 0;
	}
	close = rest->len ? memmem(rest->p, rest->len, "}}", 2) : NULL;
	if (!close)
		return err_set(e, ERR_INVALID, "${{ without its }}");
	if (take_put(str_n(rest->p + 3, (size_t)(close - rest->p) - 3), &p, e))
		return -1;
	*rest = str_from_at(*rest, (size_t)(close - rest->p) + 2);
	*ret = p;
	return 0;
}

/* --- quoting ------------------------------------------------------------ */

static int text_only(struct str v, const char *what, struct err *e)
{
	return str_utf8_valid(v) && !str_has(v, '\0') ?
		       0 :
		       err_set(e, ERR_INVALID, "%s holds text (UTF-8) only",
			       what);
}

/* What JSON has escapes for anyway, and what YAML calls not printable. */
static void put_yaml(struct buf *b, struct str v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];
		unsigned char d = i + 1 < v.len ? (unsigned char)v.p[i + 1] : 0;
		unsigned char f = i + 2 < v.len ? (unsigned char)v.p[i + 2] : 0;

		if (c == '"' || c == '\\') {
			buf_putc(b, '\\');
			buf_putc(b, (char)c);
		} else if (c < ' ' || c == 0x7f) {
			buf_printf(b, "\\x%02x", c);
		} else if (c == 0xc2 && d < 0xa0) { /* U+0080 to U+009F */
			buf_printf(b, "\\x%02x", d);
			i++;
		} else if (c == 0xe2 && d == 0x80 && (f == 0xa8 || f == 0xa9)) {
			buf_printf(b, "\\u20%02x", f - 0x80); /* line ends */
			i += 2;
		} else if (c == 0xef && d == 0xbb && f == 0xbf) {
			buf_puts(b, "\\ufeff");
			i += 2;
		} else if (c == 0xef && d == 0xbf && f >= 0xbe) {
			buf_printf(b, "\\uff%02x", f + 0x40);
			i += 2;
		} else {
			buf_putc(b, (char)c);
		}
	}
}

static void put_shell(struct buf *b, struct str v)
{
	buf_putc(b, '\'');
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == '\'')
			buf_puts(b, "'\\''");
		else
			buf_putc(b, v.p[i]);
	}
	buf_putc(b, '\'');
}

static void put_url(struct buf *b, struct str v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (plain(v.p[i]) || v.p[i] == '~')
			buf_putc(b, v.p[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)v.p[i]);
	}
}

int template_quote(enum template_quote q, struct str v, struct buf *b,
		   struct err *e)
{
	switch (q) {
	case QUOTE_JSON:
	case QUOTE_YAML:
		if (text_only(v, quotes[q], e))
			return -1;
		buf_putc(b, '"');
		if (q == QUOTE_YAML)
			put_yaml(b, v);
		else
			buf_json(b, v);
		buf_putc(b, '"');
		break;
	case QUOTE_SHELL:
		if (str_has(v, '\0'))
			return err_set(e, ERR_INVALID, "shell holds no byte 0");
		put_shell(b, v);
		break;
	case QUOTE_URL:
		put_url(b, v);
		break;
	case QUOTE_BASE64:
		b64_encode(b, v.p, v.len);
		break;
	case QUOTE_LINE:
		if (str_has(v, '\n') || str_has(v, '\r') || str_has(v, '\0'))
			return err_set(e, ERR_INVALID,
				       "line: it is of several lines");
		buf_str(b, v);
		break;
	case QUOTE_NONE:
	case N_QUOTES:
		buf_str(b, v);
		break;
	}
	return b->failed ? err_set(e, ERR_LIMIT, "over %zu bytes", b->max) : 0;
}
