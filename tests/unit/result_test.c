/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The result of an attempt as JSON and back. */
#include "job/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct job_result_artifact artifact = {
	.name = {"bin", 3},
	.staged = {"a0",     2},
	.file = {{"app.tgz", 7}},
	.size = 9,
};
static struct job_result_output output = {
	{"v", 1},
        {{"\"1\"", 3}  }
};
static struct job_result_secret secret = {
	{"key", 3},
        5, 2
};

static struct job_result full(void)
{
	memset(artifact.sha256, 'a', HASH_HEX_LEN);
	return (struct job_result){
		.id = {.attempt = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"}, .fence = 3    },
		.state = STATE_FAILED,
		.kind = KIND_SIGNAL,
		.exit_code = -1,
		.signo = 9,
		.started_us = 5,
		.finished_us = 6,
		.usage = { .cpu_us = 7,                   .memory_peak_bytes = 8, .pids_peak = 2},
		.outputs = &output,
		.n_outputs = 1,
		.artifacts = &artifact,
		.n_artifacts = 1,
		.log_bytes = 10,
		.redactions = 1,
		.log_truncated = true,
		.secrets_away = true,
		.secrets = &secret,
		.n_secrets = 1,
		.error = REDACTED("it \"failed\"\n"),
		.hint = REDACTED("try"),
	};
}

static int through(const struct job_result *r, struct job_result **ret)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct err e;

	assert_true(job_result_encode(r, &b));
	return job_result_decode(buf_view(&b), ret, &e);
}

static void round_trip(void **state)
{
	struct job_result a = full(), *b;

	(void)state;
	assert_int_equal(through(&a, &b), 0);
	assert_string_equal(b->id.attempt.s, a.id.attempt.s);
	assert_int_equal(b->id.fence, 3);
	assert_int_equal(b->state, STATE_FAILED);
	assert_int_equal(b->kind, KIND_SIGNAL);
	assert_int_equal(b->exit_code, -1);
	assert_int_equal(b->signo, 9);
	assert_int_equal(b->usage.memory_peak_bytes, 8);
	assert_true(str_eq(b->error.clean, a.error.clean) && b->log_truncated &&
		    b->secrets_away);
	assert_true(str_is(b->outputs[0].value.clean, "\"1\""));
	assert_true(str_is(b->artifacts[0].file.clean, "app.tgz"));
	assert_string_equal(b->artifacts[0].sha256, artifact.sha256);
	assert_int_equal(b->n_secrets, 1);
	assert_true(str_is(b->secrets[0].name, "key"));
	assert_int_equal(b->secrets[0].seen, 5);
	assert_int_equal(b->secrets[0].joined, 2);
	job_result_free(b);
}

/* The server believes no path and no state that is not an end. */
static void refused(void **state)
{
	static const char *const names[] = {"../x", "a/b", ".x", ""};
	struct job_result a = full(), *b;

	(void)state;
	a.state = STATE_RUNNING;
	assert_int_equal(through(&a, &b), -1);
	a = full();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		artifact.staged = str_from(names[i]);
		assert_int_equal(through(&a, &b), -1);
	}
	artifact.staged = STR("a0");
	artifact.file = REDACTED("x/y");
	assert_int_equal(through(&a, &b), -1);
	artifact.file = REDACTED("app.tgz");
	a = full();
	memset(artifact.sha256, 'g', HASH_HEX_LEN);
	assert_int_equal(through(&a, &b), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
