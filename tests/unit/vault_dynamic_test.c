/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What answers of dynamic engines mean, also of one that means us harm. */
#include "vault/dynamic.h"
#include "vault/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct vault_answer *answer_of(const char *json)
{
	struct vault_answer *a;
	struct err e;

	if (answer_read(200, str_from(json), NULL, &a, &e))
		fail_msg("%s: %s", json, e.text);
	return a;
}

static struct secret_ref ref_of(const char *text)
{
	struct secret_ref ref;
	struct err e;

	if (secret_ref_parse(str_from(text), &ref, &e))
		fail_msg("%s: %s", text, e.text);
	return ref;
}

static void how_long_it_lasts_has_bounds(void **state)
{
	static const struct {
		const char *json;
		int64_t least, most;
	} rows[] = {
		{"{\"data\":{\"ttl\":9223372036854775807}}",             1,   400000000},
		{"{\"data\":{\"ttl\":-9223372036854775807}}",            0,   0        },
		{"{\"data\":{\"expiration\":9223372036854775807}}",      1,
		 400000000							     },
		{"{\"data\":{\"expiration\":-9223372036854775807}}",     0,   0        },
		{"{\"data\":{\"ttl\":60}}",                              60,  60       },
		{"{\"lease_duration\":9223372036854775807,\"data\":{}}", 1,
		 400000000							     },
		{"{\"data\":{\"ttl\":\"60\"}}",                          300, 300      },
	};
	struct secret_ref ref =
		ref_of("vault:v:db/creds/a?kind=read&p.ttl=300s");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vault_answer *a = answer_of(rows[i].json);

		assert_in_range(dynamic_lasts_s(&ref, a), rows[i].least,
				rows[i].most);
		answer_free(a);
	}
}

/* A rule that denies vault:*:secret/admin is not passed by reading
 * secret/data/admin, which is the same value. */
static void the_inside_of_kv_is_not_read(void **state)
{
	static const char *const inside[] = {
		"{\"data\":{\"data\":{\"password\":\"hunter2\"},\"metadata\":"
		"{\"created_time\":\"2026-01-01T00:00:00Z\",\"version\":3,"
		"\"destroyed\":false}}}",
		"{\"data\":{\"data\":null,\"metadata\":{\"version\":1,"
		"\"created_time\":\"2026-01-01T00:00:00Z\"}}}",
	};
	static const char *const others[] = {
		"{\"data\":{\"data\":{\"a\":1},\"metadata\":{\"version\":1}}}",
		"{\"data\":{\"data\":\"text\",\"metadata\":\"text\"}}",
		"{\"data\":{\"username\":\"u\",\"password\":\"p\"}}",
	};
	struct secret_ref ref = ref_of("vault:v:secret/data/admin?kind=read");
	struct dynamic d = DYNAMIC_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
		struct vault_answer *a = answer_of(inside[i]);
		struct secret *s = NULL;
		struct err e;

		assert_int_equal(dynamic_fields(&ref, &d, a, &s, &e), -1);
		assert_int_equal(e.code, ERR_DENIED);
		assert_int_equal(kv_fields(a, 1, "secret/data/admin", &s, &e),
				 -1);
		assert_int_equal(e.code, ERR_DENIED);
		answer_free(a);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct vault_answer *a = answer_of(others[i]);
		struct secret *s = NULL;
		struct err e;

		assert_int_equal(dynamic_fields(&ref, &d, a, &s, &e), 0);
		secret_free(s);
		answer_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_long_it_lasts_has_bounds),
		cmocka_unit_test(the_inside_of_kv_is_not_read),
	};

	answer_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
