/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Texts as values of a row's form; what rows want of them.  For src/config. */
#pragma once

#include "config/config.h"

/* What is wrong with it; NULL: nothing. */
const char *value_name(struct str s);      /* [a-z][a-z0-9_-]{0,62} */
const char *value_url(struct str s);       /* https, http to loopback */
const char *value_issuer(struct str s);    /* https, no query, no slash at
					     * the end, at most 255 bytes */
const char *value_recipient(struct str s); /* age1..., as age-keygen writes */
const char *value_provider(struct str s);  /* a URL as value_url(), no query */
const char *value_jwt_alg(struct str s);   /* ES256, RS256, EdDSA */
const char *value_path(struct str s);      /* absolute */
const char *value_listen(struct str s);    /* ADDRESS:PORT */
const char *value_base_path(struct str s); /* "", "/", "/a/b", "/a/b/" */
const char *value_host(struct str s);
const char *value_mount(struct str s);   /* a/b: no slashes at its ends */
const char *value_network(struct str s); /* address, network, "unix" */

/*
 * Store a text as the value of a row; base is struct config, or an entry of a
 * list.  Not for CONFIG_PAIRS, MAP and MAPS.  A list gets one entry more.
 * false: ret_why and ret_hint (literals) say why not.
 */
struct value_why {
	const char *code, *hint;
	char text[PROBLEM_TEXT_MAX];
};
bool value_store(struct config *c, void *base, const struct config_key *k,
		 struct str s, struct value_why *why);
/* Empty the list of a row. */
void value_clear(void *base, const struct config_key *k);
/* A copy with a NUL behind it; aborts never: the arena is bounded by the text
 * that is read, and NULL becomes "". */
struct str value_copy(struct config *c, struct str s);
/* A mistake of several settings, at the one of the path where the file has
 * it. */
void config_wrong(const struct config *c, struct problems *ps, const char *path,
		  const char *code, const char *hint, const char *text);
/* providers.c: what is true of a list of them. */
void config_check_helpers(const struct config *c, struct problems *ps);
void config_check_providers(const struct config *c, struct problems *ps);
/* The defaults of all rows below `where` (read.c). */
void config_defaults(struct config *c, void *base, const char *where);
