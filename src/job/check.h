/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the parts of a job say of each other; for src/job alone.  All of it
 * takes trees that the shape check has found fault with. */
#pragma once

#include "job/job.h"

enum {
	CHECK_LIST_MAX = 256, /* inputs, outputs, artifacts, files */
	CHECK_ENV_MAX = 1000, /* variables of one map */
	CHECK_ENV_LEN_MAX = 128 * 1024,
	CHECK_ENV_ALL_MAX = 32 * 1024, /* of what every task inherits */
	CHECK_ARGS_MAX = 10000,        /* items of one list */
	CHECK_AXES_MAX = 16,           /* lists of a matrix */
};

/* Graph: fills needs, all_needs and stdin_from of every task. */
void check_job(struct job *j, struct problems *ps);
/* check_task.c: one task by itself. */
void check_task(const struct job *j, const struct job_task *t,
		struct problems *ps);
/* check_steps.c: approvals and calls. */
void check_step(const struct job_task *t, struct problems *ps);
void check_defaults(const struct job *j, struct problems *ps);
/* Names that would be the same variable behind prefix. */
void check_collisions(const struct doc_node *map, const char *prefix,
		      struct problems *ps);
/* Both in one variable, as "a-b" and "a_b" are. */
bool check_same_variable(struct str a, struct str b);
/* check_secret.c: a declaration by itself. */
void check_declared(const struct doc_node *s, struct problems *ps);
/* check_secrets.c: those of the job and of its tasks; how they reach one. */
void check_secrets(const struct job *j, struct problems *ps);
void check_deliveries(const struct job *j, const struct job_task *t,
		      struct problems *ps);
/* identity.c */
void check_identities(const struct job_task *t, struct problems *ps);
/* check_template.c: a template by itself; those of a task. */
void check_template(const struct doc_node *n, struct str text,
		    struct problems *ps);
void check_templates(const struct job *j, const struct job_task *t,
		     struct problems *ps);
/* check_matrix.c: gives its values their kinds.  Returns its instances, 1 for
 * none; those that `exclude` takes away count too. */
size_t check_matrix(struct doc_node *matrix, struct problems *ps);
bool check_is_rule(struct str key); /* include, exclude, ... */
/* Is there such a value in any instance? */
bool check_matrix_has(const struct doc_node *matrix, struct str name);
/* check_inputs.c: declarations, their defaults. */
void check_inputs(const struct job *j, struct problems *ps);
/* cache.c: what a task keeps. */
void check_cache(const struct job_task *t, struct problems *ps);
/* git.c: what `source` says of a repository. */
void check_git(const struct job *j, struct problems *ps);
/* check_hooks.c: gives the values of `match` their kinds. */
void check_hooks(const struct job *j, struct problems *ps);
/* check_refs.c: secrets too, files, names in expressions. */
void check_refs(const struct job *j, struct problems *ps);

/*
 * "T.outputs.NAME" or "T.state", where T may be "test@3.10": *what is "outputs"
 * or "state", *output the NAME.  -1: none of both.
 */
MUST_USE int check_split(struct str s, struct str *task, struct str *what,
			 struct str *output);
/* "test@unit" is an instance of "test". */
struct str check_task_of(struct str instance);
