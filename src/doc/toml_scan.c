/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Bounds on TOML text before it is parsed; see toml_scan.h. */
#include "doc/toml_scan.h"

#include <string.h>

struct scan {
	struct str text;
	size_t at;
	size_t depth, n_values, n_dots;
	size_t key_dots; /* of this key: each is a table within a table */
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

static int step(struct scan *s)
{
	char c = s->text.p[s->at];

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

int toml_scan(struct str text, struct problems *ps)
{
	struct scan s = {.text = text};

	if (stands(&s, "\xef\xbb\xbf")) { /* toml++ skips it once more */
		problem_add(ps, (struct doc_place){1, 1}, "toml-syntax", NULL,
			    "a second byte order mark");
		return -1;
	}
	while (s.at < text.len) {
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
