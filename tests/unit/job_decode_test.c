/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Decoding and checking: good jobs in three syntaxes, and for bad ones the
 * exact first line that a person reads. */
#include "job/job.h"
#include "job/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- good ones ---------------------------------------------------------- */

static void read_file(const char *dir, const char *name, struct buf *b)
{
	char path[512];
	FILE *f;
	char part[4096];
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		fail_msg("cannot open %s", path);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_put(b, part, n);
	fclose(f);
	assert_false(b->failed);
}

static struct job *parse(struct str text, enum doc_syntax syntax,
			 const char *name)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct job *j;

	if (job_parse(text, syntax, &j, ps)) {
		problems_print(ps, name, &b);
		fail_msg("%s", buf_cstr(&b));
	}
	return j;
}

static struct job *load(const char *dir, const char *name)
{
	CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);

	read_file(dir, name, &b);
	return parse(buf_view(&b), doc_syntax_of_name(str_from(name)), name);
}

static void canonical(const struct job *j, struct buf *b)
{
	struct err e;

	buf_reset(b);
	if (job_canonical(j, b, &e))
		fail_msg("%s", e.text);
}

static void same_digest(void **state)
{
	static const char *const names[] = {"mixed", "list"};
	static const char *const ends[] = {"yaml", "json", "toml"};
	CLEANUP_BUF struct buf first = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(ends); i++) {
		char name[64];
		struct job *j;

		(void)snprintf(name, sizeof(name), "%s.%s", names[i / 3],
			       ends[i % 3]);
		j = load(NFO_TEST_DATA "/jobs", name);
		canonical(j, &b);
		if (i % 3 == 0) {
			buf_reset(&first);
			buf_str(&first, buf_view(&b));
		}
		assert_string_equal(buf_cstr(&b), buf_cstr(&first));
		job_free(j);
	}
}

/* Written in another syntax and read again, a job is the same job. */
static void convert(void **state)
{
	static const char *const files[] = {"full.yaml", "mixed.toml",
					    "list.json"};
	CLEANUP_BUF struct buf want = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_BUF struct buf got = BUF_INIT(DOC_TEXT_MAX);
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct job *j = load(NFO_TEST_DATA "/jobs", files[i]);

		canonical(j, &want);
		for (int to = DOC_YAML; to <= DOC_TOML; to++) {
			CLEANUP_BUF struct buf text = BUF_INIT(DOC_TEXT_MAX);
			struct job *k;

			if (doc_write(j->doc->root, (enum doc_syntax)to, &text,
				      &e))
				fail_msg("%s: %s", files[i], e.text);
			k = parse(buf_view(&text), (enum doc_syntax)to,
				  buf_cstr(&text));
			canonical(k, &got);
			assert_string_equal(buf_cstr(&got), buf_cstr(&want));
			job_free(k);
		}
		job_free(j);
	}
}

/* The reference example: no problem, and what is not there yet is named. */
static void full_example(void **state)
{
	static const char *const want[] = {
		"/tasks/deploy/target",
		"/tasks/rollback/target",
		"/tasks/smoke/sandbox/network/allow",
		"/notify",
	};
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j = load(NFO_TEST_DATA "/jobs", "full.yaml");

	(void)state;
	assert_true(job_not_supported(j, ps));
	for (size_t i = 0; i < ps->n && i < ARRAY_LEN(want); i++) {
		assert_string_equal(ps->items[i].pointer, want[i]);
		assert_string_equal(ps->items[i].code, "not-supported-yet");
		assert_true(ps->items[i].at.line);
	}
	assert_int_equal(ps->n, ARRAY_LEN(want));
	assert_int_equal(j->n_tasks, 9);
	assert_false(j->is_list || j->workspace_run || j->has_source);
	job_free(j);
}

static void examples(void **state)
{
	static const char *const names[] = {"release.yaml", "backup.yaml",
					    "hello.toml"};
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct job *j = load(NFO_SOURCE_DIR "/examples", names[i]);

		if (job_not_supported(j, ps))
			fail_msg("%s: %s", names[i], ps->items[0].message);
		job_free(j);
	}
}

static void not_yet(void **state)
{
	static const char text[] = "{nfo: 1, name: x, tasks: {a: {run: 'true',"
				   " target: {agent: {labels: [gpu]}}}}}";
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j = parse(STR(text), DOC_YAML, "inline");

	(void)state;
	assert_true(job_not_supported(j, ps));
	assert_string_equal(ps->items[0].pointer, "/tasks/a/target");
	job_free(j);
}

/* --- bad ones ----------------------------------------------------------- */

/* Behind these two lines; so the first line of a row is line 3. */
#define HEAD "nfo: 1\nname: x\n"

static const struct {
	const char *text, *want;
} bad[] = {
#include "job_decode_rows.inc"
};

