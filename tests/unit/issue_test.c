/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Keys that are made for one attempt, as ssh-keygen and openssl read them. */
#include "base/fd.h"
#include "secrets/csr.h"
#include "secrets/ssh_key.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/nfo-issue-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	return fd_remove_tree(AT_FDCWD, dir, &e);
}

static void write_file(const char *name, const void *p, size_t len)
{
	char path[128];
	CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, p, len), 0);
}

static void write_secret(const char *name, const struct secret *s)
{
	struct secret_view v = secret_bytes(s);

	write_file(name, v.bytes, v.n_bytes);
}

/* What the command prints in the directory; it has to succeed. */
static void run(const char *command, struct buf *out)
{
	char line[512], piece[4096];
	FILE *f;
	size_t n;

	(void)snprintf(line, sizeof(line), "cd %s && %s", dir, command);
	f = popen(line, "re");
	assert_non_null(f);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		assert_true(buf_put(out, piece, n));
	assert_int_equal(pclose(f), 0);
}

static bool has(struct buf *b, const char *what)
{
	return strstr(buf_cstr(b), what) != NULL;
}

/* --- ssh ------------------------------------------------------------------ */

static void ssh_keygen_reads_it(void **state)
{
	static const char *comments[] = {
		"", "a", "ab", "abc", "nfo attempt 1", "abcdefg"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(comments); i++) {
		CLEANUP_BUF struct buf pub = BUF_INIT(SSH_KEY_PUBLIC_MAX);
		CLEANUP_BUF struct buf out = BUF_INIT(4096);
		CLEANUP_SECRET struct secret *key = NULL;
		struct err e;

		assert_int_equal(
			ssh_key_new(str_from(comments[i]), &key, &pub, &e), 0);
		write_secret("key", key);
		run("ssh-keygen -y -P '' -f key", &out);
		assert_string_equal(str_trim(buf_view(&out)).len == pub.len ?
					    "same" :
					    buf_cstr(&out),
				    "same");
		assert_memory_equal(out.data, pub.data, pub.len);
	}
}

static void ssh_ca_signs_it(void **state)
{
	CLEANUP_BUF struct buf pub = BUF_INIT(SSH_KEY_PUBLIC_MAX);
	CLEANUP_BUF struct buf out = BUF_INIT(8192);
	CLEANUP_SECRET struct secret *key = NULL;
	struct err e;

	(void)state;
	assert_int_equal(ssh_key_new(STR("x"), &key, &pub, &e), 0);
	write_secret("key", key);
	write_file("key.pub", pub.data, pub.len);
	run("ssh-keygen -q -t ed25519 -N '' -f ca && "
	    "ssh-keygen -q -s ca -I me -n deploy -V +5m key.pub && "
	    "ssh-keygen -L -f key-cert.pub && "
	    "echo text | ssh-keygen -q -Y sign -n t -f key 2>&1 | "
	    "head -c 29",
	    &out);
	assert_true(has(&out, "ED25519-CERT"));
	assert_true(has(&out, "deploy"));
	assert_true(has(&out, "BEGIN SSH SIGNATURE"));
}

static void ssh_keys_differ(void **state)
{
	CLEANUP_BUF struct buf a = BUF_INIT(SSH_KEY_PUBLIC_MAX);
	CLEANUP_BUF struct buf b = BUF_INIT(SSH_KEY_PUBLIC_MAX);
	CLEANUP_SECRET struct secret *ka = NULL, *kb = NULL;
	struct err e;

	(void)state;
	assert_int_equal(ssh_key_new(STR("x"), &ka, &a, &e), 0);
	assert_int_equal(ssh_key_new(STR("x"), &kb, &b, &e), 0);
	assert_false(str_eq(buf_view(&a), buf_view(&b)));
	assert_false(secret_eq(ka, kb));
}

