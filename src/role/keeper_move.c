/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A project's secrets out of the store and into it, as a file of age that the
 * server hands on and cannot read.  What comes in is sealed to a recipient of
 * our own, so that nobody has to give a private key away.
 *
 * The text is lines: "nfo-secrets 1", then NAME BASE64 of each secret's newest
 * version, with the base64 of its description behind it where there is one.
 *
 * Against a server that was taken over: who may be sealed to is in the
 * settings, and what we wrote has its project behind "nfo-secrets 1", so that it
 * comes back into no other one.
 */
#include "role/keeper.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "secrets/age.h"
#include "secrets/redact.h"
#include "secrets/ref.h"
#include "secrets/scanner.h"

#include <string.h>

#define INTRO "nfo-secrets 1"

enum {
	PAGE = 64,
	B64_MAX = (SECRET_STORE_VALUE_MAX + 2) / 3 * 4,
	LINE_MAX = SECRET_STORE_NAME_MAX + 2 + B64_MAX +
		   (SECRET_STORE_DESCRIPTION_MAX + 2) / 3 * 4,
	/* In a piece of the value that is a multiple of three. */
	PIECE = 3 << 10
};

/* --- out ----------------------------------------------------------------- */

/* base64 by pieces, each wiped. */
static int write_b64(struct age_writer *w, const void *p, size_t len,
		     struct err *e)
{
	struct buf text = BUF_INIT(PIECE / 3 * 4 + 4);
	const char *from = p;
	int bad = 0;

	for (size_t at = 0; !bad && at < len; at += PIECE) {
		size_t n = len - at < PIECE ? len - at : PIECE;

		buf_reset(&text);
		(void)b64_encode(&text, from + at, n);
		bad = age_write(w, text.data, text.len, e);
		mem_wipe(text.data, text.len);
	}
	buf_wipe(&text);
	return bad;
}

static int write_one(struct keeper *k, struct age_writer *w,
		     const struct secret_meta *m, struct err *e)
{
	CLEANUP_SECRET struct secret *value = NULL;
	struct secret_view v;

	if (m->deleted)
		return 0;
	if (secret_store_get(k->store, str_from(m->project), str_from(m->name),
			     0, &value, NULL, e))
		return -1;
	v = secret_bytes(value);
	if (age_write(w, m->name, strlen(m->name), e) ||
	    age_write(w, " ", 1, e) || write_b64(w, v.bytes, v.n_bytes, e))
		return -1;
	if (m->description[0] &&
	    (age_write(w, " ", 1, e) ||
	     write_b64(w, m->description, strlen(m->description), e)))
		return -1;
	return age_write(w, "\n", 1, e);
}

static int write_all(struct keeper *k, struct age_writer *w, struct str project,
		     struct err *e)
{
	CLEANUP_MEM struct secret_meta *page = mem_array(PAGE, sizeof(*page));
	char after[SECRET_STORE_NAME_MAX + 1] = "";
	size_t n = PAGE;

	if (age_write(w, INTRO " ", sizeof(INTRO), e) ||
	    age_write(w, project.p, project.len, e) || age_write(w, "\n", 1, e))
		return -1;
	while (n == PAGE) {
		if (secret_store_list(k->store, project, str_from(after), page,
				      PAGE, &n, e))
			return -1;
		for (size_t i = 0; i < n; i++)
			if (write_one(k, w, &page[i], e))
				return -1;
		if (n)
			memcpy(after, page[n - 1].name, sizeof(after));
	}
	return age_writer_end(w, e);
}

static const unsigned char base_point[X25519_PUBLIC_LEN] = {9};

/* The recipient that hangs on the root key. */
static int own_key(struct keeper *k, unsigned char *ret_private,
		   unsigned char *ret_public, struct err *e)
{
	if (secret_store_derive(k->store, "nfo/age", ret_private, e))
		return -1;
	return x25519_shared(ret_private, base_point, ret_public, e);
}

int keeper_move_new(struct keeper *k, const struct role_init *init,
		    struct err *e)
{
	for (; k->export_to.n < init->n_export_to; k->export_to.n++)
		if (age_recipient_parse(
			    str_from(init->export_to[k->export_to.n]),
			    k->export_to.keys[k->export_to.n], e))
			return err_wrap(e, "secret_export_to");
	return 0;
}

static int may_get(struct keeper *k, const unsigned char *recipient,
		   struct err *e)
{
	unsigned char priv[CURVE_PRIVATE_LEN], pub[X25519_PUBLIC_LEN];
	int bad = own_key(k, priv, pub, e);

	mem_wipe(priv, sizeof(priv));
	if (bad || !memcmp(recipient, pub, sizeof(pub)))
		return bad;
	for (size_t i = 0; i < k->export_to.n; i++)
		if (!memcmp(recipient, k->export_to.keys[i], sizeof(pub)))
			return 0;
	return err_set(e, ERR_DENIED,
		       "this recipient is not in the settings "
		       "(secret_export_to)");
}

int keeper_export(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63);
	struct str to = wire_get_str(r, AGE_RECIPIENT_TEXT_MAX);
	CLEANUP_BUF struct buf file = BUF_INIT(SECRET_FILE_MAX);
	unsigned char recipient[X25519_PUBLIC_LEN];
	struct age_writer *w = NULL;
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	bad = age_recipient_parse(to, recipient, &e) ||
	      may_get(k, recipient, &e) ||
	      age_writer_new(recipient, &file, &w, &e) ||
	      write_all(k, w, project, &e);
	age_writer_free(w);
	return bad ? keeper_answer(k, tag, -1, 0, &e) :
		     keeper_tell(k, tag, 0, &file);
}

