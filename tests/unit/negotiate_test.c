/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int pick(const char *accept)
{
	static const char *const types[] = {"application/json",
					    "application/yaml", "text/plain"};

	return accept_pick(str_from(accept), types, 3);
}

static void accepting(void **state)
{
	static const struct {
		const char *accept;
		int type;
	} rows[] = {
		{NULL,						  0 },
		{"",						    0 },
		{"*/*",						 0 },
		{"application/yaml",                                    1 },
		{"APPLICATION/YAML",                                    1 },
		{"text/*",					      2 },
		{"text/html",					   -1},
		{"text/html, */*;q=0.1",                                0 },
		{"application/json;q=0.5, application/yaml;q=0.9",      1 },
		{"application/json;q=0.5, application/yaml ; q=0.500",  0 },
		{"application/json;q=0, */*",                           1 },
		{"application/json;q=0",                                -1},
		{"*/*;q=0",					     -1},
 /* the closest counts, not the greatest */
		{"*/*, application/json;q=0.1, application/yaml;q=0.1", 2 },
		{"application/json;q=2",                                -1},
		{"application/json;q=x",                                -1},
		{"application/json;q=0.x",                              -1},
		{"application/json;q=",                                 -1},
		{",,;;/,*",					     -1},
		{"application/yaml;charset=utf-8",                      1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pick(rows[i].accept) != rows[i].type)
			fail_msg("%s: %d", rows[i].accept,
				 pick(rows[i].accept));
}

static void tags(void **state)
{
	struct str tag = STR("\"sha256:ab\"");

	(void)state;
	assert_true(etag_in(STR("\"sha256:ab\""), tag));
	assert_true(etag_in(STR("*"), tag));
	assert_true(etag_in(STR("\"x\" , \"sha256:ab\""), tag));
	assert_false(etag_in(STR("sha256:ab"), tag));
	assert_false(etag_in(STR("W/\"sha256:ab\""), tag));
	assert_false(etag_in(STR(""), tag));
	assert_false(etag_in(str_n(NULL, 0), tag));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepting),
		cmocka_unit_test(tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
