/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Sources in git: which URLs, refs and paths there are, and the job that
 * fetches one. */
#include "job/git.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef const char *check_fn(struct str s);

static void all_good(check_fn *check, const char *const *list)
{
	for (; *list; list++)
		if (check(str_from(*list)))
			fail_msg("\"%s\": %s", *list, check(str_from(*list)));
}

static void all_bad(check_fn *check, const char *const *list)
{
	for (; *list; list++)
		if (!check(str_from(*list)))
			fail_msg("\"%s\" was taken", *list);
}

static void urls(void **state)
{
	static const char *const good[] = {
		"https://git.internal/web/app.git",
		"https://h/a",
		"https://h/a/",
		"http://127.0.0.1:8080/x.git",
		"https://[::1]:8443/x.git",
		"https://dev.example.com/org/_git/a%20b",
		NULL};
	static const char *const bad[] = {"",
					  "https://",
					  "https:///x",
					  "https://h",
					  "https://h/",
					  "https://user@h/x",
					  "https://u:p@h/x",
					  "https://h/x y",
					  "https://h/x\ny",
					  "https://h/x?y",
					  "https://h/x#y",
					  "https://h/../x",
					  "https://h/./x",
					  "https://h//x",
					  "https://h/%2e%2e/x",
					  "https://h/a%2Fb",
					  "https://H/x",
					  "https://h./x",
					  "https://h:443/x",
					  "http://h:80/x",
					  "https://h:0443/x",
					  "https://h:/x",
					  "https://h:0/x",
					  "https://h:99999/x",
					  "https://-h/x",
					  "https://[::1/x",
					  "https://h/x\"y",
					  "https://h/$x",
					  "https://h/{x}",
					  "HTTPS://h/x",
					  "ext::sh -c id",
					  "file:///x",
					  "git://h/x",
					  "-oProxyCommand=x",
					  "/x",
					  "../x",
					  NULL};

	(void)state;
	all_good(job_git_url, good);
	all_bad(job_git_url, bad);
	assert_non_null(job_git_url(str_n("https://h/x\0y", 13)));
	assert_true(job_git_is_ssh(STR("ssh://git@h/x")));
	assert_true(job_git_is_ssh(STR("git@h:x.git")));
	assert_false(job_git_is_ssh(STR("https://git@h/x")));
	assert_false(job_git_is_ssh(STR("ext::sh")));
}

static void refs(void **state)
{
	static const char *const good[] = {
		"main",
		"v1.2.3",
		"feature/x-1",
		"HEAD",
		"a@b",
		"a{b}",
		"refs/pull/1/head",
		"\xc3\xa4",
		"0123456789abcdef0123456789abcdef01234567",
		NULL};
	static const char *const bad[] = {"",       "-x",     "--upload-pack=x",
					  "+x",     "@",      "a..b",
					  "a@{1}",  "a b",    "a~1",
					  "a^",     "a:b",    "a?",
					  "a*",     "a[",     "a\\b",
					  "a\nb",   "/a",     "a/",
					  "a//b",   ".a",     "a/.b",
					  "a.",     "a.lock", "a.lock/b",
					  "${{x}}", "\xff",   NULL};

	(void)state;
	all_good(job_git_ref, good);
	all_bad(job_git_ref, bad);
}

static void paths(void **state)
{
	static const char *const good[] = {"a", "services/api", "a b", ".x",
					   NULL};
	static const char *const bad[] = {"",     "/a",   "a/",     "a//b",
					  ".",    "..",   "a/..",   "a/./b",
					  ".git", "a\nb", "${{x}}", NULL};

	(void)state;
	all_good(job_git_path, good);
	all_bad(job_git_path, bad);
}

static const char text[] =
	"{\"nfo\":1,\"name\":\"app\",\"project\":\"web\",\"inputs\":{\"r\":{}},"
	"\"secrets\":{\"k\":{\"store\":\"key\",\"deliver\":\"env\"}},"
	"\"source\":{\"git\":\"https://h:8443/x.git\",\"ref\":\"${{ inputs.r "
	"}}\",\"secret\":\"k\",\"path\":\"a/b\",\"depth\":0},"
	"\"tasks\":{\"t\":{\"run\":\"x\"}}}";

