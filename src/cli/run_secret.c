/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See run_secret.h. */
#include "cli/run_secret.h"
#include "base/hash.h"
#include "base/hex.h"
#include "cli/secret.h"
#include "job/keys.h"

#include <stdio.h>
#include <string.h>

enum {
	ONCE_RANDOM = 8, /* bytes */
	ONCE_NAME_MAX = 40
};

/* --- replaced ----------------------------------------------------------- */

/* What stays of a declaration: how the value gets to the task. */
static bool stays(struct str key)
{
	return str_is(key, "deliver") || str_is(key, "on_leak");
}

static void becomes_stored(struct doc *d, struct doc_node *decl,
			   struct str name)
{
	struct doc_node *n = decl->first;

	decl->first = decl->last = NULL;
	decl->n = 0;
	for (struct doc_node *next; n; n = next) {
		next = n->next;
		if (stays(n->key))
			doc_add(d, decl, n->key, DOC_STRING, n->text);
	}
	doc_add_str(d, decl, "store", name);
}

static struct str once_for(struct run_secrets *s, struct str name,
			   const char *file)
{
	struct once *o = &s->once[s->n_once++];
	unsigned char raw[ONCE_RANDOM];
	char hex[2 * ONCE_RANDOM + 1];
	size_t n = name.len < ONCE_NAME_MAX ? name.len : ONCE_NAME_MAX;

	random_bytes(raw, sizeof(raw));
	hex_encode(raw, sizeof(raw), hex);
	(void)snprintf(o->name, sizeof(o->name), "once-%.*s-%s", (int)n, name.p,
		       hex);
	o->file = file;
	return str_from(o->name);
}

/* SECRET or PROJECT/SECRET */
static bool stored_name_ok(struct str s)
{
	struct str rest = s;
	struct str first = str_cut(&rest, '/');

	return job_name_ok(first) && (!rest.p || job_name_ok(rest));
}

static int replace(struct run_secrets *s, struct job *j, const char *item,
		   struct err *e)
{
	struct str how = str_from(item);
	struct str name = str_cut(&how, '=');
	bool file = str_starts(how, STR("@")) && how.len > 1;
	bool store = str_starts(how, STR("store:")) &&
		     stored_name_ok(str_n(how.p + 6, how.len - 6));
	struct doc_node *decl;

	/* It may be a value: nothing of it is said again. */
	if (!job_name_ok(name) || !(file || store))
		return err_set(e, ERR_INVALID,
			       "--secret: NAME=store:SECRET or NAME=@FILE is "
			       "wanted; a value is not taken here, where every "
			       "user of the machine can read it (put it into "
			       "a file, or `nfo secret put`)");
	decl = doc_get_str(doc_get(j->doc->root, "secrets"), name);
	if (!decl)
		return err_set(e, ERR_INVALID,
			       "--secret " STR_FMT
			       ": the job declares no such secret",
			       STR_ARG(name));
	if (!doc_get(decl, "vault"))
		return err_set(e, ERR_INVALID,
			       "--secret " STR_FMT
			       ": given twice, or not of a Vault (`vault:`); "
			       "nothing else is replaced",
			       STR_ARG(name));
	if (!doc_get(decl, "field"))
		return err_set(e, ERR_INVALID,
			       "--secret " STR_FMT
			       ": the job takes a directory of fields, this "
			       "would be one value (name one with `field`)",
			       STR_ARG(name));
	becomes_stored(j->doc, decl,
		       file ? once_for(s, name, how.p + 1) :
			      str_n(how.p + 6, how.len - 6));
	return 0;
}

int run_secrets_replace(struct run_secrets *s, struct job *j, struct err *e)
{
	if (s->given.n > JOB_SECRETS_MAX)
		return err_set(e, ERR_INVALID, "--secret: more than %d",
			       JOB_SECRETS_MAX);
	for (size_t i = 0; i < s->given.n; i++)
		if (replace(s, j, s->given.items[i], e))
			return -1;
	return 0;
}

/* --- for a while -------------------------------------------------------- */

static void hold_interrupts(struct run_secrets *s)
{
	sigset_t interrupt;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &interrupt, &s->before);
	s->held = true;
}

static int put_one(struct once *o, const char *project)
{
	struct secret_args args = {
		.project = project,
		.if_version = "0",
		.v = (char *[]){o->name, NULL},
		.n = 1
        };
	struct buf value = BUF_INIT(SECRET_VALUE_BYTES);
	struct http_answer a;
	struct err e;
	int code;

	if (cli_read(o->file, &value, &e)) {
		code = cli_fail(&e);
	} else {
		/* If its answer is lost, it may be there. */
		o->there = true;
		code = secret_send(&args, buf_view(&value), &a);
		if (!code) {
			secret_say_redaction(&a);
			http_answer_done(&a);
		} else if (code != EXIT_NO_SERVER) {
			o->there = false;
		}
	}
	buf_wipe(&value);
	return code;
}

int run_secrets_put(struct run_secrets *s, const char *project)
{
	int code = 0;

	if (s->n_once)
		hold_interrupts(s);
	for (size_t i = 0; i < s->n_once && !code; i++)
		code = put_one(&s->once[i], project);
	return code;
}

bool run_secrets_remove(struct run_secrets *s, const char *project)
{
	bool all = true;

	for (size_t i = 0; i < s->n_once; i++) {
		struct once *o = &s->once[i];

		if (o->there && secret_remove(project, o->name)) {
			fprintf(stderr,
				"nfo: left behind: nfo secret rm %s "
				"--project %s\n",
				o->name, project);
			all = false;
		}
		o->there = false;
	}
	if (s->held)
		(void)sigprocmask(SIG_SETMASK, &s->before, NULL);
	s->held = false;
	return all;
}
