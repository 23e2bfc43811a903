/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The table and what is in force, for people and programs; see config.h. */
#include "base/log.h"
#include "config/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* In the largest unit that needs no fraction: "2m", "64K". */
static void put_scaled(struct buf *b, const struct config_key *k, int64_t v)
{
	static const struct {
		int64_t worth;
		const char *unit;
	} times[] =
		{
			{86400000000, "d"},
			{3600000000,  "h"},
			{60000000,    "m"},
			{1000000,     "s"},
        },
	  sizes[] = {
		  {INT64_C(1) << 40, "T"},
		  {1 << 30, "G"},
		  {1 << 20, "M"},
		  {1 << 10, "K"},
	  };
	bool is_time = k->form == CONFIG_DURATION;

	for (size_t i = 0; i < 4; i++) {
		int64_t worth = is_time ? times[i].worth : sizes[i].worth;

		if (!v || v % worth)
			continue;
		buf_printf(b, "%" PRId64 "%s", v / worth,
			   is_time ? times[i].unit : sizes[i].unit);
		return;
	}
	buf_printf(b, "%" PRId64 "%s", is_time ? v / 1000000 : v,
		   is_time ? "s" : "");
}

static void put_text(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	buf_json(b, s);
	buf_putc(b, '"');
}

static void put_choice(struct buf *b, const struct config_key *k, unsigned v)
{
	struct str rest = str_from(k->choices), one = STR("");

	for (unsigned i = 0; i <= v && rest.p; i++)
		one = str_cut(&rest, '|');
	put_text(b, one);
}

static void put_list(struct buf *b, const struct config_texts *l)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(b, i ? "," : "");
		put_text(b, l->items[i]);
	}
	buf_putc(b, ']');
}

static void put_pairs(struct buf *b, const struct config_pairs *l)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(b, i ? "," : "");
		put_text(b, l->items[i].name);
		buf_putc(b, ':');
		put_text(b, l->items[i].value);
	}
	buf_putc(b, '}');
}

static void put_maps(struct buf *b, const struct config_list *l,
		     const struct config_key *k);

static void put_value(struct buf *b, const void *base,
		      const struct config_key *k)
{
	const void *at = (const char *)base + k->at;

	switch (k->form) {
	case CONFIG_TEXT:
		put_text(b, *(const struct str *)at);
		break;
	case CONFIG_TEXTS:
		put_list(b, at);
		break;
	case CONFIG_INT:
		buf_printf(b, "%" PRId64, *(const int64_t *)at);
		break;
	case CONFIG_BOOL:
		buf_puts(b, *(const bool *)at ? "true" : "false");
		break;
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		buf_putc(b, '"');
		put_scaled(b, k, *(const int64_t *)at);
		buf_putc(b, '"');
		break;
	case CONFIG_CHOICE:
		put_choice(b, k, *(const unsigned *)at);
		break;
	case CONFIG_PAIRS:
		put_pairs(b, at);
		break;
	case CONFIG_MAPS:
		put_maps(b, at, k);
		break;
	case CONFIG_MAP:
		buf_puts(b, "null");
		break;
	}
}

