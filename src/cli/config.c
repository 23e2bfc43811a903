/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo config`, and the settings that `nfo serve` starts with. */
#include "base/mem.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	OUT_MAX = 1 << 20
};

static enum doc_syntax syntax_of(const char *name, struct err *e)
{
	enum doc_syntax s = doc_syntax_of_name(str_from(name));

	if (s == DOC_SYNTAX_UNKNOWN && strcmp(name, "-") != 0)
		err_set(e, ERR_INVALID,
			"%s: the name must end in .yaml, .yml, .json or .toml",
			name);
	return strcmp(name, "-") ? s : DOC_YAML;
}

/* Read into c; all mistakes are in ps. */
static int read_file(struct config *c, const char *name, struct problems *ps,
		     struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(DOC_TEXT_MAX);
	enum doc_syntax s = syntax_of(name, e);

	if (s == DOC_SYNTAX_UNKNOWN || cli_read(name, &text, e))
		return -1;
	(void)!config_read(c, buf_view(&text), s, ps);
	return 0;
}

static int overlay(struct config *c, const struct opt_list *options,
		   struct err *e)
{
	for (size_t i = 0; i < options->n; i++) {
		struct str value = str_from(options->items[i]);
		struct str path = str_cut(&value, '=');

		if (!value.p)
			return err_set(e, ERR_INVALID,
				       "--set %s: KEY=VALUE is wanted",
				       options->items[i]);
		if (config_set(c, path, value, e))
			return err_wrap(e, "--set %s", options->items[i]);
	}
	return 0;
}

static void tell(const struct problems *ps, const char *file)
{
	CLEANUP_BUF struct buf out = BUF_INIT(OUT_MAX);

	if (globals.json)
		problems_json(ps, &out);
	else
		problems_print(ps, file ? file : "options", &out);
	fprintf(globals.json ? stdout : stderr, "%s%s", buf_cstr(&out),
		globals.json ? "\n" : "");
}

struct config *config_load(const char *file, const struct opt_list *options)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct config *c = config_new();
	struct err e = {0};

	if ((file && read_file(c, file, ps, &e)) || overlay(c, options, &e)) {
		cli_fail(&e);
	} else if (ps->n || config_check(c, ps)) {
		tell(ps, file);
	} else {
		return c;
	}
	config_free(c);
	return NULL;
}

/* --- nfo config --------------------------------------------------------- */

static const struct opt_list no_options;

static int check(const char *file)
{
	struct config *c = config_load(file, &no_options);

	if (!c)
		return EXIT_USAGE;
	config_free(c);
	if (globals.json)
		puts("[]");
	else
		printf("%s: ok\n", file);
	return EXIT_DONE;
}

static void put_row(struct table *t, const struct config *c,
		    const struct config_key *k)
{
	static const char *const sources[] = {"default", "file", "option"};
	CLEANUP_BUF struct buf value = BUF_INIT(OUT_MAX);
	char path[80];

	config_key_path(k, path);
	(void)config_value_json(c, k, &value);
	table_cell(t, "%s", path);
	table_cell(t, "%s", buf_cstr(&value));
	table_cell(t, "%s", sources[c->source[k - config_keys]]);
}

static int show(const char *file)
{
	static const char *const heads[] = {"KEY", "VALUE", "SOURCE"};
	CLEANUP_BUF struct buf b = BUF_INIT(OUT_MAX);
	struct config *c = config_load(file, &no_options);
	struct table t;

	if (!c)
		return EXIT_USAGE;
	if (globals.json) {
		(void)config_json(c, c, &b);
		puts(buf_cstr(&b));
	} else {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (size_t i = 0; i < config_n_keys; i++)
			if (config_key_is_told(&config_keys[i]))
				put_row(&t, c, &config_keys[i]);
		table_print(&t);
	}
	config_free(c);
	return EXIT_DONE;
}

/* --- of the server ------------------------------------------------------ */

static void put_setting(struct table *t, const struct doc_node *n)
{
	CLEANUP_BUF struct buf value = BUF_INIT(OUT_MAX);
	const struct doc_node *later = doc_get(n, "after_restart");
	struct err e;

	(void)!doc_write_canonical(doc_get(n, "value"), &value, &e);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "key")));
	table_cell(t, "%s", buf_cstr(&value));
	table_cell(t, STR_FMT "%s", STR_ARG(cli_text(n, "source")),
		   later ? ", other after a restart" : "");
}

static int show_server(void)
{
	static const char *const heads[] = {"KEY", "VALUE", "SOURCE"};
	struct http_answer a = {.status = 0};
	struct doc *d;
	struct table t;
	int code = cli_get("/v1/system/config", &a, &d);

	if (!code && d) {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (const struct doc_node *n =
			     doc_get(d->root, "settings")->first;
		     n; n = n->next)
			put_setting(&t, n);
		table_print(&t);
	}
	if (!code) {
		doc_free(d);
		http_answer_done(&a);
	}
	return code;
}

/* What is new, a line each; what needs a restart to stderr. */
static void tell_reload(const struct doc_node *root)
{
	static const char *const others[] = {"policies", "certificate"};
	const struct doc_node *list = doc_get(root, "settings");
	bool yes;

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		printf(STR_FMT "\n", STR_ARG(n->text));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (!doc_as_bool(doc_get(root, others[i]), &yes) && yes)
			puts(others[i]);
	list = doc_get(root, "needs_restart");
	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		fprintf(stderr,
			"nfo: " STR_FMT ": a restart changes it, not a "
			"reload\n",
			STR_ARG(n->text));
}

static int reload(void)
{
	struct http_call c = {.method = "POST", .path = "/v1/system/reload"};
	struct http_answer a = {.status = 0};
	int code = cli_ask(&c, &a);
	struct doc *d;

	if (code)
		return code;
	d = globals.json ? NULL : cli_json(&a);
	if (globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	else if (d)
		tell_reload(d->root);
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int explain(const char *key)
{
	CLEANUP_BUF struct buf b = BUF_INIT(OUT_MAX);

	if (globals.json)
		(void)config_table_json(&b);
	else if (!config_explain(str_from(key), &b)) {
		fprintf(stderr,
			"nfo: no setting \"%s\" (see nfo config "
			"explain)\n",
			key);
		return EXIT_USAGE;
	}
	printf("%s%s", buf_cstr(&b), globals.json ? "\n" : "");
	return EXIT_DONE;
}

int verb_config(int argc, char **argv, const struct verb *v)
{
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n == 2 && !strcmp(argv[0], "check"))
		return check(argv[1]);
	if (n == 2 && !strcmp(argv[0], "show"))
		return show(argv[1]);
	if (n == 1 && !strcmp(argv[0], "show"))
		return show_server();
	if (n == 1 && !strcmp(argv[0], "reload"))
		return reload();
	if ((n == 1 || n == 2) && !strcmp(argv[0], "explain"))
		return explain(n == 2 ? argv[1] : "");
	return cli_usage(v);
}
