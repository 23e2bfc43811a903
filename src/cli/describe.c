/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading the usage line of a command; see describe.h. */
#include "cli/describe.h"

#include <stdio.h>
#include <string.h>

static bool is_named(const struct opt *o, const char *arg)
{
	return arg[1] == '-' ? !strcmp(arg + 2, o->name) :
			       arg[1] == o->letter && o->letter && !arg[2];
}

const struct opt *describe_option(const struct opts_of *d, const char *arg)
{
	if (arg[0] != '-' || !arg[1])
		return NULL;
	for (size_t i = 0; i < d->n; i++)
		if (is_named(&d->opts[i], arg))
			return &d->opts[i];
	for (size_t i = 0; d->common && i < opts_n_common; i++)
		if (is_named(&opts_common[i], arg))
			return &opts_common[i];
	return NULL;
}

/* The next word without its brackets and dots. */
static struct str next(struct str *rest, bool *ret_more)
{
	struct str word = str_cut(rest, ' ');

	*ret_more = str_ends(word, STR("...")) || str_ends(word, STR("...]"));
	while (word.len && word.p[0] == '[')
		word = str_from_at(word, 1);
	while (word.len && strchr("].", word.p[word.len - 1]))
		word.len--;
	return word;
}

struct str describe_word(const struct opts_of *d, size_t i)
{
	struct str rest = str_from(d->verb.args), last = {NULL, 0};
	bool more = false;
	size_t n = 0;

	while (rest.p && rest.len) {
		struct str word = next(&rest, &more);
		const struct opt *o;
		char name[64];

		if (str_is(word, "OPTION") || !word.len)
			continue;
		if (word.p[0] != '-') {
			last = word;
			if (n++ == i)
				return word;
			continue;
		}
		(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(word));
		o = describe_option(d, name);
		if (o && o->kind != OPT_FLAG)
			(void)next(&rest, &more);
		more = false;
	}
	return more ? last : (struct str){NULL, 0};
}
