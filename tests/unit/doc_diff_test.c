/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void same(const char *from, const char *to, const char *want)
{
	static struct problems ps;
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct doc *a, *z;
	struct err e;

	assert_int_equal(doc_parse(str_from(from), DOC_JSON, &a, &ps), 0);
	assert_int_equal(doc_parse(str_from(to), DOC_JSON, &z, &ps), 0);
	assert_int_equal(doc_diff(a->root, z->root, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), want);
	doc_free(a);
	doc_free(z);
}

static void differences(void **state)
{
	(void)state;
	same("{\"a\":1}", "{\"a\":1}", "[]");
	same("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "[]");
	same("{\"a\":1}", "{\"a\":2}",
	     "[{\"op\":\"replace\",\"pointer\":\"/a\",\"from\":1,"
	     "\"to\":2}]");
	same("{\"a\":1}", "{\"b\":1}",
	     "[{\"op\":\"remove\",\"pointer\":\"/a\",\"from\":1},"
	     "{\"op\":\"add\",\"pointer\":\"/b\",\"to\":1}]");
	same("{\"a\":[1,2]}", "{\"a\":[1,3,4]}",
	     "[{\"op\":\"replace\",\"pointer\":\"/a/1\",\"from\":2,"
	     "\"to\":3},{\"op\":\"add\",\"pointer\":\"/a/2\",\"to\":4}]");
	same("{\"a\":[1,2]}", "{\"a\":[1]}",
	     "[{\"op\":\"remove\",\"pointer\":\"/a/1\",\"from\":2}]");
	same("{\"a\":{\"b\":1}}", "{\"a\":[]}",
	     "[{\"op\":\"replace\",\"pointer\":\"/a\",\"from\":"
	     "{\"b\":1},\"to\":[]}]");
	same("{\"x/y~\":\"\\\"\"}", "{\"x/y~\":\"\"}",
	     "[{\"op\":\"replace\",\"pointer\":\"/x~1y~0\",\"from\":"
	     "\"\\\"\",\"to\":\"\"}]");
}

static void no_room(void **state)
{
	static struct problems ps;
	CLEANUP_BUF struct buf b = BUF_INIT(16);
	struct doc *a, *z;
	struct err e;

	(void)state;
	assert_int_equal(doc_parse(STR("{\"a\":1}"), DOC_JSON, &a, &ps), 0);
	assert_int_equal(doc_parse(STR("{\"a\":2}"), DOC_JSON, &z, &ps), 0);
	assert_int_equal(doc_diff(a->root, z->root, &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	doc_free(a);
	doc_free(z);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
