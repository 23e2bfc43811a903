/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Bounds on TOML text before it is parsed; see toml_scan.h. */
#include "doc/toml_scan.h"

#include <ctype.h>
#include <string.h>

struct scan {
	struct str text;
	size_t at;
	size_t depth, n_values, n_dots;
	size_t key_dots; /* of this key: each is a table within a table */
	bool statement;  /* nothing but space on this line, no bracket open */
};

static bool stands(const struct scan *s, const char *what)
{
	return str_starts(str_from_at(s->text, s->at), str_from(what));
}

/* Past a string; a string of one line ends with the line at the latest (toml++
 * stops there with an error). */
static void skip_string(struct scan *s)
{
	char quote = s->text.p[s->at];
	const char *three = quote == '"' ? "\"\"\"" : "'''";
	bool lines = stands(s, three);

	s->at += lines ? 3 : 1;
	while (s->at < s->text.len) {
		char c = s->text.p[s->at];

		if (c == '\n' && !lines)
			return;
		if (c == '\\' && quote == '"') {
			s->at += 2;
			continue;
		}
		if (!lines && c == quote) {
			s->at++;
			return;
		}
		if (lines && stands(s, three)) {
			s->at += 3;
			/* up to two quotes more are of the text */
			for (int i = 0; i < 2 && s->at < s->text.len &&
					s->text.p[s->at] == quote;
			     i++)
				s->at++;
			return;
		}
		s->at++;
	}
}

static void skip_comment(struct scan *s)
{
	while (s->at < s->text.len && s->text.p[s->at] != '\n')
		s->at++;
}

/* A header has a name: a bare or quoted key, or the ] that toml++ refuses. */
static bool is_header(const struct scan *s)
{
	struct str rest =
		str_from_at(s->text, s->at + (stands(s, "[[") ? 2 : 1));

	while (rest.len && (rest.p[0] == ' ' || rest.p[0] == '\t'))
		rest = str_from_at(rest, 1);
	return !rest.len || isalnum((unsigned char)rest.p[0]) ||
	       strchr("_-\"']", rest.p[0]);
}

static int step(struct scan *s)
{
	char c = s->text.p[s->at];

	if (c == '\n')
		s->statement = !s->depth;
	else if (c != ' ' && c != '\t')
		s->statement = false;
	switch (c) {
	case '"':
	case '\'':
		skip_string(s);
		return 0;
	case '#':
		skip_comment(s);
		return 0;
	case '[':
	case '{':
		s->depth++;
		s->n_values++;
		break;
	case ']':
	case '}':
		if (s->depth)
			s->depth--;
		break;
	case '=':
	case ',':
		s->n_values++;
		break;
	case '.':
		s->n_dots++;
		s->key_dots++;
		break;
	default:
		break;
	}
	if (strchr("[{]}=,\n", c))
		s->key_dots = 0;
	s->at++;
	/* a header opens two brackets of its own */
	return s->depth > DOC_DEPTH_MAX + 2 || s->key_dots > DOC_DEPTH_MAX ?
		       -1 :
		       0;
}

static int refuse(const struct scan *s, struct problems *ps, const char *hint,
		  const char *what)
{
	problem_add(ps, tree_place(s->text, s->at), "toml-syntax", hint, "%s",
		    what);
	return -1;
}

int toml_scan(struct str text, struct problems *ps)
{
	struct scan s = {.text = text, .statement = true};

	while (s.at < text.len) {
		if (s.statement && text.p[s.at] == '[' && !is_header(&s))
			return refuse(&s, ps, NULL, "a table needs a name");
		if ((unsigned char)text.p[s.at] >= 0x80)
			return refuse(&s, ps, "quote keys and texts",
				      "a character beyond ASCII");
		if (step(&s)) {
			problem_add(ps, tree_place(text, s.at - 1), "too-deep",
				    NULL, "nested deeper than %d levels",
				    DOC_DEPTH_MAX);
			return -1;
		}
		/* a value may have a bracket and a comma or = to itself */
		if (s.n_values > 2 * DOC_NODES_MAX ||
		    s.n_dots > DOC_NODES_MAX) {
			problem_add(ps, tree_place(text, s.at - 1),
				    "too-many-values", NULL,
				    "more than %d values", DOC_NODES_MAX);
			return -1;
		}
	}
	return 0;
}
