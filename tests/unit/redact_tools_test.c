/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What real tools make of a secret is masked, but for a known rest. */
#include "base/hex.h"
#include "redact_test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `sh -c command` prints with the input on its standard input.  Returns
 * false when the tool is not on this machine. */
static bool tool(const char *command, struct str input, struct buf *out)
{
	int in = memfd_create("input", MFD_CLOEXEC), pipes[2], status;
	char piece[4096];
	ssize_t n;
	pid_t pid;

	assert_true(in >= 0 && !pipe2(pipes, O_CLOEXEC));
	assert_int_equal(write(in, input.p, input.len), (ssize_t)input.len);
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (dup2(in, 0) < 0 || dup2(pipes[1], 1) < 0)
			_exit(126);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(126);
	}
	close(in);
	close(pipes[1]);
	while ((n = read(pipes[0], piece, sizeof(piece))) > 0)
		assert_true(buf_put(out, piece, (size_t)n));
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return false;
	assert_int_equal(status, 0);
	return true;
}

/* The printed bytes that are no marker; -1 when there is none. */
static int rest_of(const struct redact_set *set, struct str text)
{
	CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
	struct str s;
	int marks, n = 0;

	marks = redact_buf(set, text.p, text.len, true, &out);
	assert_true(marks >= 0);
	s = buf_view(&out);
	while (s.len) {
		if (str_starts(s, STR(REDACT_MARK)))
			s = str_from_at(s, sizeof(REDACT_MARK) - 1);
		else if (str_starts(s, STR(REDACT_MARK_PARTIAL)))
			s = str_from_at(s, sizeof(REDACT_MARK_PARTIAL) - 1);
		else {
			n += s.p[0] > 0x20 || s.p[0] < 0;
			s = str_from_at(s, 1);
		}
	}
	return marks ? n : -1;
}

#define PYTHON(expr)                                                           \
	"python3 -c 'import sys, json, html, urllib.parse as u; "              \
	"s = sys.stdin.read(); print(" expr ")'"

/* rest: kept bytes that may stay: quotes, offsets, the characters of base64
 * that hold neighbours' bits. */
static const struct {
	const char *command;
	int rest;
} tools[] = {
	{"cat",						 0         },
	{"base64",					      3         },
	{"base64 -w0",					  3         },
	{"base64 -w 10",					3         },
	{"openssl enc -a -A",				   3         },
	{"(cat; echo) | base64",                                4         },
	{"(printf user:; cat) | base64",                        11        },
	{"(printf ab; cat; printf @host/db) | base64 -w 7",     18        },
	{"basenc --base64url",				  3         },
	{"xxd -p",					      0         },
	{"xxd -p -u",					   0         },
	{"xxd -p -c 5",					 0         },
	{"xxd",						 27 + 7    },
	{"hexdump -C",					  32 + 6 + 7},
	{"od -An -v -tx1",				      0         },
	{"od -x",					       27 + 7    },
	{"hexdump",					     27 + 7    },
	{"od -c",					       28 + 7    },
	{"xxd -p | sed 's/../&:/g'",                            3         },
	{"xxd -p -u | sed 's/../&:/g'",                         3         },
	{"xxd -p | sed 's/../\\\\x&/g'",                        0         },
	{"jq -Rs .",					    2         },
	{"jq -Rsa .",					   2         },
	{"jq -Rs tojson",				       6         },
	{"jq -Rs @uri",					 2         },
	{"jq -Rrs @html",				       2         },
	{"jq -Rrs @sh",					 2         },
	{"jq -Rs '{a: {b: .}}'",                                14        },
	{PYTHON("repr(s)"),				     2         },
	{PYTHON("repr(s.encode())"),                            3         },
	{PYTHON("json.dumps(s)"),                               2         },
	{PYTHON("json.dumps(json.dumps({\"a\": s}))"),          20        },
	{PYTHON("s.encode().hex(\" \")"),                       0         },
	{PYTHON("ascii(s)"),				    2         },
	{PYTHON("__import__(\"shlex\").quote(s)"),              2         },
	{PYTHON("u.quote(s)"),				  0         },
	{PYTHON("u.quote(s, \"\")"),                            0         },
	{PYTHON("u.quote_plus(s)"),                             0         },
	{PYTHON("u.urlencode({\"k\": s})"),                     2         },
	{PYTHON("html.escape(s)"),                              0         },
	{PYTHON("\" \".join(s)"),                               0         },
	{"bash -c 'printf %q \"$(cat)\"'",                      0         },
	{"bash -c 'X=$(cat); declare -p X'",                    13        },
	{"bash -c 'X=$(cat); set -x; : \"$X\"' 2>&1",           4         },
	{"X=$(cat) env | grep ^X=",                             2         },
	{"rev",						 0         },
	{"tac",						 0         },
	{"fold -w5",					    0         },
	{"sed 's/./& /g'",				      0         },
	{"sed 's/./\\x1b[31m&\\x1b[0m/g'",                      7         },
	{"grep --color=always '[0-9]*'",                        13        },
	{"iconv -t UTF-16LE",				   0         },
	{"iconv -t UTF-16",				     2         },
	{"sed 's/^/        /'",				 0         },
	{"perl -pe 's/(.)/sprintf(\"\\\\x%02x\", ord $1)/ges'", 0         },
	{"python3 -c 'import yaml' 2>/dev/null || exit 127; python3 -c "
	 "'import sys, yaml; print(yaml.safe_dump({\"k\": sys.stdin.read()}, "
	 "width=20))'",				6         },
	{"sed \"s/'/''/g\"",				    0         },
};

