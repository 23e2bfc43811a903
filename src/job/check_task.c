/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One task by itself: what it runs, its names, its bounds; see check.h. */
#include "base/hex.h"
#include "job/check.h"
#include "job/keys.h"

#include <string.h>

/* --- what runs ---------------------------------------------------------- */

/* A file below the workspace, by a path that cannot lead out. */
static bool path_ok(struct str s)
{
	if (!s.len || s.len > 1000 || s.p[0] == '/')
		return false;
	while (s.p) {
		struct str part = str_cut(&s, '/');

		if (!part.len || str_is(part, "..") || str_is(part, "."))
			return false;
	}
	return true;
}

static void check_run(const struct doc_node *run, struct problems *ps)
{
	const struct doc_node *b64 = doc_get(run, "base64");
	const struct doc_node *file = doc_get(run, "file");
	CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);

	if (run->kind == DOC_STRING && run->text.len &&
	    memmem(run->text.p, run->text.len, "${{", 3))
		problem_at(ps, run, "expr-in-run",
			   "put it into `env` or `args`: a value must never "
			   "become code",
			   "run: ${{ }} in a script");
	if (run->kind != DOC_MAP)
		return;
	if (!b64 == !file)
		problem_at(ps, run, "bad-task", NULL,
			   "run: a text, file or base64 is wanted");
	if (b64 && b64->kind == DOC_STRING && b64_decode(b64->text, &b))
		problem_at(ps, b64, "bad-base64", NULL,
			   "run.base64: not base64");
	if (file && file->kind == DOC_STRING && !path_ok(file->text))
		problem_at(ps, file, "bad-value", "such as ci/build.sh",
			   "run.file: a path below the workspace is wanted");
}

static void only_with_run(const struct job_task *t, const char *key,
			  struct problems *ps)
{
	const struct doc_node *n = doc_get(t->node, key);

	if (n && !doc_get(t->node, "run"))
		problem_at_key(ps, n, "bad-task",
			       "argv starts a program without a shell",
			       "%s without run", key);
}

static void check_kind(const struct job_task *t, struct problems *ps)
{
	static const char *const kinds[] = {"run", "argv", "approval", "job"};
	const struct doc_node *argv = doc_get(t->node, "argv");
	const struct doc_node *run = doc_get(t->node, "run");
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		n += doc_get(t->node, kinds[i]) != NULL;
	if (n != 1)
		problem_at_key(ps, t->node, "bad-task", NULL,
			       "task \"" STR_FMT
			       "\": exactly one of run, argv, "
			       "approval, job is wanted, not %u",
			       STR_ARG(t->name), n);
	if (argv && argv->kind == DOC_LIST &&
	    (!argv->n || !argv->first->text.len))
		problem_at(ps, argv, "bad-task", NULL,
			   "argv: a program is wanted first");
	only_with_run(t, "args", ps);
	only_with_run(t, "shell", ps);
	if (run)
		check_run(run, ps);
}

/* The words of a shell: at least one. */
static void check_shell(const struct doc_node *shell, struct problems *ps)
{
	if (shell && shell->kind == DOC_STRING && !str_trim(shell->text).len)
		problem_at(ps, shell, "bad-value", "such as /bin/sh -eu",
			   "shell: empty");
}

/* --- environment -------------------------------------------------------- */

