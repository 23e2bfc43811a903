/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Verbs that need no server: check, convert, import, explain, version. */
#include "base/mem.h"
#include "cli/verbs.h"
#include "job/import.h"
#include "job/job.h"
#include "job/keys.h"

#include <stdio.h>
#include <string.h>

enum {
	TEXT_MAX = 4 * DOC_TEXT_MAX
};

static enum doc_syntax syntax_of(const char *name, struct err *e)
{
	static const char *const others[] = {".hcl", ".ini", ".env", ".nomad"};
	enum doc_syntax s = doc_syntax_of_name(str_from(name));

	if (s != DOC_SYNTAX_UNKNOWN)
		return s;
	if (!strcmp(name, "-"))
		return DOC_YAML;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_ends(str_from(name), str_from(others[i]))) {
			err_set(e, ERR_INVALID,
				"%s: jobs are YAML, JSON or TOML, not %s", name,
				others[i] + 1);
			return s;
		}
	err_set(e, ERR_INVALID,
		"%s: the name must end in .yaml, .yml, .json or .toml", name);
	return s;
}

/* The job, or NULL with everything said. */
static struct job *load(const char *name, bool quiet_dead, int *code)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf text = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	struct err e = {0};
	enum doc_syntax s = syntax_of(name, &e);
	struct job *j = NULL;

	*code = EXIT_USAGE;
	if (s == DOC_SYNTAX_UNKNOWN || cli_read(name, &text, &e)) {
		cli_fail(&e);
		return NULL;
	}
	if (!job_parse(buf_view(&text), s, &j, ps))
		*code = 0;
	else if (globals.json)
		problems_json(ps, &out);
	else
		problems_print(ps, name, &out);
	if (j && !quiet_dead && job_not_supported(j, ps))
		for (size_t i = 0; i < ps->n; i++)
			fprintf(stderr, "%s:%u:%u: note: %s [%s]\n", name,
				ps->items[i].at.line, ps->items[i].at.column,
				ps->items[i].message, ps->items[i].code);
	if (out.len)
		fprintf(globals.json ? stdout : stderr, "%s%s", buf_cstr(&out),
			globals.json ? "\n" : "");
	return j;
}

int verb_check(int argc, char **argv, const struct verb *v)
{
	int code = EXIT_DONE, one, r;
	size_t n;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (!n)
		return cli_usage(v);
	for (size_t i = 0; i < n; i++) {
		struct job *j = load(argv[i], false, &one);

		if (j && !globals.json)
			printf("%s: ok, %zu task%s\n", argv[i], j->n_tasks,
			       j->n_tasks == 1 ? "" : "s");
		else if (j)
			puts("[]");
		job_free(j);
		if (one)
			code = one;
	}
	return code;
}

int verb_convert(int argc, char **argv, const struct verb *v)
{
	const char *to = NULL;
	const struct opt opts[] = {
		{"to", 't', OPT_TEXT, &to, "yaml|json|toml",
		 "the syntax that is wanted"}
        };
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_MAX);
	enum doc_syntax s;
	struct job *j;
	struct err e;
	int code, r;
	size_t n;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	s = to ? doc_syntax_of_type(str_from(to)) : DOC_SYNTAX_UNKNOWN;
	if (n != 1 || s == DOC_SYNTAX_UNKNOWN)
		return cli_usage(v);
	j = load(argv[0], true, &code);
	if (!j)
		return code;
	r = doc_write(j->doc->root, s, &b, &e);
	job_free(j);
	if (r)
		return cli_fail(&e);
	fwrite(b.data, 1, b.len, stdout);
	return EXIT_DONE;
}

int verb_import(int argc, char **argv, const struct verb *v)
{
	const char *name = NULL;
	const struct opt opts[] = {
		{"name", 0, OPT_TEXT, &name, "NAME", "of the job"}
        };
	CLEANUP_BUF struct buf in = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	char made[64];
	bool base64;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 1)
		return cli_usage(v);
	if (cli_read(argv[0], &in, &e))
		return cli_fail(&e);
	job_import_name(str_from(argv[0]), made);
	if (job_import(str_from(name ? name : made), buf_view(&in), &out,
		       &base64, &e))
		return cli_fail(&e);
	if (base64)
		fprintf(stderr,
			"nfo: %s holds bytes that YAML cannot (CR, escapes, "
			"other encodings): kept as base64\n",
			argv[0]);
	fwrite(out.data, 1, out.len, stdout);
	return EXIT_DONE;
}

int verb_explain(int argc, char **argv, const struct verb *v)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_MAX);
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (!n)
		for (size_t i = 0; i < job_n_keys; i++)
			printf("%-10s %-16s %s\n", job_keys[i].where,
			       job_keys[i].name, job_keys[i].help);
	for (size_t i = 0; i < n; i++)
		if (!job_explain(str_from(argv[i]), &b)) {
			fprintf(stderr,
				"nfo: no key \"%s\" in the job format\n",
				argv[i]);
			return EXIT_USAGE;
		}
	fputs(buf_cstr(&b), stdout);
	return EXIT_DONE;
}

int verb_version(int argc, char **argv, const struct verb *v)
{
	size_t n;
	int r = opts_parse(argc, argv, v, NULL, 0, &n);

	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	puts(globals.json ? "{\"version\":\"0.1.0\"}" : "nfo 0.1.0");
	return EXIT_DONE;
}
