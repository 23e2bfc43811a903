/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Completion.  The shells' scripts only ask `nfo __complete WORD...`, whose
 * last word is the one being typed, and get a candidate a line, with a tab and
 * a description; or ":files" or ":dirs", which the shell does better itself.
 * No server is started for it.
 */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/context.h"
#include "cli/describe.h"
#include "cli/verbs.h"
#include "job/keys.h"

#include <stdio.h>
#include <string.h>

struct typed {
	const char *const *words; /* the command first */
	size_t n;                 /* the last one is being typed */
	const char *run;          /* the RUN that was given; NULL: none */
};

static void offer(const struct typed *t, struct str word, const char *text)
{
	if (str_starts(word, str_from(t->words[t->n - 1])))
		printf(STR_FMT "\t%s\n", STR_ARG(word), text);
}

static void offer_all(const struct typed *t, struct str choices)
{
	while (choices.p && choices.len)
		offer(t, str_cut(&choices, '|'), "");
}

/* --- what only the server knows ----------------------------------------- */

static const struct {
	const char *word, *path, *key, *text;
	enum {
		OF_SERVER,
		OF_PROJECT, /* what context_project() says */
		OF_RUN      /* that was given */
	} of;
} asked[] = {
	{"RUN",       "/v1/runs?limit=100", "id",   "job",         OF_SERVER },
	{"JOB",       "/jobs?limit=500",    "name", "description", OF_PROJECT},
	{"TASK",      "/tasks",             "name", "state",       OF_RUN    },
	{"TASK.NAME", "/artifacts",         "name", "file",        OF_RUN    },
};

static void offer_items(const struct typed *t, const char *path,
			const char *key, const char *text)
{
	struct http_call c = {.method = "GET", .path = path};
	const struct doc_node *items;
	struct http_answer a;
	struct server s;
	struct doc *d;
	struct err e;

	if (connect_server(&s, &e) || http_do(&s, &c, &a, &e))
		return;
	d = a.status == 200 ? cli_json(&a) : NULL;
	items = doc_get(d ? d->root : NULL, "items");
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		char said[128];

		(void)snprintf(said, sizeof(said), STR_FMT,
			       STR_ARG(cli_text(n, text)));
		offer(t, cli_text(n, key), said);
	}
	doc_free(d);
	http_answer_done(&a);
}

static void offer_asked(const struct typed *t, size_t i)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);

	if (asked[i].of == OF_RUN && !t->run)
		return;
	if (asked[i].of == OF_RUN)
		cli_run_path(&path, str_from(t->run));
	if (asked[i].of == OF_PROJECT) {
		buf_puts(&path, "/v1/projects/");
		percent_encode(&path, str_from(context_project(NULL)));
	}
	if (buf_puts(&path, asked[i].path))
		offer_items(t, buf_cstr(&path), asked[i].key, asked[i].text);
}

/* --- what a word may be ------------------------------------------------- */

static void offer_keys(const struct typed *t)
{
	char name[128];

	for (size_t i = 0; i < job_n_keys; i++) {
		(void)snprintf(name, sizeof(name), "%s.%s", job_keys[i].where,
			       job_keys[i].name);
		offer(t, str_from(name), job_keys[i].help);
	}
}

/* word is what the usage line or the option's help calls it. */
static void offer_word(const struct typed *t, struct str word)
{
	static const struct {
		const char *word, *directive;
	} shells[] = {
		{"FILE",      ":files"},
                {"SCRIPT",    ":files"},
		{"PATH",      ":files"},
                {"JOB",       ":files"}, /* what is put */
		{"COMMAND",   ":files"},
                {"ARG",       ":files"},
		{"SRC[:DST]", ":files"},
                {"DIR",       ":dirs" },
	};

	if (str_is(word, "FILE|JOB"))
		word = STR("JOB"); /* which are files, too */
	if (str_has(word, '|'))
		offer_all(t, word);
	else if (str_is(word, "KEY"))
		offer_keys(t);
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (str_is(word, shells[i].word))
			puts(shells[i].directive);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (str_is(word, asked[i].word))
			offer_asked(t, i);
}

static void offer_opts(const struct typed *t, const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "--%s", opts[i].name);
		offer(t, str_from(name), opts[i].help);
	}
}

/* Takes what stands before the last word: options of the server that is to be
 * asked, the run, how many words are no options. */
static size_t look_at_words(struct typed *t, const struct opts_of *d,
			    const struct opt **ret_open)
{
	bool rest = false;
	size_t n = 0;

	*ret_open = NULL;
	for (size_t i = 1; i + 1 < t->n; i++) {
		const char *w = t->words[i];
		const struct opt *o = rest ? NULL : describe_option(d, w);

		if (!rest && !strcmp(w, "--")) {
			rest = true;
		} else if (o && o->kind != OPT_FLAG) {
			if (i + 2 == t->n)
				*ret_open = o;
			else if (o >= opts_common &&
				 o < opts_common + opts_n_common)
				*(const char **)o->to = t->words[i + 1];
			i++;
		} else if (!o && (rest || w[0] != '-')) {
			if (str_is(describe_word(d, n), "RUN"))
				t->run = w;
			n++;
		}
	}
	return n;
}

static void offer_for(struct typed *t, const struct opts_of *d)
{
	const char *word = t->words[t->n - 1];
	const struct opt *open;
	size_t n = look_at_words(t, d, &open);

	if (open) {
		offer_word(t, str_from(open->value));
	} else if (word[0] == '-') {
		offer_opts(t, d->opts, d->n);
		if (d->common)
			offer_opts(t, opts_common, opts_n_common);
		offer(t, STR("--help"), "what the command takes");
	} else {
		struct str next = describe_word(d, n);

		if (next.p)
			offer_word(t, next);
	}
}

int verb_complete(int argc, char **argv, const struct verb *v)
{
	static struct opts_of all[DESCRIBE_MAX];
	struct typed t = {(const char *const *)argv + 1, (size_t)(argc - 1),
			  NULL};
	size_t n = describe_all(all);

	(void)v;
	globals.no_start = true;
	for (size_t i = 0; i < n && t.n; i++) {
		if (t.n == 1)
			offer(&t, str_from(all[i].verb.name),
			      all[i].verb.summary);
		else if (!strcmp(all[i].verb.name, t.words[0]))
			offer_for(&t, &all[i]);
	}
	return EXIT_DONE;
}