static void first_lines(void **state)
{
	size_t n_wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
		CLEANUP_BUF struct buf text = BUF_INIT(65536);
		CLEANUP_BUF struct buf b = BUF_INIT(65536);
		struct str out, line;
		struct job *j;

		if (strncmp(bad[i].text, "nfo", 3) != 0)
			buf_puts(&text, HEAD);
		buf_puts(&text, bad[i].text);
		if (!job_parse(buf_view(&text), DOC_YAML, &j, ps)) {
			print_message("taken: %s\n", bad[i].text);
			job_free(j);
			n_wrong++;
			continue;
		}
		problems_print(ps, "j", &b);
		out = buf_view(&b);
		line = str_cut(&out, '\n');
		if (str_is(line, bad[i].want))
			continue;
		print_message("row %zu:\n%s\n  want: %s\n  got:  " STR_FMT "\n",
			      i, bad[i].text, bad[i].want, STR_ARG(line));
		n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
}

/* Where a key is made here, and what is filled later may be right. */
static void paths_that_sign(void **state)
{
	static const char *const good[] = {"pki/sign/web",
					   "a/b/sign/web",
					   "pki/sign-verbatim",
					   "pki/issuer/x/sign/web",
					   "${{ inputs.r }}",
					   "pki/${{ inputs.r }}",
					   "${{ inputs.r }}/x",
					   "pki/${{ inputs.r }}/web",
					   "pki/sign/${{ inputs.r }}",
					   "pki-${{ inputs.r }}/sign/web"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
		CLEANUP_BUF struct buf text = BUF_INIT(4096);
		struct job *j;

		buf_printf(&text,
			   HEAD
			   "inputs: { r: { type: string, enum: [x, y] } }\n"
			   "secrets: { k: { vault: \"%s\", kind: pki, "
			   "params: { common_name: a } } }\n"
			   "tasks: { a: { run: x } }\n",
			   good[i]);
		if (job_parse(buf_view(&text), DOC_YAML, &j, ps))
			fail_msg("%s: %s", good[i], ps->items[0].message);
		job_free(j);
	}
}

/* Everything that is wrong is told at once, in the order of the file. */
static void all_at_once(void **state)
{
	static const char text[] =
		HEAD "tiemout: 1h\n"
		     "inputs: { n: { type: int, default: x } }\n"
		     "tasks:\n"
		     "  a: { run: x, needs: [b] }\n"
		     "  c: { argv: [\"${{ inputs.m }}\"] }\n";
	static const char *const codes[] = {"unknown-key", "bad-input",
					    "unknown-task", "bad-expression"};
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j;

	(void)state;
	assert_int_equal(job_parse(STR(text), DOC_YAML, &j, ps), -1);
	assert_int_equal(ps->n, ARRAY_LEN(codes));
	for (size_t i = 0; i < ps->n; i++)
		assert_string_equal(ps->items[i].code, codes[i]);
}

static void at_most_fifty(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);
	struct job *j;

	(void)state;
	buf_puts(&b, HEAD "tasks: { a: { run: x } }\n");
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "timeou%d: 1\n", i);
	assert_int_equal(job_parse(buf_view(&b), DOC_YAML, &j, ps), -1);
	assert_int_equal(ps->n, PROBLEMS_MAX);
	assert_int_equal(ps->n_dropped, 4950);
}

/* --- the key table ------------------------------------------------------ */

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < job_n_keys; i++) {
		const struct job_key *k = &job_keys[i];
		size_t n_sub = 0;

		assert_non_null(k->help);
		assert_non_null(k->example);
		assert_true(k->live >= 1 && k->live <= 6);
		/* An example is about its key. */
		assert_memory_equal(k->example, k->name, strlen(k->name));
		assert_true(!k->choices == (k->text != TEXT_ENUM));
		for (size_t n = 0; k->sub && n < job_n_keys; n++)
			n_sub += !strcmp(job_keys[n].where, k->sub);
		assert_true(!k->sub || n_sub);
		assert_ptr_equal(job_key_find(k->where, str_from(k->name)), k);
	}
}

static void schema(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct doc *d;

	(void)state;
	assert_true(job_schema_json(&b));
	assert_int_equal(doc_parse(buf_view(&b), DOC_JSON, &d, ps), 0);
	for (size_t i = 0; i < job_n_keys; i++) {
		const struct job_key *k = &job_keys[i];
		const struct doc_node *at =
			strcmp(k->where, "job") ?
				doc_get(doc_get(d->root, "$defs"), k->where) :
				d->root;

		assert_non_null(doc_get(doc_get(at, "properties"), k->name));
	}
	doc_free(d);
}

static void explain(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);

	(void)state;
	assert_true(job_explain(STR("task.timeout"), &b));
	assert_non_null(strstr(buf_cstr(&b), "timeout: 10m"));
	assert_non_null(strstr(buf_cstr(&b), "default: 1h"));
	buf_reset(&b);
	assert_true(job_explain(STR("sandbox.limits.memory"), &b));
	assert_non_null(strstr(buf_cstr(&b), "limits.memory\n"));
	assert_false(job_explain(STR("nothing"), &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_digest),
		cmocka_unit_test(convert),
		cmocka_unit_test(full_example),
		cmocka_unit_test(examples),
		cmocka_unit_test(not_yet),
		cmocka_unit_test(first_lines),
		cmocka_unit_test(paths_that_sign),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(at_most_fifty),
		cmocka_unit_test(table),
		cmocka_unit_test(schema),
		cmocka_unit_test(explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
