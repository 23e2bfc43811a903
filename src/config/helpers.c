/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Helpers that give secrets: what their settings have to be together, and the
 * list that goes to the monitor, which runs them. */
#include "config/values.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	HELPERS_MAX = 16,
	HELPER_ARGS_MAX = 32,
	HELPER_ARGS_LEN_MAX = 8000,
};

static void wrong(const struct config *c, const struct config_helper *h,
		  const char *code, const char *why, struct problems *ps)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "\"" STR_FMT "\": %s",
		       STR_ARG(h->name), why);
	config_wrong(c, ps, "secret_helpers", code, NULL, text);
}

/* One name is one state: tasks wait for it. */
static bool is_taken(const struct config *c, size_t i)
{
	const struct config_provider *p = c->secret_providers.items;
	const struct config_helper *all = c->secret_helpers.items;

	for (size_t k = 0; k < i; k++)
		if (str_eq(all[k].name, all[i].name))
			return true;
	for (size_t k = 0; k < c->secret_providers.n; k++)
		if (str_eq(p[k].name, all[i].name))
			return true;
	return false;
}

void config_check_helpers(const struct config *c, struct problems *ps)
{
	const struct config_helper *all = c->secret_helpers.items;

	if (c->secret_helpers.n > HELPERS_MAX)
		config_wrong(c, ps, "secret_helpers", "too-many", NULL,
			     "at most 16 helpers");
	for (size_t i = 0; i < c->secret_helpers.n; i++) {
		size_t len = 0;

		if (is_taken(c, i))
			wrong(c, &all[i], "twice",
			      "another helper or provider has that name", ps);
		if (!all[i].argv.n || value_path(all[i].argv.items[0]))
			wrong(c, &all[i], "bad-value",
			      "argv begins with the program's path", ps);
		for (size_t k = 0; k < all[i].argv.n; k++)
			len += all[i].argv.items[k].len + 2;
		if (all[i].argv.n > HELPER_ARGS_MAX ||
		    len > HELPER_ARGS_LEN_MAX)
			wrong(c, &all[i], "too-large",
			      "argv has at most 32 words and 8 KB", ps);
	}
}

static void frame(struct buf *b, const char *name, struct str s)
{
	buf_printf(b, "%s %zu\n" STR_FMT "\n", name, s.len, STR_ARG(s));
}

bool config_helpers(const struct config *c, struct buf *b)
{
	const struct config_helper *all = c->secret_helpers.items;
	bool ok = true;

	for (size_t i = 0; i < c->secret_helpers.n; i++) {
		CLEANUP_BUF struct buf one = BUF_INIT(b->max);
		char timeout[24];

		(void)snprintf(timeout, sizeof(timeout), "%" PRId64,
			       all[i].timeout_us / 1000000);
		frame(&one, "name", all[i].name);
		frame(&one, "network",
		      all[i].network == CONFIG_HELPER_HOST ? STR("host") :
							     STR("none"));
		frame(&one, "timeout", str_from(timeout));
		for (size_t k = 0; k < all[i].argv.n; k++)
			frame(&one, "arg", all[i].argv.items[k]);
		frame(b, "helper", buf_view(&one));
		ok &= !one.failed;
	}
	return ok && !b->failed;
}
