/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Plans: instances, turns, retries, inputs, and one attempt resolved. */
#include "job/plan.h"
#include "secrets/ref.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "nfo: 1\nname: x\nproject: web\n"

static const struct job_run_facts facts = {STR("run_1"), STR("api"),
					   STR("uid:7"), STR("")};

static struct job_plan *plan_of(struct str text, enum doc_syntax syntax,
				const char *inputs)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct job_plan *p;
	struct job *j;

	if (job_parse(text, syntax, &j, ps) ||
	    job_plan_new(j, str_from(inputs), &facts, &p, ps)) {
		problems_print(ps, "j", &b);
		fail_msg("%s", buf_cstr(&b));
	}
	return p;
}

#define PLAN(text, inputs) plan_of(STR(HEAD text), DOC_YAML, inputs)

static void names(const struct job_plan *p, struct buf *b)
{
	buf_reset(b);
	for (size_t i = 0; i < p->n; i++) {
		const struct job_instance *in = &p->instances[i];

		buf_printf(b, STR_FMT "(", STR_ARG(in->name));
		for (size_t k = 0; k < in->n_needs; k++)
			buf_printf(b, "%s%u", k ? "," : "", in->needs[k]);
		buf_printf(b, ")%u ", in->group);
	}
}

#define MATRIX                                                                 \
	"tasks:\n"                                                             \
	"  z: { run: x }\n"                                                    \
	"  t: { run: x, needs: [z], matrix: { os: [deb, arch], cc: [gcc, "     \
	"clang],\n"                                                            \
	"       exclude: [ { os: arch, cc: gcc } ], include: [ { os: bsd } ] " \
	"} }\n"                                                                \
	"  a: { run: x, needs: [t] }\n"                                        \
	"finally: { f: { run: x } }\n"

static void instances(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct job_plan *p = PLAN(MATRIX, "");

	(void)state;
	names(p, &b);
	assert_string_equal(buf_cstr(&b),
			    "z()0 t@gcc,deb(0)1 t@clang,deb(0)2 "
			    "t@clang,arch(0)3 t@bsd(0)4 a(1,2,3,4)5 f()6 ");
	assert_true(p->instances[6].is_finally);
	assert_int_equal(job_plan_find(p, STR("t@bsd")), 4);
	assert_int_equal(job_plan_find(p, STR("t")), -1);
	job_plan_free(p);
	p = PLAN("tasks: [ { run: x }, { name: b, run: x }, { run: x } ]", "");
	names(p, &b);
	assert_string_equal(buf_cstr(&b), "step-1()0 b(0)1 step-3(1)2 ");
	job_plan_free(p);
	p = PLAN("workspace: task\ntasks: [ { name: w, run: x }, { name: r, "
		 "run: x, stdin: w.stdout }, { name: l, run: x } ]",
		 "");
	names(p, &b);
	assert_string_equal(buf_cstr(&b), "w()0 r()0 l(1,0)2 ");
	job_plan_free(p);
}

/* A server that was restarted has only the canonical text. */
static void from_canonical(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(65536), a = BUF_INIT(65536),
			       b = BUF_INIT(65536);
	struct job_plan *p = PLAN(MATRIX, ""), *q;
	struct hash none = {{0}}, h, k;
	struct err e;

	(void)state;
	assert_int_equal(job_canonical(p->job, &text, &e), 0);
	q = plan_of(buf_view(&text), DOC_JSON, "");
	names(p, &a);
	names(q, &b);
	assert_string_equal(buf_cstr(&a), buf_cstr(&b));
	h = job_run_digest(p, buf_view(&text), STR(""), &none);
	k = job_run_digest(q, buf_view(&text), STR(""), &none);
	assert_true(hash_eq(&h, &k));
	k = job_run_digest(q, buf_view(&text), STR("sha256:1"), &none);
	assert_false(hash_eq(&h, &k));
	job_plan_free(p);
	job_plan_free(q);
}

