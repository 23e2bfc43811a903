/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `nfo secret seal|unseal|seal-status|slot|rotate|rekey`: what opens the store.
 * A passphrase is asked for at the terminal or read from a descriptor, never
 * taken from the command line or the environment.
 */
#include "cli/secret.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
	PASSPHRASE_MAX = 1024,
	BODY_MAX = 64 * 1024,
	SCRYPT_LOG_N = 17
};

/* --- passphrases --------------------------------------------------------- */

/* One line; the line end is not of it. */
static int read_line(int fd, struct buf *b, struct err *e)
{
	char c = 0;
	ssize_t n;

	while ((n = read(fd, &c, 1)) == 1 && c != '\n')
		if (!buf_putc(b, c))
			return err_set(e, ERR_LIMIT,
				       "a passphrase has at most %d bytes",
				       PASSPHRASE_MAX);
	c = 0;
	if (n < 0 || !b->len)
		return err_set(e, ERR_INVALID, "no passphrase came");
	return 0;
}

static int ask_hidden(const char *prompt, struct buf *b, struct err *e)
{
	struct termios old, quiet;
	int bad;

	if (!isatty(0) || tcgetattr(0, &old))
		return err_set(e, ERR_INVALID,
			       "standard input is no terminal: give the "
			       "passphrase with --passphrase-fd");
	fprintf(stderr, "%s: ", prompt);
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(0, TCSAFLUSH, &quiet);
	bad = read_line(0, b, e);
	(void)tcsetattr(0, TCSAFLUSH, &old);
	fputc('\n', stderr);
	return bad;
}

static int ask_twice(struct buf *b, struct err *e)
{
	struct buf again = BUF_INIT(PASSPHRASE_MAX);
	int bad = ask_hidden("New passphrase", b, e) ||
		  ask_hidden("The same again", &again, e);

	if (!bad && !str_eq(buf_view(b), buf_view(&again)))
		bad = err_set(e, ERR_INVALID, "these are two passphrases");
	buf_wipe(&again);
	return bad;
}

/* Of the descriptor of --passphrase-fd, else by asking. */
static int passphrase(const struct secret_args *a, bool new, struct buf *b,
		      struct err *e)
{
	uint64_t fd;

	if (!a->passphrase_fd)
		return new ? ask_twice(b, e) : ask_hidden("Passphrase", b, e);
	if (str_to_u64(str_from(a->passphrase_fd), INT_MAX, &fd))
		return err_set(e, ERR_INVALID,
			       "--passphrase-fd is a number of a descriptor");
	return read_line((int)fd, b, e);
}

/* --- calls --------------------------------------------------------------- */

/* body is wiped.  What the answer's number is called; NULL: nothing is said. */
static int post(const char *path, struct buf *body, const char *number)
{
	struct http_call c = {.method = "POST",
			      .path = path,
			      .type = body ? "application/json" : NULL};
	struct http_answer a;
	struct doc *d = NULL;
	int code;

	if (body)
		c.body = str_n(buf_cstr(body), body->len);
	code = cli_ask(&c, &a);
	if (body)
		buf_wipe(body);
	if (code)
		return code;
	if (globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	else if (number)
		d = cli_json(&a);
	if (d)
		printf("%s " STR_FMT "\n", number,
		       STR_ARG(cli_text(d->root, number)));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* "key":"text", escaped. */
static void put_text(struct buf *b, const char *key, struct str text)
{
	buf_printf(b, "%s\"%s\":\"", b->len > 1 ? "," : "", key);
	buf_json(b, text);
	buf_putc(b, '"');
}

int secret_seal(const struct secret_args *a)
{
	(void)a;
	return post("/v1/seal", NULL, NULL);
}

int secret_unseal(const struct secret_args *a)
{
	struct buf pass = BUF_INIT(PASSPHRASE_MAX), body = BUF_INIT(BODY_MAX);
	struct err e;

	buf_putc(&body, '{');
	if (!a->automatic) {
		if (passphrase(a, false, &pass, &e)) {
			buf_wipe(&pass);
			return cli_fail(&e);
		}
		put_text(&body, "passphrase", buf_view(&pass));
	}
	buf_wipe(&pass);
	if (a->accept_rollback)
		put_text(&body, "accept_rollback",
			 str_from(a->accept_rollback));
	buf_putc(&body, '}');
	return post("/v1/unseal", &body, NULL);
}

int secret_rotate(const struct secret_args *a)
{
	(void)a;
	return post("/v1/seal/rotate", NULL, "term");
}

/* --- how it is ----------------------------------------------------------- */

static int status(struct http_answer *a, struct doc **ret)
{
	return cli_get("/v1/seal-status", a, ret);
}

int secret_seal_status(const struct secret_args *unused)
{
	static const char *const keys[] = {
		"sealed", "reason",  "text",      "term",
		"epoch",  "secrets", "to_rewrap", "old_root_key"};
	struct http_answer a;
	struct doc *d;
	int code = status(&a, &d);

	(void)unused;
	if (code)
		return code;
	for (size_t i = 0; d && i < ARRAY_LEN(keys); i++)
		if (doc_get(d->root, keys[i]))
			printf("%-12s " STR_FMT "\n", keys[i],
			       STR_ARG(cli_text(d->root, keys[i])));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void put_slot(struct table *t, const struct doc_node *n)
{
	char when[24];

	cli_time(cli_text(n, "created_at"), when);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "slot")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "kind")));
	table_cell(t, "%s", when);
}