static void ssh_comment_is_a_line(void **state)
{
	static char longest[SSH_KEY_COMMENT_MAX + 2];
	CLEANUP_BUF struct buf pub = BUF_INIT(512);
	struct secret *key = NULL;
	struct err e;

	(void)state;
	memset(longest, 'c', sizeof(longest) - 1);
	assert_int_equal(ssh_key_new(STR("a\nb"), &key, &pub, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(ssh_key_new(str_from(longest), &key, &pub, &e), -1);
	assert_int_equal(pub.len, 0);
	longest[SSH_KEY_COMMENT_MAX] = '\0';
	assert_int_equal(ssh_key_new(str_from(longest), &key, &pub, &e), 0);
	secret_free(key);
}

/* --- certificates --------------------------------------------------------- */

static void openssl_verifies_it(void **state)
{
	struct csr_subject s = {STR("web.example"),
				STR("a.example, b.example,me@c.example"),
				STR("127.0.0.1,::1"), STR("spiffe://x/y")};
	CLEANUP_BUF struct buf csr = BUF_INIT(CSR_TEXT_MAX);
	CLEANUP_BUF struct buf out = BUF_INIT(16384);
	CLEANUP_SECRET struct secret *key = NULL;
	struct err e;

	(void)state;
	assert_int_equal(csr_new(&s, &key, &csr, &e), 0);
	write_secret("key.pem", key);
	write_file("csr.pem", csr.data, csr.len);
	run("openssl req -in csr.pem -verify -noout -text 2>&1", &out);
	assert_true(has(&out, "verify OK"));
	assert_true(has(&out, "CN = web.example"));
	assert_true(has(&out, "DNS:a.example, DNS:b.example, "
			      "email:me@c.example, IP Address:127.0.0.1, "
			      "IP Address:0:0:0:0:0:0:0:1, URI:spiffe://x/y"));
	assert_true(has(&out, "prime256v1"));
	run("openssl pkey -in key.pem -pubout >a && "
	    "openssl req -in csr.pem -pubkey -noout >b && cmp a b && "
	    "head -n 1 key.pem",
	    &out);
	assert_true(has(&out, "-----BEGIN PRIVATE KEY-----"));
}

static void csr_names(void **state)
{
	static const struct {
		struct csr_subject s;
		enum err_code code;
		const char *text;
	} rows[] = {
		{{STR("x"), STR(""), STR(""), STR("")},        ERR_NONE,    ""           },
		{{STR(""), STR("x"), STR(""), STR("")},        ERR_NONE,    ""           },
		{{STR(""), STR(""), STR(""), STR("")},         ERR_INVALID, "is for"     },
		{{STR(""), STR("a,"), STR(""), STR("")},       ERR_NONE,    ""           },
		{{STR(""), STR("a,,b"), STR(""), STR("")},
		 ERR_INVALID,					       "alt_names"  },
		{{STR(""), STR("a b"), STR(""), STR("")},
		 ERR_INVALID,					       "alt_names"  },
		{{STR(""), STR(""), STR("1.2.3"), STR("")},
		 ERR_INVALID,					       "ip_sans"    },
		{{STR(""), STR(""), STR(""), STR("\x01")},
		 ERR_INVALID,					       "uri_sans"   },
		{{STR("0123456789012345678901234567890123456789"
		      "0123456789012345678901234"),
		  STR(""), STR(""), STR("")},
		 ERR_INVALID,					       "common_name"},
		{{STR("\xff"), STR(""), STR(""), STR("")},
		 ERR_INVALID,					       "common_name"},
		{{STR("x"),
		  STR("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,"
		      "22,23,24,25,26,27,28,29,30,31,32,33"),
		  STR(""), STR("")},
		 ERR_LIMIT,						 "alt_names"  },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf csr = BUF_INIT(CSR_TEXT_MAX);
		CLEANUP_SECRET struct secret *key = NULL;
		struct err e = {.code = ERR_NONE};
		int bad = csr_new(&rows[i].s, &key, &csr, &e);

		assert_int_equal(bad, rows[i].code ? -1 : 0);
		assert_int_equal(e.code, rows[i].code);
		assert_non_null(strstr(e.text, rows[i].text));
		assert_true(!bad == (key != NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ssh_keygen_reads_it),
		cmocka_unit_test(ssh_ca_signs_it),
		cmocka_unit_test(ssh_keys_differ),
		cmocka_unit_test(ssh_comment_is_a_line),
		cmocka_unit_test(openssl_verifies_it),
		cmocka_unit_test(csr_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