/* Escaped it is twice as long, and still the job that was taken. */
static void long_canonical(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf yaml = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_BUF struct buf text = BUF_INIT(JOB_CANONICAL_MAX);
	struct job *j, *k;
	struct err e;

	(void)state;
	buf_puts(&yaml, HEAD "tasks: { a: { run: '");
	while (yaml.len < DOC_TEXT_MAX - 10)
		buf_putc(&yaml, '"');
	buf_puts(&yaml, "' } }\n");
	assert_int_equal(job_parse(buf_view(&yaml), DOC_YAML, &j, ps), 0);
	assert_int_equal(job_canonical(j, &text, &e), 0);
	assert_true(text.len > DOC_TEXT_MAX);
	assert_int_equal(job_parse_stored(buf_view(&text), &k, ps), 0);
	job_free(j);
	job_free(k);
}

/* --- inputs ------------------------------------------------------------- */

#define INPUTS                                                                 \
	"inputs:\n"                                                            \
	"  n: { type: int, min: 1, max: 9, default: 3 }\n"                     \
	"  must: { required: true, pattern: '^[a-z]+$' }\n"                    \
	"  dry: { type: bool, default: false }\n"                              \
	"  where: { enum: [here, there] }\n"                                   \
	"  list: { type: list }\n"                                             \
	"tasks: { a: { run: x } }\n"

static void good_inputs(void **state)
{
	static const char *const want[] = {"dry=true", "list=[\"a\",1]",
					   "must=abc", "n=7"};
	struct job_plan *p = PLAN(INPUTS, "{\"must\":\"abc\",\"n\":\"7\","
					  "\"dry\":true,\"list\":"
					  "\"[\\\"a\\\", 1]\"}");

	(void)state;
	assert_int_equal(p->n_inputs, 5);
	for (size_t i = 0, k = 0; i < p->n_inputs; i++) {
		char text[100];

		if (str_is(p->inputs[i].name, "where")) {
			assert_int_equal(p->inputs[i].value.len, 0);
			continue;
		}
		(void)snprintf(text, sizeof(text), STR_FMT "=" STR_FMT,
			       STR_ARG(p->inputs[i].name),
			       STR_ARG(p->inputs[i].value));
		assert_string_equal(text, want[k++]);
	}
	job_plan_free(p);
}

static void bad_inputs(void **state)
{
	static const char *const rows[][3] = {
		{"",				   "/inputs/must",  "is required" },
		{"{\"must\":\"abc\",\"n\":10}",        "/inputs/n",     "out of range"},
		{"{\"must\":\"abc\",\"n\":\"x\"}",     "/inputs/n",     "whole number"},
		{"{\"must\":\"abc\\n\"}",              "/inputs/must",  "pattern"     },
		{"{\"must\":5}",                       "/inputs/must",  "a text"      },
		{"{\"must\":\"abc\",\"dry\":\"yes\"}", "/inputs/dry",
		 "true or"							    },
		{"{\"must\":\"abc\",\"where\":\"x\"}", "/inputs/where",
		 "not one of"							 },
		{"{\"must\":\"abc\",\"list\":{}}",     "/inputs/list",  "a list"      },
		{"{\"must\":\"abc\",\"more\":1}",      "/inputs/more",
		 "no such input"						      },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
		struct job_plan *p;
		struct job *j;

		assert_int_equal(job_parse(STR(HEAD INPUTS), DOC_YAML, &j, ps),
				 0);
		assert_int_equal(
			job_plan_new(j, str_from(rows[i][0]), &facts, &p, ps),
			-1);
		assert_string_equal(ps->items[0].pointer, rows[i][1]);
		if (!strstr(ps->items[0].message, rows[i][2]))
			fail_msg("%s", ps->items[0].message);
		assert_string_equal(ps->items[0].code, "bad-input");
	}
}

/* --- turns -------------------------------------------------------------- */

static enum job_turn turn(const struct job_plan *p, size_t i,
			  const enum run_state *states)
{
	struct job_stand stand = {.states = states};
	enum job_turn t = TURN_WAIT;
	struct err e;

	assert_int_equal(job_plan_turn(p, i, &stand, &t, &e), 0);
	return t;
}

