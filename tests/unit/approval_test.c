/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an approval asks for, and what a yes is bound to. */
#include "job/approval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                   \
	"nfo: 1\nname: x\n"                                                    \
	"inputs: { to: { type: string, default: staging } }\n"                 \
	"tasks:\n  a: { approval: "

static struct job_plan *plan_of(const char *approval, const char *inputs)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct job_run_facts facts = {STR("run_X"), STR("api"), STR("uid:0")};
	struct job_plan *p;
	struct job *j;

	buf_printf(&b, HEAD "%s }\n", approval);
	if (job_parse(buf_view(&b), DOC_YAML, &j, ps) ||
	    job_plan_new(j, str_from(inputs), &facts, &p, ps))
		return NULL;
	return p;
}

static void read_one(const char *text, const char *inputs,
		     struct job_approval *ret, struct job_plan **p,
		     struct arena *a)
{
	struct err e;

	*p = plan_of(text, inputs);
	assert_non_null(*p);
	assert_int_equal((*p)->instances[0].action, ACTION_APPROVAL);
	if (job_plan_approval(*p, 0, NULL, a, ret, &e))
		fail_msg("%s", e.text);
}

static void reads(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct job_approval x;
	struct job_plan *p;

	(void)state;
	read_one("{ from: [user/u] }", "", &x, &p, a);
	assert_true(x.wanted && x.count == 1 && !x.submitter_may);
	assert_true(!x.expires_us && !x.message.len && !x.show);
	assert_int_equal(x.from->n, 1);
	job_plan_free(p);
	read_one("{ from: [group/g, role/admin], count: 3, not: nobody, "
		 "expires: 2h, when: inputs.to == 'prod', "
		 "message: \"to ${{ inputs.to }}?\" }",
		 "{\"to\":\"prod\"}", &x, &p, a);
	assert_true(x.wanted && x.count == 3 && x.submitter_may);
	assert_int_equal(x.expires_us, (int64_t)7200 * 1000000);
	assert_true(str_is(x.message, "to prod?"));
	job_plan_free(p);
	read_one("{ from: [user/u], when: inputs.to == 'prod' }", "", &x, &p,
		 a);
	assert_false(x.wanted);
	job_plan_free(p);
	arena_free(a);
}

static void refuses(void **state)
{
	static const char *const texts[] = {
		"{ from: [] }",
		"{ from: [ann] }",
		"{ from: [user/] }",
		"{ from: [role/king] }",
		"{ count: 1 }",
		"{ from: [user/u], count: 0 }",
		"{ from: [user/u], count: 21 }",
		"{ from: [user/u], not: everybody }",
		"{ from: [user/u], when: inputs.none }",
		"{ from: [user/u], message: \"${{ inputs.none }}\" }",
		"{ from: [user/u], show: [b.bin] }",
	};
	CLEANUP_BUF struct buf b = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (plan_of(texts[i], ""))
			fail_msg("%s", texts[i]);
	buf_puts(&b, "{ from: [user/u], message: \"");
	for (size_t i = 0; i <= APPROVAL_MESSAGE_MAX; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\" }");
	assert_null(plan_of(buf_cstr(&b), ""));
}

/* An input can make it longer than what was written. */
static void grows_too_long(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);

	(void)state;
	buf_puts(&b, "{\"to\":\"");
	for (size_t i = 0; i <= APPROVAL_MESSAGE_MAX; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\"}");
	assert_null(plan_of("{ from: [user/u], message: \"${{ inputs.to }}\" }",
			    buf_cstr(&b)));
}

static bool same(const char *run, const char *digest, const char *task,
		 const char *message, const char *name, const char *sha256)
{
	const struct job_shown first = {STR("b.bin"), "00ff"};
	const struct job_shown shown = {str_from(name), sha256};
	struct hash a = job_approval_digest(STR("run_X"), STR("abc"), STR("t"),
					    STR("m"), &first, 1);
	struct hash b = job_approval_digest(str_from(run), str_from(digest),
					    str_from(task), str_from(message),
					    &shown, name[0] ? 1 : 0);

	return hash_eq(&a, &b);
}

static void binds(void **state)
{
	(void)state;
	assert_true(same("run_X", "abc", "t", "m", "b.bin", "00ff"));
	assert_false(same("run_Y", "abc", "t", "m", "b.bin", "00ff"));
	assert_false(same("run_X", "abd", "t", "m", "b.bin", "00ff"));
	assert_false(same("run_X", "abc", "u", "m", "b.bin", "00ff"));
	assert_false(same("run_X", "abc", "t", "n", "b.bin", "00ff"));
	assert_false(same("run_X", "abc", "t", "m", "b.bim", "00ff"));
	assert_false(same("run_X", "abc", "t", "m", "b.bin", "00fe"));
	assert_false(same("run_X", "abc", "t", "m", "", ""));
	/* where one text ends is part of it */
	assert_false(same("run_X", "abct", "", "m", "b.bin", "00ff"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(grows_too_long),
		cmocka_unit_test(binds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