static bool variable_ok(struct str s)
{
	if (!s.len || s.len > 255 || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

static void check_env(const struct doc_node *map, size_t max,
		      struct problems *ps)
{
	size_t len = 0;

	if (!map)
		return;
	for (const struct doc_node *n = map->first; n; n = n->next)
		len += n->key.len + n->text.len;
	if (len > max)
		problem_at_key(ps, map, "too-large", "put it into a file",
			       "env: more than %zuK", max / 1024);
	if (map->n > CHECK_ENV_MAX)
		problem_at_key(ps, map, "too-many", NULL,
			       "env: more than %d variables", CHECK_ENV_MAX);
	for (const struct doc_node *n = map->first; n; n = n->next) {
		if (!variable_ok(n->key))
			problem_at_key(ps, n, "bad-name",
				       "letters, digits and _",
				       "env: \"" STR_FMT "\" is no name of a "
				       "variable",
				       STR_ARG(n->key));
		else if (str_is(n->key, "NFO") ||
			 str_starts(n->key, STR("NFO_")))
			problem_at_key(ps, n, "env-collision",
				       "names with NFO_ are made by the "
				       "executor",
				       "env: \"" STR_FMT "\" is taken",
				       STR_ARG(n->key));
	}
}

/* "a-b" and "a_b" would both be NFO_INPUT_A_B. */
bool check_same_variable(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		char x = a.p[i] == '-' ? '_' : a.p[i];
		char y = b.p[i] == '-' ? '_' : b.p[i];

		if (x != y)
			return false;
	}
	return true;
}

void check_collisions(const struct doc_node *map, const char *prefix,
		      struct problems *ps)
{
	size_t n_seen = 0;

	for (const struct doc_node *n = map ? map->first : NULL;
	     n && n_seen < CHECK_LIST_MAX; n = n->next, n_seen++)
		for (const struct doc_node *k = map->first; k != n; k = k->next)
			if (check_same_variable(k->key, n->key))
				problem_at_key(ps, n, "env-collision", NULL,
					       "\"" STR_FMT "\" and \"" STR_FMT
					       "\" would both be in the "
					       "variable %s...",
					       STR_ARG(k->key), STR_ARG(n->key),
					       prefix);
}

/* --- bounds ------------------------------------------------------------- */

static void check_retry(const struct doc_node *retry, struct problems *ps)
{
	static const char *const words[] = {"exit", "signal", "timeout",
					    "lost", "oom",    "host"};
	const struct doc_node *when = doc_get(retry, "when");

	for (const struct doc_node *n = when ? when->first : NULL; n;
	     n = n->next) {
		bool ok = false;
		uint64_t v;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			ok |= str_is(n->text, words[i]);
		ok |= str_starts(n->text, STR("exit-")) &&
		      !str_to_u64(str_from_at(n->text, 5), 255, &v);
		if (!ok)
			problem_at(ps, n, "bad-choice", NULL,
				   "retry.when: \"" STR_FMT "\" is not one of "
				   "exit, exit-N, signal, timeout, lost, oom, "
				   "host",
				   STR_ARG(n->text));
	}
}

static void check_stdout(const struct job_task *t, struct problems *ps)
{
	const struct doc_node *out = doc_get(t->node, "stdout");
	const struct doc_node *log = doc_get(out, "log");
	const struct doc_node *file = doc_get(out, "file");
	const struct doc_node *artifact = doc_get(out, "artifact");
	uint64_t size;

	if (log && !str_is(log->text, "all") && !str_is(log->text, "none") &&
	    job_size(log->text, &size))
		problem_at(ps, log, "bad-value", NULL,
			   "stdout.log: all, none or a size is wanted");
	if (file && (!file->text.len || file->text.len > 255 ||
		     str_has(file->text, '/') || file->text.p[0] == '.'))
		problem_at(ps, file, "bad-value", NULL,
			   "stdout.file: a plain file name is wanted");
	if (file && !artifact)
		problem_at_key(ps, file, "bad-value",
			       "give the artifact a name: artifact: NAME",
			       "stdout.file without stdout.artifact");
	if (artifact &&
	    doc_get_str(doc_get(t->node, "artifacts"), artifact->text))
		problem_at(ps, artifact, "bad-name", NULL,
			   "two artifacts are called \"" STR_FMT "\"",
			   STR_ARG(artifact->text));
}

static void too_many(const struct job_task *t, const char *key, uint32_t max,
		     struct problems *ps)
{
	const struct doc_node *n = doc_get(t->node, key);

	if (n && n->n > max)
		problem_at_key(ps, n, "too-many", NULL, "%s: more than %u", key,
			       max);
}

/* A network other than none under a profile that has no inet sockets. */
static void check_network(const struct job *j, const struct job_task *t,
			  struct problems *ps)
{
	const struct doc_node *net = job_sandbox_get(j, t, "network");
	struct str profile =
		job_text(job_sandbox_get(j, t, "profile"), "default");

	if (net && (net->kind == DOC_MAP || str_is(net->text, "host")) &&
	    (str_is(profile, "strict") || str_is(profile, "default") ||
	     str_is(profile, "build")))
		problem_at(ps, net, "profile-no-network", "use profile: net",
			   "profile \"" STR_FMT "\" has no network",
			   STR_ARG(profile));
}

static void check_outputs(const struct job_task *t, struct problems *ps)
{
	const struct doc_node *map = doc_get(t->node, "outputs");
	uint64_t size;

	for (const struct doc_node *n = map ? map->first : NULL; n;
	     n = n->next) {
		const struct doc_node *max = doc_get(n, "max");

		if (max && !job_size(max->text, &size) && size > 65536)
			problem_at(ps, max, "out-of-range", NULL,
				   "outputs: at most 64K");
	}
}

void check_task(const struct job *j, const struct job_task *t,
		struct problems *ps)
{
	if (t->node->kind != DOC_MAP)
		return;
	check_kind(t, ps);
	check_step(t, ps);
	check_shell(doc_get(t->node, "shell"), ps);
	check_env(doc_get(t->node, "env"), CHECK_ENV_LEN_MAX, ps);
	check_deliveries(j, t, ps);
	check_identities(t, ps);
	check_templates(j, t, ps);
	check_collisions(doc_get(t->node, "matrix"), "NFO_MATRIX_", ps);
	check_retry(doc_get(t->node, "retry"), ps);
	check_stdout(t, ps);
	check_cache(t, ps);
	check_outputs(t, ps);
	check_network(j, t, ps);
	too_many(t, "outputs", CHECK_LIST_MAX, ps);
	too_many(t, "artifacts", CHECK_LIST_MAX, ps);
	too_many(t, "files", CHECK_LIST_MAX, ps);
	too_many(t, "secrets", JOB_SECRETS_MAX, ps);
	too_many(t, "args", CHECK_ARGS_MAX, ps);
	too_many(t, "argv", CHECK_ARGS_MAX, ps);
}

/* What tasks inherit, checked where it is written. */
void check_defaults(const struct job *j, struct problems *ps)
{
	const struct doc_node *defaults = doc_get(j->doc->root, "defaults");

	check_env(doc_get(j->doc->root, "env"), CHECK_ENV_ALL_MAX, ps);
	check_env(doc_get(defaults, "env"), CHECK_ENV_ALL_MAX, ps);
	check_shell(doc_get(defaults, "shell"), ps);
	check_retry(doc_get(defaults, "retry"), ps);
}