static void turns(void **state)
{
	/* a; b needs a; c needs a, if failed('a'); d: if always(); f at last */
	struct job_plan *p =
		PLAN("tasks:\n"
		     "  a: { run: x }\n"
		     "  b: { run: x, needs: [a] }\n"
		     "  c: { run: x, needs: [a], if: \"${{ failed('a') }}\" }\n"
		     "  d: { run: x, needs: [b], if: always() }\n"
		     "finally: { f: { run: x }, g: { run: x, needs: [f] } }\n",
		     "");
	enum run_state s[6] = {STATE_QUEUED};

	(void)state;
	assert_int_equal(turn(p, 0, s), TURN_RUN);
	assert_int_equal(turn(p, 1, s), TURN_WAIT);
	assert_int_equal(turn(p, 4, s), TURN_WAIT);
	s[0] = STATE_SUCCEEDED;
	assert_int_equal(turn(p, 1, s), TURN_RUN);
	assert_int_equal(turn(p, 2, s), TURN_SKIP);
	s[0] = STATE_FAILED;
	assert_int_equal(turn(p, 1, s), TURN_SKIP);
	assert_int_equal(turn(p, 2, s), TURN_RUN);
	s[0] = STATE_CANCELLED;
	assert_int_equal(turn(p, 1, s), TURN_SKIP);
	s[1] = STATE_SKIPPED;
	assert_int_equal(turn(p, 3, s), TURN_RUN);
	s[2] = s[3] = STATE_SUCCEEDED;
	assert_int_equal(turn(p, 4, s), TURN_RUN);
	assert_int_equal(turn(p, 5, s), TURN_WAIT);
	job_plan_free(p);
}

static void pipe_turns(void **state)
{
	struct job_plan *p = PLAN("tasks:\n"
				  "  a: { run: x }\n"
				  "  w: { run: x, needs: [a] }\n"
				  "  x: { run: x, stdin: w.stdout }\n",
				  "");
	enum run_state s[3] = {STATE_QUEUED, STATE_QUEUED, STATE_QUEUED};

	(void)state;
	assert_int_equal(p->instances[1].group, p->instances[2].group);
	assert_int_equal(turn(p, 2, s), TURN_WAIT); /* its writer waits */
	s[0] = STATE_SUCCEEDED;
	assert_int_equal(turn(p, 1, s), TURN_RUN);
	assert_int_equal(turn(p, 2, s), TURN_RUN);
	s[1] = STATE_SKIPPED;
	assert_int_equal(turn(p, 2, s), TURN_SKIP); /* nothing to read */
	s[0] = STATE_FAILED;
	s[1] = STATE_QUEUED;
	assert_int_equal(turn(p, 2, s), TURN_SKIP);
	job_plan_free(p);
}

static void retries(void **state)
{
	struct job_plan *p = PLAN(
		"tasks:\n"
		"  a: { run: x, retry: { max: 3, backoff: 10s, max_backoff: "
		"25s, when: [exit-75, lost] } }\n"
		"  b: { run: x, retry: { max: 1 } }\n"
		"  c: { run: x }\n",
		"");
	uint64_t us = 0;

	(void)state;
	assert_true(job_plan_retry(p, 0, 1, KIND_EXIT, 75, &us));
	assert_int_equal(us, 10000000);
	assert_true(job_plan_retry(p, 0, 2, KIND_LOST, -1, &us));
	assert_int_equal(us, 20000000);
	assert_true(job_plan_retry(p, 0, 3, KIND_LOST, -1, &us));
	assert_int_equal(us, 25000000);
	assert_false(job_plan_retry(p, 0, 4, KIND_LOST, -1, &us));
	assert_false(job_plan_retry(p, 0, 1, KIND_EXIT, 1, &us));
	assert_false(job_plan_retry(p, 0, 1, KIND_TIMEOUT, -1, &us));
	assert_true(job_plan_retry(p, 1, 1, KIND_EXIT, 1, &us));
	assert_false(job_plan_retry(p, 1, 1, KIND_POLICY, -1, &us));
	assert_false(job_plan_retry(p, 1, 1, KIND_LEAK, -1, &us));
	assert_false(job_plan_retry(p, 2, 1, KIND_LOST, -1, &us));
	job_plan_free(p);
}