/* --- in ------------------------------------------------------------------ */

int keeper_recipient(struct keeper *k, uint64_t tag, struct wire_reader *r,
		     struct chan_msg *msg)
{
	unsigned char priv[CURVE_PRIVATE_LEN], pub[X25519_PUBLIC_LEN];
	CLEANUP_BUF struct buf b = BUF_INIT(256);
	char text[AGE_RECIPIENT_TEXT_MAX];
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	bad = own_key(k, priv, pub, &e);
	mem_wipe(priv, sizeof(priv));
	if (bad)
		return keeper_answer(k, tag, -1, 0, &e);
	age_recipient_format(pub, text);
	buf_printf(&b, "{\"recipient\":\"%s\"}", text);
	return keeper_tell(k, tag, 0, &b);
}

/* Lines of a text that comes in pieces. */
struct import {
	struct keeper *k;
	struct str project;
	bool really;         /* the second time; the first one only looks */
	bool begun;          /* the first line was there */
	struct secret *line; /* LINE_MAX bytes, len of them are used */
	size_t len;
	uint64_t n_lines, n_new;
};

static int bad_line(const struct import *im, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "line %llu: %s",
		       (unsigned long long)im->n_lines, why);
}

/* Put what is not there already with that value. */
static int take(struct import *im, struct str name, const struct buf *raw,
		struct str about, struct err *e)
{
	CLEANUP_SECRET struct secret *value = NULL, *is = NULL;
	struct secret_store *s = im->k->store;
	uint64_t version;
	struct err none;

	if (secret_new(raw->data, raw->len, SECRET_WIPE_ON_FORK, &value, e))
		return -1;
	if (!secret_store_get(s, im->project, name, 0, &is, NULL, &none) &&
	    secret_eq(is, value))
		return 0;
	im->n_new++;
	if (secret_store_put(s, im->project, name, value, SECRET_VALUE_BYTES,
			     SECRET_STORE_ANY, &version, e))
		return -1;
	return about.len ? secret_store_describe(s, im->project, name, about, 0,
						 e) :
			   0;
}

static int read_line(struct import *im, struct str line, struct err *e)
{
	struct str name = str_cut(&line, ' '), b64 = str_cut(&line, ' ');
	CLEANUP_BUF struct buf about =
		BUF_INIT(SECRET_STORE_DESCRIPTION_MAX + 3);
	struct buf raw = BUF_INIT(SECRET_STORE_VALUE_MAX + 3);
	int bad = 0;

	if (!secret_name_valid(name))
		bad = bad_line(im, "not the name of a secret", e);
	else if (b64_decode(b64, &raw) || !raw.len ||
		 raw.len > SECRET_STORE_VALUE_MAX)
		bad = bad_line(im, "not 1 byte to 64 KiB in base64", e);
	else if (b64_decode(line, &about) ||
		 about.len > SECRET_STORE_DESCRIPTION_MAX)
		bad = bad_line(im, "not a description in base64", e);
	else if (raw.len < REDACT_MIN)
		bad = bad_line(im, "too short to be redacted in logs", e);
	else if (im->really)
		bad = take(im, name, &raw, buf_view(&about), e);
	buf_wipe(&raw);
	return bad;
}

static int end_line(struct import *im, struct err *e)
{
	struct str line = str_n((char *)secret_room(im->line), im->len);

	im->n_lines++;
	im->len = 0;
	if (im->begun)
		return line.len ? read_line(im, line, e) : 0;
	im->begun = true;
	if (str_is(line, INTRO))
		return 0;
	if (str_starts(line, STR(INTRO " ")))
		return str_eq(str_from_at(line, sizeof(INTRO)), im->project) ?
			       0 :
			       bad_line(im,
					"these are the secrets of another "
					"project",
					e);
	return bad_line(im, "the text does not begin with \"" INTRO "\"", e);
}

static int on_text(void *ctx, struct str text, struct err *e)
{
	struct import *im = ctx;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\n') {
			if (end_line(im, e))
				return -1;
		} else if (im->len == LINE_MAX) {
			im->n_lines++;
			return bad_line(im, "too long", e);
		} else {
			secret_room(im->line)[im->len++] =
				(unsigned char)text.p[i];
		}
	}
	return 0;
}

/* All of it is looked at before anything is stored. */
static int import(struct keeper *k, struct str project, struct str file,
		  uint64_t *ret_n, struct err *e)
{
	unsigned char priv[CURVE_PRIVATE_LEN], pub[X25519_PUBLIC_LEN];
	int bad = own_key(k, priv, pub, e);

	for (int again = 0; !bad && again < 2; again++) {
		struct import im = {
			.k = k, .project = project, .really = again};

		bad = secret_new(NULL, LINE_MAX, SECRET_WIPE_ON_FORK, &im.line,
				 e) ||
		      age_open(priv, file, on_text, &im, e) ||
		      (im.len && end_line(&im, e));
		if (!bad && !im.begun)
			bad = bad_line(&im, "the file is empty", e);
		*ret_n = im.n_new;
		secret_free(im.line);
	}
	mem_wipe(priv, sizeof(priv));
	return bad;
}

int keeper_import(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63);
	CLEANUP_BUF struct buf file = BUF_INIT(SECRET_FILE_MAX);
	uint64_t n = 0;
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds != 1)
		return -1;
	if (fd_memfd_read(msg->fds[0], &file, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	scanner_changed(k->scanner, project);
	bad = import(k, project, buf_view(&file), &n, &e);
	return keeper_answer(k, tag, bad, n, &e);
}
