/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Templates: text with values put in, each quoted for the place where it
 * stands, so that no value says more than itself.
 *
 *   text  = anything, and "${{" put "}}"
 *   put   = what | quote "(" what ")"
 *   what  = "secrets." NAME ".value" | "secrets." NAME ".fields." FIELD
 *         | expression
 *   quote = "json" | "yaml" | "shell" | "url" | "base64" | "line"
 *
 * Expressions are evaluated where the attempt is made; secrets are put in by
 * the runner, which alone has them.  Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
	TEMPLATES_MAX = 16,             /* of a task */
	TEMPLATE_PARTS_MAX = 1000,      /* of one */
	TEMPLATE_TEXT_MAX = 64 * 1024,  /* bytes, as written */
	TEMPLATE_MADE_MAX = 256 * 1024, /* bytes, with its values */
	TEMPLATE_FIELD_MAX = 128,
};

enum template_quote {
	QUOTE_NONE,
	QUOTE_JSON,   /* a string, with its "" */
	QUOTE_YAML,   /* the same, and nothing that YAML cannot print */
	QUOTE_SHELL,  /* one word, in '' */
	QUOTE_URL,    /* a component: all but [A-Za-z0-9._~-] as %XX */
	QUOTE_BASE64, /* without line ends */
	QUOTE_LINE,   /* as it is, and refused when it has a line end */
	N_QUOTES,
};

/* One piece, borrowed from the text. */
struct template_part {
	enum {
		PART_TEXT,
		PART_EXPR,
		PART_SECRET,
	} kind;
	uint8_t quote;     /* enum template_quote; of PART_TEXT none */
	struct str text;   /* the text, or the expression */
	struct str secret; /* its name */
	struct str field;  /* "": it is one value */
};

/*
 * The next part, cut off from *rest; *rest empty: that was all.  ERR_INVALID:
 * the syntax is wrong, and *rest begins where.  Whether an expression is one is
 * for expr.h to say.
 */
MUST_USE int template_next(struct str *rest, struct template_part *ret,
			   struct err *e);

/* Appends value, quoted.  ERR_INVALID: it cannot stand in such a place. */
MUST_USE int template_quote(enum template_quote q, struct str value,
			    struct buf *b, struct err *e);

/* A file below $NFO_SECRETS: [A-Za-z0-9._-]+, at most 63, no dot first. */
bool template_file_ok(struct str s);