/* --- attempts ----------------------------------------------------------- */

static int output(void *ctx, size_t i, struct str name, struct str *ret)
{
	(void)ctx;
	if (i != 0 || !str_is(name, "v"))
		return -1;
	*ret = STR("$(id); ${{ run.id }}");
	return 0;
}

static void attempt(void **state)
{
	static const enum run_state s[] = {STATE_SUCCEEDED, STATE_QUEUED};
	struct job_stand stand = {.states = s, .output = output};
	struct job_plan *p = PLAN(
		"env: { A: job, B: job }\n"
		"defaults: { env: { B: defaults }, timeout: 5m, sandbox: { "
		"profile: strict, limits: { memory: 1G, pids: 9 } } }\n"
		"secrets: { k: { store: key }, l: { store: other/key, version: "
		"3, on_leak: fail } }\n"
		"tasks:\n"
		"  a: { run: x, outputs: { v: {} }, artifacts: { bin: { path: "
		"b } } }\n"
		"  b:\n"
		"    needs: [a]\n"
		"    secrets: [k, l]\n"
		"    files: [a.bin]\n"
		"    shell: /bin/bash  -eu\n"
		"    env: { V: \"v=${{ tasks.a.outputs.v }}\", S: \"${{ "
		"tasks.a.state }}\" }\n"
		"    args: [\"${{ secrets.k.path }}\", \"${{ run.id }}\"]\n"
		"    sandbox: { limits: { memory: 2G, cpu: 1.5 } }\n"
		"    stdout: { log: 4K, artifact: out }\n"
		"    run: echo\n",
		"");
	struct job_attempt *a;
	struct err e;

	(void)state;
	assert_int_equal(job_plan_attempt(p, 1, &stand, &a, &e), 0);
	assert_true(a->has_script && str_is(a->script, "echo"));
	assert_int_equal(a->n_shell, 2);
	assert_true(str_is(a->shell[1], "-eu"));
	assert_true(str_is(a->args[0], "/run/nfo/secrets/k"));
	assert_true(str_is(a->args[1], "run_1"));
	assert_int_equal(a->n_env, 4);
	/* The task's own by name, then what it inherits; never read again. */
	assert_true(str_is(a->env[0].value, "succeeded"));
	assert_true(str_is(a->env[1].value, "v=$(id); ${{ run.id }}"));
	assert_true(str_is(a->env[2].value, "defaults"));
	assert_true(str_is(a->env[3].value, "job"));
	assert_true(str_is(a->profile, "strict"));
	assert_int_equal(a->limits.memory_bytes, (uint64_t)2 << 30);
	assert_int_equal(a->limits.pids, 9);
	assert_int_equal(a->limits.cpu_milli, 1500);
	assert_int_equal(a->log_max_bytes, 4096);
	assert_int_equal(a->limits.log_bytes, 4096);
	assert_int_equal(a->timeout_us, 300000000);
	assert_true(str_is(a->secrets[0].ref, "store:web/key"));
	assert_true(str_is(a->secrets[1].ref, "store:other/key?version=3"));
	assert_true(a->secrets[1].leak_fails && !a->secrets[0].leak_fails);
	assert_true(str_is(a->files[0].task, "a"));
	job_attempt_free(a);
	/* At submission nothing is known yet. */
	assert_int_equal(job_plan_attempt(p, 1, NULL, &a, &e), 0);
	assert_true(str_is(a->env[1].value, "v="));
	job_attempt_free(a);
	job_plan_free(p);
}

