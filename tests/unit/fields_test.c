/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Packed fields: there and back, and everything that is none. */
#include "base/mem.h"
#include "secrets/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct field field(const char *name, const char *value)
{
	return (struct field){
		str_from(name), {(const unsigned char *)value, strlen(value)}
        };
}

static void there_and_back_sorted(void **state)
{
	const struct field in[] = {field("user", "ann"), field("empty", ""),
				   field("password", "s3cr\n\xff")};
	struct field out[FIELDS_MAX];
	struct secret *s;
	struct err e;
	size_t n;

	(void)state;
	assert_int_equal(fields_pack(in, 3, &s, &e), 0);
	assert_int_equal(fields_parse(secret_bytes(s), out, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_true(str_is(out[0].name, "empty"));
	assert_int_equal(out[0].value.n_bytes, 0);
	assert_true(str_is(out[1].name, "password"));
	assert_memory_equal(out[1].value.bytes, "s3cr\n\xff", 6);
	assert_true(str_is(out[2].name, "user"));
	secret_free(s);
	assert_int_equal(fields_pack(NULL, 0, &s, &e), 0);
	assert_int_equal(fields_parse(secret_bytes(s), out, &n, &e), 0);
	assert_int_equal(n, 0);
	secret_free(s);
}

static void bounds(void **state)
{
	struct field many[FIELDS_MAX + 1];
	char names[FIELDS_MAX + 1][8], longest[FIELD_NAME_MAX + 2];
	char *big = mem_alloc(SECRET_MAX);
	const struct field twice[] = {field("a", "1"), field("b", "2"),
				      field("a", "3")};
	struct field half[2];
	struct secret *s;
	struct err e;

	(void)state;
	for (int i = 0; i <= FIELDS_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%d", i);
		many[i] = field(names[i], "x");
	}
	assert_int_equal(fields_pack(many, FIELDS_MAX + 1, &s, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(fields_pack(many, FIELDS_MAX, &s, &e), 0);
	secret_free(s);
	assert_int_equal(fields_pack(twice, 3, &s, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	memset(longest, 'n', sizeof(longest));
	longest[FIELD_NAME_MAX + 1] = '\0';
	many[0] = field(longest, "x");
	assert_int_equal(fields_pack(many, 1, &s, &e), -1);
	many[0] = field("", "x");
	assert_int_equal(fields_pack(many, 1, &s, &e), -1);
	half[0] = (struct field){
		STR("a"), {(unsigned char *)big, SECRET_MAX / 2}
        };
	half[1] = (struct field){
		STR("b"), {(unsigned char *)big, SECRET_MAX / 2}
        };
	assert_int_equal(fields_pack(half, 2, &s, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	half[1].value.n_bytes -= 14;
	assert_int_equal(fields_pack(half, 2, &s, &e), 0);
	secret_free(s);
	mem_free(big);
}

static void none_at_all(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"\1",			 1 }, /* cut */
		{"\0\0\0\0\0\0",               6 }, /* no name */
		{"\1\0a\1\0\0\0",              7 }, /* no value */
		{"\1\0a\xff\xff\xff\xff",      7 }, /* too long */
		{"\377\0a\0\0\0\0",            7 }, /* a name too long */
		{"\1\0b\0\0\0\0\1\0a\0\0\0\0", 14}, /* not sorted */
		{"\1\0a\0\0\0\0\1\0a\0\0\0\0", 14}, /* twice */
		{"\1\0a\0\0\0\0x",             8 }, /* a byte more */
	};
	struct field out[FIELDS_MAX];
	struct err e;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct secret_view v = {(const unsigned char *)bad[i].bytes,
					bad[i].len};

		assert_int_equal(fields_parse(v, out, &n, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back_sorted),
		cmocka_unit_test(bounds),
		cmocka_unit_test(none_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