static const char *const secrets[] = {
	TOKEN,
	"p\"as$w'o<r>d&1`#9%;z\\/(a b)", /* 27 bytes */
	"x!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~y",
	"correct horse battery staple",
	"8bytes!x",
	"0f1e2d3c4b5a69788796a5b4c3d2e1f0",
};

static void test_tools(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		struct redact_set *set = set_of1(secrets[i]);

		for (size_t k = 0; k < ARRAY_LEN(tools); k++) {
			CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
			int rest;

			if (!tool(tools[k].command, str_from(secrets[i]),
				  &out)) {
				print_message("not here: %s\n",
					      tools[k].command);
				continue;
			}
			rest = rest_of(set, buf_view(&out));
			if (rest < 0 || rest > tools[k].rest)
				fail_msg("%s of %s: %d bytes stay of " STR_FMT,
					 tools[k].command, secrets[i], rest,
					 STR_ARG(buf_view(&out)));
		}
		redact_set_free(set);
	}
}

/* curl -v shows what it sends, with the password in base64. */
static void test_curl(void **state)
{
	static const char command[] =
		"command -v curl >/dev/null || exit 127; python3 -c '"
		"import http.server as h, subprocess as p, sys, threading as t; "
		"s = h.HTTPServer((\"127.0.0.1\", 0), h.BaseHTTPRequestHandler); "
		"t.Thread(target=s.serve_forever, daemon=True).start(); "
		"p.run([\"curl\", \"-sv\", \"-u\", \"user:\" + sys.stdin.read(), "
		"\"http://127.0.0.1:%d/\" % s.server_port], stderr=sys.stdout)'"
		" 2>/dev/null";
	struct redact_set *set = set_of1(TOKEN);
	CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
	CLEANUP_BUF struct buf got = BUF_INIT(1 << 20);
	CLEANUP_BUF struct buf coded = BUF_INIT(100);

	(void)state;
	if (tool(command, STR(TOKEN), &out)) {
		b64_encode(&coded, "user:" TOKEN, strlen("user:" TOKEN));
		assert_non_null(strstr(buf_cstr(&out), buf_cstr(&coded)));
		assert_true(redact_buf(set, out.data, out.len, true, &got) > 0);
		/* user: and its neighbour's bits may stay */
		coded.data[20] = '\0';
		assert_null(strstr(buf_cstr(&got), coded.data + 10));
		assert_non_null(strstr(buf_cstr(&got), "Basic dXNlcj"));
	}
	redact_set_free(set);
}

/* Written down as not masked: no finite list of patterns does it. */
static void test_not_masked(void **state)
{
	static const char *const commands[] = {
		"gzip -n | base64",
		"tr a-zA-Z n-za-mN-ZA-M", /* ROT13 */
		"sed 's/./&./g'",
		"cut -c 1-7",
	};
	struct redact_set *set = set_of1(TOKEN);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
		CLEANUP_BUF struct buf masked = BUF_INIT(1 << 20);

		assert_true(tool(commands[i], str_from(TOKEN), &out));
		assert_int_equal(
			redact_buf(set, out.data, out.len, false, &masked), 0);
	}
	redact_set_free(set);
}

/* Base64 of the secret between any neighbours: what stays of it is at most
 * the characters that share bits with them. */
static void test_base64_matrix(void **state)
{
	static const char *const around[] = {"",         "a",   "ab", "abc",
					     "user:",    "x=",  "\n", ":x",
					     "@host/db", "\"}", "  ", "zzzzz"};

	(void)state;
	for (size_t len = 8; len <= 24; len++) {
		struct str s = str_n(TOKEN, len);
		struct redact_set *set = set_of(NULL, &s, 1);

		for (size_t i = 0; i < ARRAY_LEN(around); i++)
			for (size_t k = 0; k < ARRAY_LEN(around); k++) {
				CLEANUP_BUF struct buf v = BUF_INIT(99);
				CLEANUP_BUF struct buf b = BUF_INIT(99);
				size_t most = (strlen(around[i]) +
					       strlen(around[k]) + 2) /
					      3 * 4;

				buf_printf(&v, "%s" STR_FMT "%s", around[i],
					   STR_ARG(s), around[k]);
				b64_encode(&b, v.data, v.len);
				assert_in_range(rest_of(set, buf_view(&b)), 0,
						most + 4);
			}
		redact_set_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_curl),
		cmocka_unit_test(test_not_masked),
		cmocka_unit_test(test_base64_matrix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
