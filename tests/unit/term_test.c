/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What of a task's text reaches a terminal. */
#include "cli/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CSI "\033["

static const struct {
	const char *in, *out;
} rows[] = {
	{"plain, \tta\xc3\xa4g \xf0\x9f\x98\x80\n", NULL                          },
	{CSI "31mred" CSI "0m",                     CSI "31mred" CSI "0m" CSI "0m"},
	{CSI "31ma\nb\n",			   CSI "31ma" CSI "0m\nb\n"      },
	{CSI "1;38;5;200mx",                        CSI "1;38;5;200mx" CSI "0m"   },
	{CSI "m",				   CSI "m" CSI "0m"              },
 /* the screen, the cursor, a question to the terminal, its title */
	{CSI "2J",				  "^[[2J"                       },
	{CSI "1A",				  "^[[1A"                       },
	{CSI "6n",				  "^[[6n"                       },
	{"\033]0;title\007",                        "^[]0;title^G"                },
	{"\033P$q\"p\033\\",                        "^[P$q\"p^[\\"                },
	{"\033c",				   "^[c"			 },
	{CSI "?31m",				"^[[?31m"                     },
	{CSI "31",				  "^[[31"                       },
	{"\033",				    "^["			  },
	{"a\rb",				    "a^Mb"			},
	{"line\r",				  "line"                        },
	{"a\bb\177",				"a^Hb^?"                      },
	{"\xc2\x9b"
	 "2J",			     "\\u009b2J"                   },
	{"\x9b"
	 "2J",			     "\\x9b2J"		     },
	{"\xff\xc3",				"\\xff\\xc3"                  },
	{"\xed\xa0\x80",			    "\\xed\\xa0\\x80"             }, /* half of a surrogate pair */
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1000);

		term_text(str_from(rows[i].in), &b);
		assert_string_equal(buf_cstr(&b),
				    rows[i].out ? rows[i].out : rows[i].in);
	}
}

/* Whatever the bytes are: no control comes out but in a colour. */
static void test_every_byte_after_escape(void **state)
{
	(void)state;
	for (int first = 0; first < 256; first++)
		for (int second = 0; second < 256; second++) {
			char in[] = {(char)first, (char)second, '1', 'm'};
			CLEANUP_BUF struct buf b = BUF_INIT(100);
			bool color = first == '\033' && second == '[';

			term_text(str_n(in, sizeof(in)), &b);
			if (color)
				continue;
			for (size_t i = 0; i < b.len; i++) {
				unsigned char c = (unsigned char)b.data[i];

				assert_true(c >= 0x20 || c == '\t' ||
					    c == '\n');
				assert_int_not_equal(c, 0x7f);
			}
			assert_true(str_utf8_valid(buf_view(&b)));
		}
}

static void test_a_colour_without_end(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1000);
	char in[100] = CSI;

	(void)state;
	memset(in + 2, '1', sizeof(in) - 3);
	term_text(str_n(in, sizeof(in) - 1), &b);
	assert_null(memchr(b.data, '\033', b.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_byte_after_escape),
		cmocka_unit_test(test_a_colour_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