static struct job_plan *plan_of(struct job *j, const char *inputs,
				const char *trigger)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job_run_facts facts = {STR("run_X"), str_from(trigger),
				      STR("uid:0"), STR("c0ffee")};
	struct job_plan *p;

	if (job_plan_new(j, str_from(inputs), &facts, &p, ps))
		fail_msg("%s", ps->items[0].message);
	return p;
}

static struct job *job_of(const char *json)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j;

	if (job_parse(str_from(json), DOC_JSON, &j, ps))
		fail_msg("%s", ps->items[0].message);
	return j;
}

static const struct job_pair *env(const struct job_attempt *a, const char *name)
{
	for (size_t i = 0; i < a->n_env; i++)
		if (str_is(a->env[i].name, name))
			return &a->env[i];
	fail_msg("no %s", name);
	return NULL;
}

/* The attempt of the job that fetches; to policy it is of the job itself. */
static void fetch(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	struct job_plan *p = plan_of(job_of(text), "{\"r\":\"main\"}", "api");
	struct job_attempt *a, *b;
	struct job_plan *f;
	struct job_git git;
	struct job *j;
	struct err e;

	(void)state;
	assert_int_equal(job_git_read(p, &git, ps), 0);
	assert_true(str_is(git.ref, "main") && git.depth == 0);
	assert_int_equal(job_git_fetch(p, &git, &canonical, &j, &e), 0);
	f = plan_of(j, "", GIT_TRIGGER);
	assert_int_equal(job_plan_attempt(f, 0, NULL, &a, &e), 0);
	assert_true(str_is(a->job, "app") && str_is(a->project, "web"));
	assert_true(str_is(a->fetches, "https://h:8443/x.git"));
	assert_true(str_is(a->network, "host") && job_git_is_ours(a));
	assert_true(str_is(env(a, "SOURCE_ORIGIN")->value, "https://h:8443"));
	assert_true(str_is(env(a, "SOURCE_PATH")->value, "a/b"));
	assert_int_equal(a->n_secrets, 1);
	assert_true(str_is(a->secrets[0].ref, "store:web/key"));
	assert_int_equal(a->secrets[0].deliver, DELIVER_FILE);
	/* one letter more, and it is somebody else's */
	a->script = STR("curl evil");
	assert_false(job_git_is_ours(a));
	job_attempt_free(a);
	assert_int_equal(job_plan_attempt(f, 0, NULL, &b, &e), 0);
	b->env[0].name = STR("LD_PRELOAD");
	assert_false(job_git_is_ours(b));
	job_attempt_free(b);
	job_plan_free(f);
	job_plan_free(p);
}

/* The same job of somebody else's is no fetch: the trigger is the engine's. */
static void nobody_elses(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	struct job_plan *p = plan_of(job_of(text), "{\"r\":\"main\"}", "api");
	struct job_attempt *a;
	struct job_plan *f;
	struct job_git git;
	struct job *j;
	struct err e;

	(void)state;
	assert_int_equal(job_git_read(p, &git, ps), 0);
	assert_int_equal(job_git_fetch(p, &git, &canonical, &j, &e), 0);
	f = plan_of(j, "", "api");
	assert_int_equal(job_plan_attempt(f, 0, NULL, &a, &e), 0);
	assert_int_equal(a->fetches.len, 0);
	assert_true(str_is(a->job, "source"));
	job_attempt_free(a);
	job_plan_free(f);
	job_plan_free(p);
}

static void bad_ref_of_an_input(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job_plan *p = plan_of(job_of(text), "{\"r\":\"-x\"}", "api");
	struct job_git git;

	(void)state;
	assert_int_equal(job_git_read(p, &git, ps), -1);
	assert_string_equal(ps->items[0].code, "bad-git-ref");
	job_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(refs),
		cmocka_unit_test(paths),
		cmocka_unit_test(fetch),
		cmocka_unit_test(nobody_elses),
		cmocka_unit_test(bad_ref_of_an_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