static void put_maps(struct buf *b, const struct config_list *l,
		     const struct config_key *k)
{
	char path[80];

	config_key_path(k, path);
	buf_putc(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		const void *entry = (const char *)l->items + i * k->size;
		bool first = true;

		buf_puts(b, i ? ",{" : "{");
		for (size_t n = 0; n < config_n_keys; n++) {
			if (strcmp(config_keys[n].where, path) != 0)
				continue;
			buf_printf(b, "%s\"%s\":", first ? "" : ",",
				   config_keys[n].name);
			put_value(b, entry, &config_keys[n]);
			first = false;
		}
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

bool config_value_json(const struct config *c, const struct config_key *k,
		       struct buf *b)
{
	put_value(b, c, k);
	return !b->failed;
}

/* --- the table ---------------------------------------------------------- */

static void put_bounds(struct buf *b, const struct config_key *k)
{
	if (!k->min && !k->max)
		return;
	buf_puts(b, ", ");
	if (k->form == CONFIG_INT)
		buf_printf(b, "%" PRId64, k->min);
	else
		put_scaled(b, k, k->min);
	buf_puts(b, " to ");
	if (k->form == CONFIG_INT)
		buf_printf(b, "%" PRId64, k->max);
	else
		put_scaled(b, k, k->max);
}

bool config_key_takes(const struct config_key *k, struct buf *b)
{
	struct str rest = str_from(k->choices);

	switch (k->form) {
	case CONFIG_TEXT:
		buf_puts(b, "text");
		break;
	case CONFIG_TEXTS:
		buf_puts(b, "list");
		if (k->max)
			buf_printf(b, ", at most %" PRId64, k->max);
		break;
	case CONFIG_INT:
		buf_puts(b, "number");
		put_bounds(b, k);
		break;
	case CONFIG_BOOL:
		buf_puts(b, "true or false");
		break;
	case CONFIG_DURATION:
		buf_puts(b, "time");
		put_bounds(b, k);
		break;
	case CONFIG_SIZE:
		buf_puts(b, "size");
		put_bounds(b, k);
		break;
	case CONFIG_CHOICE:
		for (bool first = true; rest.p; first = false) {
			buf_puts(b, first ? "" : ", ");
			buf_str(b, str_cut(&rest, '|'));
		}
		break;
	case CONFIG_PAIRS:
		buf_puts(b, "map of texts");
		break;
	case CONFIG_MAP:
		buf_puts(b, "map");
		break;
	case CONFIG_MAPS:
		buf_puts(b, "list of maps");
		break;
	}
	return !b->failed;
}

static void explain_one(const struct config_key *k, const char *path,
			struct buf *b)
{
	buf_printf(b, "%s: ", path);
	(void)config_key_takes(k, b);
	if (k->fallback && *k->fallback)
		buf_printf(b, "; default %s", k->fallback);
	if (k->required)
		buf_puts(b, "; required");
	buf_printf(b, "\n  %s\n", k->help);
	if (k->example)
		buf_printf(b, "  %s: %s\n", k->name, k->example);
	if (k->option)
		buf_printf(b, "  The option --%s wins over it.\n", k->option);
	if (k->restart)
		buf_puts(b, "  Changed by a restart, not by a reload.\n");
}

/* The path itself, or below it. */
static bool is_at(struct str path, const char *key)
{
	struct str k = str_from(key);

	if (!path.len || str_eq(k, path))
		return true;
	return str_starts(k, path) && k.p[path.len] == '.';
}

bool config_explain(struct str path, struct buf *b)
{
	bool found = false;
	char key[80];

	for (size_t i = 0; i < config_n_keys; i++) {
		config_key_path(&config_keys[i], key);
		if (!is_at(path, key))
			continue;
		buf_puts(b, found ? "\n" : "");
		explain_one(&config_keys[i], key, b);
		found = true;
	}
	return found;
}

bool config_table_json(struct buf *b)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];
		char path[80];

		config_key_path(k, path);
		buf_printf(b, "%s{\"key\":\"%s\",\"type\":\"", i ? "," : "",
			   path);
		(void)config_key_takes(k, b);
		buf_puts(b, "\",\"default\":");
		if (k->fallback)
			put_text(b, str_from(k->fallback));
		else
			buf_puts(b, "null");
		buf_printf(b, ",\"reload\":%s,\"option\":",
			   k->restart ? "false" : "true");
		if (k->option)
			buf_printf(b, "\"--%s\"", k->option);
		else
			buf_puts(b, "null");
		buf_puts(b, ",\"help\":");
		put_text(b, str_from(k->help));
		buf_putc(b, '}');
	}
	return buf_puts(b, "]");
}

static void put_setting(struct buf *b, const struct config *start,
			const struct config *c, size_t i)
{
	static const char *const sources[] = {"default", "file", "option"};
	CLEANUP_BUF struct buf old = BUF_INIT(b->max), new = BUF_INIT(b->max);
	const struct config_key *k = &config_keys[i];
	const struct config *in_force = k->restart ? start : c;
	char path[80];

	config_key_path(k, path);
	(void)config_value_json(in_force, k, &old);
	(void)config_value_json(c, k, &new);
	buf_printf(b, "{\"key\":\"%s\",\"value\":", path);
	buf_str(b, buf_view(&old));
	buf_printf(b, ",\"source\":\"%s\",\"reload\":%s",
		   sources[in_force->source[i]], k->restart ? "false" : "true");
	if (!str_eq(buf_view(&old), buf_view(&new))) {
		buf_puts(b, ",\"after_restart\":");
		buf_str(b, buf_view(&new));
	}
	buf_putc(b, '}');
}

bool config_json(const struct config *start, const struct config *c,
		 struct buf *b)
{
	bool first = true;

	buf_putc(b, '[');
	for (size_t i = 0; i < config_n_keys; i++) {
		if (!config_key_is_told(&config_keys[i]))
			continue;
		buf_puts(b, first ? "" : ",");
		put_setting(b, start, c, i);
		first = false;
	}
	return buf_puts(b, "]");
}

void config_tell(const struct problems *ps, const char *file)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	struct str rest, line;

	problems_print(ps, file[0] ? file : "options", &b);
	rest = buf_view(&b);
	for (line = str_cut(&rest, '\n'); line.len; line = str_cut(&rest, '\n'))
		log_error(STR_FMT, STR_ARG(line));
}
