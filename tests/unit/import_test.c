/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any script becomes a job that runs the same bytes. */
#include "job/import.h"
#include "job/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Import, decode, plan; the attempt is the caller's. */
static struct job_attempt *through(struct str script, bool *base64)
{
	static const struct job_run_facts facts = {
		{"r", 1},
                {"t", 1},
                {"u", 1},
                {"",  0}
        };
	CLEANUP_BUF struct buf yaml = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job_attempt *a;
	struct job_plan *p;
	struct job *j;
	struct err e = {0};

	if (job_import(STR("s"), script, &yaml, base64, &e))
		fail_msg("%s", e.text);
	if (job_parse(buf_view(&yaml), DOC_YAML, &j, ps) ||
	    job_plan_new(j, STR(""), &facts, &p, ps))
		fail_msg("%s: %s", ps->items[0].message, buf_cstr(&yaml));
	assert_int_equal(p->n, 1);
	if (job_plan_attempt(p, 0, NULL, &a, &e))
		fail_msg("%s", e.text);
	assert_int_equal(a->script.len, script.len);
	assert_memory_equal(a->script.p, script.p, script.len);
	job_plan_free(p);
	return a;
}

static void scripts(void **state)
{
	static const struct {
		struct str script;
		const char *shell; /* words joined by | */
		bool base64;
	} rows[] = {
		{STR("echo hi"),                             "/bin/sh",          false},
		{STR("echo hi\n"),                           "/bin/sh",          false},
		{STR("\n\n  echo\n\n\n"),                    "/bin/sh",          false},
		{STR("#!/bin/bash\nset -e\n"),               "/bin/bash",        false},
		{STR("#! /bin/bash -eu -x\necho\n"),         "/bin/bash|-eu|-x", false},
		{STR("#!/usr/bin/env python3\nprint(1)\n"),
		 "/usr/bin/env|python3",					 false},
		{STR("#!/usr/bin/env -S python3 -u\n"),
		 "/usr/bin/env|python3|-u",                                      false},
		{STR("#!/bin/sh\r\necho hi\r\n"),            "/bin/sh",          true },
		{STR("echo '${{ inputs.x }}'\n"),            "/bin/sh",          true },
		{STR("caf\xe9\n"),                           "/bin/sh",          true },
		{STR("a\0b"),				"/bin/sh",          true },
		{STR("\x1b[1m"),                             "/bin/sh",          true },
		{STR("\xef\xbb\xbf"
		     "echo bom"),
		 "/bin/sh",						      true },
		{STR("caf\xc3\xa9 \t x\n"),                  "/bin/sh",          false},
		{STR("\ttab\n # no: yaml: \"'\n---\n...\n"), "/bin/sh",          false},
		{STR("~"),				   "/bin/sh",          false},
		{STR("null"),				"/bin/sh",          false},
		{STR(" "),				   "/bin/sh",          false},
		{STR("\n"),				  "/bin/sh",          false},
		{STR("#!\nx"),			       "/bin/sh",          false},
		{STR("#!/bin/${{ x }}\n"),                   "/bin/sh",          true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf words = BUF_INIT(256);
		bool base64;
		struct job_attempt *a = through(rows[i].script, &base64);

		for (size_t k = 0; k < a->n_shell; k++) {
			buf_puts(&words, k ? "|" : "");
			buf_str(&words, a->shell[k]);
		}
		assert_string_equal(buf_cstr(&words), rows[i].shell);
		if (base64 != rows[i].base64)
			fail_msg("row %zu: base64 %d", i, base64);
		job_attempt_free(a);
	}
}

static void large(void **state)
{
	CLEANUP_BUF struct buf lines = BUF_INIT(DOC_TEXT_MAX);
	CLEANUP_BUF struct buf out = BUF_INIT(DOC_TEXT_MAX);
	struct err e = {0};
	bool base64;

	(void)state;
	/* Indented it would be over 1 MiB; as base64 it is not. */
	while (lines.len < 400 * 1024)
		buf_puts(&lines, "x\n");
	job_attempt_free(through(buf_view(&lines), &base64));
	assert_true(base64);
	while (lines.len < DOC_TEXT_MAX - 2)
		buf_puts(&lines, "x\n");
	assert_int_equal(
		job_import(STR("s"), buf_view(&lines), &out, &base64, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(job_import(STR("s"), STR(""), &out, &base64, &e), -1);
	assert_int_equal(job_import(STR("S"), STR("x"), &out, &base64, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void file_names(void **state)
{
	static const char *const rows[][2] = {
		{"deploy app.sh",     "deploy-app"},
		{"/a/b/Backup.v2.sh", "backup-v2" },
		{"01-init.sh",        "init"      },
		{".profile",          "profile"   },
		{"\xc3\xa4",          "script"    },
		{"",                  "script"    },
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		job_import_name(str_from(rows[i][0]), name);
		assert_string_equal(name, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts),
		cmocka_unit_test(large),
		cmocka_unit_test(file_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
