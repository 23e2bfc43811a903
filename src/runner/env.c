/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The environment and argv of a task; see env.h. */
#include "runner/env.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is the same for every task. */
static const char *const fixed[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=" RUNNER_WORK,
	"TMPDIR=/tmp",
	"LANG=C.UTF-8",
	"TZ=UTC",
	"SHELL=/bin/sh",
	"NFO=1",
	"NFO_HOST=",
	"NFO_WORKSPACE=" RUNNER_WORK,
	"NFO_OUTPUT=" RUNNER_OUTPUT,
	"NFO_SECRETS=" RUNNER_SECRETS,
	"NFO_FILES=" RUNNER_FILES,
};

enum {
	FIXED_MORE = 7
}; /* NFO_PROJECT .. NFO_AGENT, below */

static char *keep(struct runner_exec *x, struct str s, struct err *e)
{
	char *p;

	if (str_has(s, '\0')) {
		err_set(e, ERR_INVALID, "a NUL in an argument");
		return NULL;
	}
	p = arena_strndup(x->arena, s.p, s.len);
	if (!p)
		err_set(e, ERR_LIMIT,
			"arguments and environment are over 1 MiB");
	return p;
}

static int add_var(struct runner_exec *x, struct str name, struct str value,
		   bool may_replace, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RUNNER_EXEC_MAX);
	size_t at = 0;
	char *text = NULL;

	buf_str(&b, name);
	buf_putc(&b, '=');
	while (at < x->n_env && strncmp(x->env[at], b.data, b.len) != 0)
		at++;
	if (at < x->n_env && !may_replace)
		return err_set(e, ERR_INVALID,
			       "two sources for the variable " STR_FMT,
			       STR_ARG(name));
	if (!buf_str(&b, value))
		err_set(e, ERR_LIMIT, "a variable over 1 MiB");
	else
		text = keep(x, buf_view(&b), e);
	buf_wipe(&b);
	if (!text)
		return -1;
	x->env[at] = text;
	x->n_env += at == x->n_env;
	return 0;
}

/* PREFIX + name in upper case, every other character as '_'. */
static int add_upper(struct runner_exec *x, const char *prefix, struct str name,
		     struct str value, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(512);

	buf_puts(&b, prefix);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		buf_putc(&b, c);
	}
	if (b.failed)
		return err_set(e, ERR_LIMIT, "a name over 512 bytes");
	return add_var(x, buf_view(&b), value, false, e);
}

static int add_own(struct runner_exec *x, const struct job_attempt *a,
		   const char *agent, struct err *e)
{
	char number[16];

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		struct str value = str_from(fixed[i]);
		struct str name = str_cut(&value, '=');

		if (add_var(x, name, value, false, e))
			return -1;
	}
	(void)snprintf(number, sizeof(number), "%" PRIu32, a->number);
	return add_var(x, STR("NFO_PROJECT"), a->project, false, e) ||
			       add_var(x, STR("NFO_JOB"), a->job, false, e) ||
			       add_var(x, STR("NFO_RUN_ID"), a->run_id, false,
				       e) ||
			       add_var(x, STR("NFO_TASK"), a->task, false, e) ||
			       add_var(x, STR("NFO_ATTEMPT"), str_from(number),
				       false, e) ||
			       add_var(x, STR("NFO_AGENT"), str_from(agent),
				       false, e) ?
		       -1 :
		       0;
}

static int fill_env(struct runner_exec *x, const struct job_attempt *a,
		    const char *agent, const struct job_pair *secret_env,
		    size_t n_secret_env, struct err *e)
{
	int fd = RUNNER_FD_FIRST;

	if (add_own(x, a, agent, e))
		return -1;
	for (size_t i = 0; i < a->n_inputs; i++)
		if (add_upper(x, "NFO_INPUT_", a->inputs[i].name,
			      a->inputs[i].value, e))
			return -1;
	for (size_t i = 0; i < a->n_matrix; i++)
		if (add_upper(x, "NFO_MATRIX_", a->matrix[i].name,
			      a->matrix[i].value, e))
			return -1;
	for (size_t i = 0; i < n_secret_env; i++)
		if (add_upper(x, "", secret_env[i].name, secret_env[i].value,
			      e))
			return -1;
	for (size_t i = 0; i < a->n_secrets; i++) {
		char number[16];

		if (!(a->secrets[i].deliver & DELIVER_FD))
			continue;
		(void)snprintf(number, sizeof(number), "%d", fd++);
		if (add_upper(x, "NFO_SECRET_FD_", a->secrets[i].name,
			      str_from(number), e))
			return -1;
	}
	/* A task may set PATH or LANG, never what starts with NFO_. */
	for (size_t i = 0; i < a->n_env; i++)
		if (add_var(x, a->env[i].name, a->env[i].value,
			    !str_starts(a->env[i].name, STR("NFO")), e))
			return -1;
	return 0;
}

static int add_args(struct runner_exec *x, const struct str *list, size_t n,
		    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		x->argv[x->n_argv] = keep(x, list[i], e);
		if (!x->argv[x->n_argv])
			return -1;
		x->n_argv++;
	}
	return 0;
}

static int fill_argv(struct runner_exec *x, const struct job_attempt *a,
		     struct err *e)
{
	const struct str script = STR(RUNNER_SCRIPT);

	if (a->has_script && (add_args(x, a->shell, a->n_shell, e) ||
			      add_args(x, &script, 1, e)))
		return -1;
	if (add_args(x, a->args, a->n_args, e))
		return -1;
	if (!x->n_argv)
		return err_set(e, ERR_INVALID, "the task has no command");
	return 0;
}

int runner_exec_make(const struct job_attempt *a, const char *agent,
		     const struct job_pair *secret_env, size_t n_secret_env,
		     struct runner_exec *ret, struct err *e)
{
	size_t n_env = ARRAY_LEN(fixed) + FIXED_MORE + a->n_inputs +
		       a->n_matrix + a->n_env + n_secret_env + a->n_secrets;
	size_t n_argv = a->n_shell + 1 + a->n_args;
	struct runner_exec x = {0};

	x.arena = arena_new(RUNNER_EXEC_MAX);
	x.env = mem_array(n_env + 1, sizeof(*x.env));
	x.argv = mem_array(n_argv + 1, sizeof(*x.argv));
	if (fill_env(&x, a, agent, secret_env, n_secret_env, e) ||
	    fill_argv(&x, a, e)) {
		runner_exec_done(&x);
		return -1;
	}
	*ret = x;
	return 0;
}

void runner_exec_done(struct runner_exec *x)
{
	for (size_t i = 0; x->env && i < x->n_env; i++)
		mem_wipe(x->env[i], strlen(x->env[i]));
	arena_free(x->arena);
	mem_free(x->argv);
	mem_free(x->env);
	*x = (struct runner_exec){0};
}