static void script_files(void **state)
{
	struct job_plan *p = PLAN("tasks: { a: { run: { file: -x/b.sh }, args: "
				  "[one] } }\nfinally: { f: { argv: [y] } }",
				  "");
	struct job_attempt *a;
	struct err e;

	(void)state;
	assert_int_equal(job_plan_attempt(p, 0, NULL, &a, &e), 0);
	assert_false(a->has_script);
	assert_int_equal(a->n_args, 4);
	assert_true(str_is(a->args[0], "/bin/sh"));
	assert_true(str_is(a->args[2], "./-x/b.sh"));
	assert_true(str_is(a->args[3], "one"));
	assert_int_equal(a->timeout_us, (uint64_t)3600 * 1000000);
	job_attempt_free(a);
	assert_int_equal(job_plan_attempt(p, 1, NULL, &a, &e), 0);
	assert_int_equal(a->timeout_us, (uint64_t)600 * 1000000);
	job_attempt_free(a);
	job_plan_free(p);
}

/* secrets/ref.h takes what is written here, letter by letter. */
static void references(void **state)
{
	static const char *const want[] = {
		"store:web/key",
		"vault:default:secret/app%20x/prod#a%23b",
		"vault:second:ssh/sign/d?kind=ssh-cert&p.a=1&p.b=x%2Fy",
		"vault:default:kv/x?version=4",
		"exec:pass?p.name=%C3%A4",
	};
	struct job_plan *p = PLAN(
		"inputs: { where: { enum: [prod, dev], default: prod } }\n"
		"secrets:\n"
		"  a: { store: key }\n"
		"  b: { vault: \"secret/app x/${{ inputs.where }}\", field: "
		"'a#b' }\n"
		"  c: { vault: ssh/sign/d, provider: second, kind: ssh-cert, "
		"params: { b: x/y, a: 1 } }\n"
		"  d: { vault: kv/x, version: 4 }\n"
		"  e: { exec: pass, params: { name: \xc3\xa4 } }\n"
		"tasks: { t: { run: x, secrets: [a, b, c, d, e] } }\n",
		"");
	struct job_attempt *a;
	struct err e;

	(void)state;
	assert_int_equal(job_plan_attempt(p, 0, NULL, &a, &e), 0);
	assert_int_equal(a->n_secrets, ARRAY_LEN(want));
	for (size_t i = 0; i < a->n_secrets; i++) {
		struct secret_ref ref;

		if (!str_is(a->secrets[i].ref, want[i]))
			fail_msg(STR_FMT, STR_ARG(a->secrets[i].ref));
		if (secret_ref_parse(a->secrets[i].ref, &ref, &e))
			fail_msg("%s: %s", want[i], e.text);
	}
	job_attempt_free(a);
	job_plan_free(p);
}

/* What only the expanded job can tell is told before a run is made. */
static void late_problems(void **state)
{
	static const char *const rows[] = {
		"tasks: { a: { run: x, matrix: { k: [p] }, artifacts: { b: { "
		"path: y } } }, c: { run: x, needs: [a], files: [a@q.b] } }",
		"tasks: { a: { run: x, matrix: { k: [p] } }, c: { run: x, "
		"needs: [a], if: \"tasks.a@q.state == 'failed'\" } }",
		"tasks: { a: { run: x, matrix: { k: [p, p] } } }",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
		CLEANUP_BUF struct buf b = BUF_INIT(4096);
		struct job_plan *p;
		struct job *j;

		buf_puts(&b, HEAD);
		buf_puts(&b, rows[i]);
		assert_int_equal(job_parse(buf_view(&b), DOC_YAML, &j, ps), 0);
		assert_int_equal(job_plan_new(j, STR(""), &facts, &p, ps), -1);
		assert_true(ps->n && ps->items[0].at.line == 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances),
		cmocka_unit_test(from_canonical),
		cmocka_unit_test(good_inputs),
		cmocka_unit_test(bad_inputs),
		cmocka_unit_test(turns),
		cmocka_unit_test(pipe_turns),
		cmocka_unit_test(retries),
		cmocka_unit_test(attempt),
		cmocka_unit_test(script_files),
		cmocka_unit_test(references),
		cmocka_unit_test(late_problems),
		cmocka_unit_test(long_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
