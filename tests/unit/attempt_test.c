/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An attempt as JSON and back: any bytes come through, nothing wrong does. */
#include "job/attempt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct job_attempt full(void)
{
	static struct str shell[] = {STR("/bin/sh"), STR("-eu")};
	static struct str args[] = {STR("a b"), STR("\xff\xfe"), STR("")};
	static struct job_pair env[] = {
		{STR("A"), STR("x\"\\\n\t")},
                {STR("B"), STR("\0\x01z")  }
        };
	static struct job_output outputs[] = {
		{STR("v"), STR("^[0-9]{1,4}$"), TYPE_INT, 64}
        };
	static struct str paths[] = {STR("out/*.tgz"), STR("x")};
	static struct str kept[] = {STR(".cache"), STR("a/b")};
	static struct job_artifact artifacts[] = {
		{STR("bin"), paths, 2, true, WHEN_ALWAYS, true, false, 5, 7}
        };
	static struct job_file files[] = {
		{STR("build@3.10"), STR("app.tgz"), STR("f0"), true, "ab"}
        };
	static struct job_secret_use secrets[] = {
		{STR("key"), STR("store:web/key"), STR(""), DELIVER_FILE,
		 true}
        };

	return (struct job_attempt){
		.project = STR("web"),
		.job = STR("release"),
		.run_id = STR("run_01"),
		.task = STR("test@unit"),
		.attempt = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		.number = 2,
		.fence = 77,
		.submitter = STR("uid:1000"),
		.trigger = STR("api"),
		.has_script = true,
		.script = STR("echo \0\xff\r\n"),
		.shell = shell,
		.n_shell = 2,
		.args = args,
		.n_args = 3,
		.env = env,
		.n_env = 2,
		.n_readers = 1,
		.log_mode = LOG_SIZE,
		.log_max_bytes = 4096,
		.stdout_artifact = STR("sums"),
		.stdout_file = STR("SUMS"),
		.outputs = outputs,
		.n_outputs = 1,
		.artifacts = artifacts,
		.n_artifacts = 1,
		.files = files,
		.n_files = 1,
		.secrets = secrets,
		.n_secrets = 1,
		.cache = { .key = STR("deps-1"),
			    .paths = kept,
			    .n_paths = 2,
			    .hit = STR("deps-0")},
		.profile = STR("build"),
		.network = STR("none"),
		.limits = {                   .memory_bytes = 1 << 20,                            .cpu_milli = 1500},
		.workspace_kind = WORKSPACE_SHARED,
		.has_source = true,
		.timeout_us = 60000000,
		.grace_us = 1000000,
	};
}

static void same(struct str a, struct str b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.p, b.p, a.len);
}

static void round_trip(void **state)
{
	CLEANUP_BUF struct buf first = BUF_INIT(ATTEMPT_JSON_MAX);
	CLEANUP_BUF struct buf second = BUF_INIT(ATTEMPT_JSON_MAX);
	struct job_attempt a = full(), *b;
	struct err e;

	(void)state;
	assert_true(job_attempt_encode(&a, &first));
	assert_int_equal(job_attempt_decode(buf_view(&first), &b, &e), 0);
	same(b->script, a.script);
	same(b->args[1], a.args[1]);
	same(b->env[1].value, a.env[1].value);
	same(b->artifacts[0].paths[1], STR("x"));
	same(b->secrets[0].ref, STR("store:web/key"));
	assert_string_equal(b->files[0].sha256, "ab");
	assert_int_equal(b->limits.cpu_milli, 1500);
	assert_int_equal(b->outputs[0].type, TYPE_INT);
	assert_true(b->has_source && b->has_script && !b->stdin_pipe);
	assert_true(job_attempt_encode(b, &second));
	same(buf_view(&first), buf_view(&second));
	job_attempt_free(b);
}

/* Encode a, expect the decoder to name what is wrong. */
static void refused(const struct job_attempt *a, const char *what)
{
	CLEANUP_BUF struct buf b = BUF_INIT(ATTEMPT_JSON_MAX);
	struct job_attempt *back = NULL;
	struct err e = {0};

	assert_true(job_attempt_encode(a, &b));
	assert_int_equal(job_attempt_decode(buf_view(&b), &back, &e), -1);
	if (!strstr(e.text, what))
		fail_msg("%s: no word of %s", e.text, what);
}

static void wrong_fields(void **state)
{
	struct job_attempt a = full();
	struct job_secret_use use = a.secrets[0];
	struct job_output output = a.outputs[0];
	struct job_file file = a.files[0];
	struct str up = STR("../x");

	(void)state;
	a.project = STR("*"); /* would be a pattern in a policy */
	refused(&a, "project");
	a = full();
	a.n_shell = 0;
	refused(&a, "script");
	a = full();
	a.has_script = false;
	a.n_args = 0;
	refused(&a, "script");
	a = full();
	memcpy(a.attempt.s, "not a ulid", 10);
	refused(&a, "attempt");
	a = full();
	a.cache.paths = &up;
	a.cache.n_paths = 1;
	refused(&a, "cache_paths");
	a = full();
	file.staged = STR("../x");
	a.files = &file;
	refused(&a, "files");
	a = full();
	use.deliver = 0;
	a.secrets = &use;
	refused(&a, "secrets");
	a = full();
	output.pattern = STR("((a{1,255}){1,255}){1,255}");
	a.outputs = &output;
	refused(&a, "pattern");
}

static void not_json(void **state)
{
	static const char *const texts[] = {"", "[]", "{}", "{\"project\":1}",
					    "{\"project\":{\"b64\":\"!\"}}"};
	struct job_attempt *a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(job_attempt_decode(str_from(texts[i]), &a, &e),
				 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(wrong_fields),
		cmocka_unit_test(not_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
