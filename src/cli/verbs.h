/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Every verb of the command line; the table is cli.c. */
#pragma once

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/opts.h"
#include "config/config.h"
#include "doc/doc.h"

/* local.c: no server needed */
int verb_check(int argc, char **argv, const struct verb *v);
int verb_convert(int argc, char **argv, const struct verb *v);
int verb_import(int argc, char **argv, const struct verb *v);
int verb_explain(int argc, char **argv, const struct verb *v);
int verb_version(int argc, char **argv, const struct verb *v);
/* config.c */
int verb_config(int argc, char **argv, const struct verb *v);
/* serve.c */
int verb_serve(int argc, char **argv, const struct verb *v);
/* run.c */
int verb_run(int argc, char **argv, const struct verb *v);
/* job.c */
int verb_job(int argc, char **argv, const struct verb *v);
/* api.c */
int verb_api(int argc, char **argv, const struct verb *v);
/* hook.c */
int verb_hook(int argc, char **argv, const struct verb *v);
/* schedule.c */
int verb_schedule(int argc, char **argv, const struct verb *v);
/* context_verb.c */
int verb_context(int argc, char **argv, const struct verb *v);
/* cache.c */
int verb_lease(int argc, char **argv, const struct verb *v);
int verb_cache(int argc, char **argv, const struct verb *v);
/* token.c */
int verb_token(int argc, char **argv, const struct verb *v);
/* resource.c: by the verb's name */
int verb_resource(int argc, char **argv, const struct verb *v);
/* runs.c */
int verb_runs(int argc, char **argv, const struct verb *v);
int verb_show(int argc, char **argv, const struct verb *v);
int verb_cancel(int argc, char **argv, const struct verb *v);
/* again.c */
int verb_rerun(int argc, char **argv, const struct verb *v);
int verb_why(int argc, char **argv, const struct verb *v);
int verb_queue(int argc, char **argv, const struct verb *v);
/* top.c */
int verb_top(int argc, char **argv, const struct verb *v);
/* approve.c */
int verb_approvals(int argc, char **argv, const struct verb *v);
int verb_approve(int argc, char **argv, const struct verb *v);
/* plan.c */
int verb_plan(int argc, char **argv, const struct verb *v);
/* policy.c */
int verb_policy(int argc, char **argv, const struct verb *v);
/* content.c */
int verb_logs(int argc, char **argv, const struct verb *v);
int verb_artifact(int argc, char **argv, const struct verb *v);
/* events.c */
int verb_events(int argc, char **argv, const struct verb *v);
/* backup.c */
int verb_backup(int argc, char **argv, const struct verb *v);
int verb_restore(int argc, char **argv, const struct verb *v);
/* secret.c */
int verb_secret(int argc, char **argv, const struct verb *v);
/* identity.c */
int verb_identity(int argc, char **argv, const struct verb *v);
/* provider.c: what comes behind `nfo secret provider` */
int provider_verb(int argc, char **argv, const struct verb *v);

/* man.c, complete.c: told from the other verbs' tables */
int verb_man(int argc, char **argv, const struct verb *v);
int verb_complete(int argc, char **argv, const struct verb *v);
int verb_completion(int argc, char **argv, const struct verb *v);

/* part.c: ACTION JOB [PART], for what belongs to a stored job ("hooks"). */
struct part_action {
	const char *name, *rest; /* rest: of the path, behind the part */
	bool one;                /* of one part, which is named */
	int (*fn)(const char *path);
};
int part_verb(int argc, char **argv, const struct verb *v, const char *parts,
	      const struct part_action *actions, size_t n_actions);

/* --- shared ------------------------------------------------------------- */

/* Say an error (redundant prefixes and all) and give the exit code for it. */
int cli_fail(const struct err *e);
/* A request to the server; an answer of 400 or more is said on standard error
 * and becomes the exit code.  0: *ret is the caller's. */
int cli_ask(const struct http_call *c, struct http_answer *ret);
/* GET, for who prints tables: *ret is NULL when it was printed as JSON.  0:
 * both are the caller's, also when *ret is NULL. */
int cli_get(const char *path, struct http_answer *a, struct doc **ret);
int cli_usage(const struct verb *v);
/* "/v1/runs/run_..." of what was typed, which may be without the run_. */
void cli_run_path(struct buf *b, struct str run);
/* Print the answer's problem, with places in file (NULL: none). */
int cli_problem(const struct http_answer *a, const char *file);
/* Parse an answer; NULL after saying that it is malformed. */
struct doc *cli_json(const struct http_answer *a);
struct str cli_text(const struct doc_node *map, const char *key);
/* "2026-11-23 15:04:05" of an RFC 3339 text. */
void cli_time(struct str rfc, char out[24]);
/* "1.2s", "3m04s" between two RFC 3339 texts; "-" when one is missing. */
void cli_took(struct str from, struct str to, char out[16]);
void cli_size(uint64_t bytes, char out[16]);
bool cli_color(int fd);
const char *cli_state_color(struct str state); /* an escape sequence */
/* All of a file, or of standard input for "-". */
MUST_USE int cli_read(const char *name, struct buf *b, struct err *e);

/* A table on standard output, columns as wide as needed. */
enum {
	TABLE_COLUMNS_MAX = 8
};
struct table {
	size_t n_columns, n_rows, cap;
	char **cells;
};
void table_begin(struct table *t, size_t n_columns, const char *const *heads);
void table_cell(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void table_print(struct table *t); /* frees */

/* GET, and a table of the answer's items, a row each; the exit code. */
typedef void cli_row(struct table *t, const struct doc_node *item);
int cli_list(const char *path, size_t n_heads, const char *const *heads,
	     cli_row *row);
/* DELETE, with name escaped between the two; the exit code. */
int cli_delete(const char *before, const char *name, const char *behind);

/*
 * watch.c: print a run's logs as they come until it has ended.  Returns the
 * exit code of `nfo run`.  For its owner an interrupt cancels it, and the end
 * is told in a table.
 */
int watch_run(const struct server *s, struct str run_id, bool owner);
/* report.c */
int report_run(const struct server *s, struct str run_id, bool table);
void report_why(struct str task, struct str why, struct str hint);

/* run.c: {"inputs": {"k": "v"}} of --input; the server knows the types.  The
 * same with what else a run may be asked for with. */
enum {
	RUN_REQUEST_MAX = 256 * 1024
};
struct run_wish {
	struct opt_list inputs, labels;
	const char *priority; /* NULL: the job's */
};
MUST_USE int run_request(const struct run_wish *w, struct buf *b,
			 struct err *e);
MUST_USE int run_inputs(const struct opt_list *inputs, struct buf *b,
			struct err *e);
/* The run that was answered: follow it to its end, or print its id. */
int run_follow(const struct server *s, const struct http_answer *a,
	       bool detach);

/* config.c: a file (NULL: none), then options as "PATH=VALUE"; everything that is
 * wrong is said, and NULL is returned. */
struct config *config_load(const char *file, const struct opt_list *options);

/* source.c: the tree below dir as a tar in an unlinked file; its descriptor,
 * at its start. */
MUST_USE int source_pack(const char *dir, int *ret_fd, size_t *ret_files,
			 struct err *e);