static int slot_list(void)
{
	static const char *const heads[] = {"SLOT", "KIND", "CREATED (UTC)"};

	return cli_list("/v1/seal/slots", ARRAY_LEN(heads), heads, put_slot);
}

/* PROVIDER/KEY, or PROVIDER/MOUNT/KEY. */
static void put_transit(struct buf *b, const char *where)
{
	struct str key = str_from(where), provider = str_cut(&key, '/');

	put_text(b, "provider", provider);
	put_text(b, "key", key);
}

static int slot_add(const struct secret_args *a, const char *kind)
{
	struct buf pass = BUF_INIT(PASSPHRASE_MAX), body = BUF_INIT(BODY_MAX);
	bool wants = !strcmp(kind, "passphrase");
	uint64_t log_n = SCRYPT_LOG_N;
	struct err e;

	if (a->scrypt && str_to_u64(str_from(a->scrypt), UINT8_MAX, &log_n))
		return cli_usage(a->verb);
	if (wants && passphrase(a, true, &pass, &e)) {
		buf_wipe(&pass);
		return cli_fail(&e);
	}
	buf_putc(&body, '{');
	put_text(&body, "kind", str_from(kind));
	if (wants) {
		put_text(&body, "passphrase", buf_view(&pass));
		buf_printf(&body, ",\"scrypt\":%" PRIu64, log_n);
	}
	if (a->transit)
		put_transit(&body, a->transit);
	buf_putc(&body, '}');
	buf_wipe(&pass);
	return post("/v1/seal/slots", &body, "slot");
}

int secret_slot(const struct secret_args *a)
{
	if (a->n == 1 && a->transit && !strcmp(a->v[0], "add"))
		return slot_add(a, "transit");
	if (a->transit)
		return cli_usage(a->verb);
	if (a->n == 1 && !strcmp(a->v[0], "list"))
		return slot_list();
	if (a->n == 2 && !strcmp(a->v[0], "add"))
		return slot_add(a, a->v[1]);
	if (a->n == 2 && !strcmp(a->v[0], "remove"))
		return cli_delete("/v1/seal/slots/", a->v[1], "");
	return cli_usage(a->verb);
}

/* --- another root key ---------------------------------------------------- */

static size_t count_passphrases(const struct doc_node *slots)
{
	size_t count = 0;

	for (const struct doc_node *n = slots ? slots->first : NULL; n;
	     n = n->next)
		count += str_is(cli_text(n, "kind"), "passphrase");
	return count;
}

/* The passphrase of each slot that has one: with --passphrase-fd a line each. */
int secret_rekey(const struct secret_args *args)
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct http_answer a;
	bool json = globals.json;
	struct doc *d = NULL;
	size_t n;
	int code;

	globals.json = false; /* what follows is for us to read */
	code = cli_get("/v1/seal/slots", &a, &d);
	globals.json = json;
	if (code)
		return code;
	n = count_passphrases(doc_get(d ? d->root : NULL, "items"));
	doc_free(d);
	http_answer_done(&a);
	buf_puts(&body, "{\"passphrases\":[");
	for (size_t i = 0; i < n; i++) {
		struct buf pass = BUF_INIT(PASSPHRASE_MAX);
		struct err e;

		if (passphrase(args, false, &pass, &e)) {
			buf_wipe(&pass);
			buf_wipe(&body);
			return cli_fail(&e);
		}
		buf_puts(&body, i ? ",\"" : "\"");
		buf_json(&body, buf_view(&pass));
		buf_putc(&body, '"');
		buf_wipe(&pass);
	}
	buf_puts(&body, "]}");
	return post("/v1/seal/rekey", &body, "term");
}
