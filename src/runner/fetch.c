/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The attempt's secrets: fetched over the channel that is the attempt. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "runner/internal.h"
#include "secrets/fields.h"
#include "secrets/private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- one answer --------------------------------------------------------- */

static int malformed(struct run *r, size_t i)
{
	return run_fail(r, KIND_SECRET, "", "secret \"" STR_FMT "\": malformed",
			STR_ARG(r->a->secrets[i].name));
}

/* From the message itself, or the memory file beside it. */
static int read_value(struct wire_reader *w, const struct chan_msg *msg,
		      struct secret **ret)
{
	struct secret *s;
	struct err e;
	size_t len;

	if (!msg->n_fds) {
		struct str v = wire_get_str(w, WIRE_MAX);

		return wire_end(w) ? secret_new(v.p, v.len, 0, ret, &e) : -1;
	}
	if (!wire_end(w) || fd_memfd_check(msg->fds[0], SECRET_MAX, &len, &e) ||
	    secret_new(NULL, len, 0, &s, &e))
		return -1;
	if (pread(msg->fds[0], secret_room(s), len, 0) != (ssize_t)len) {
		secret_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

/* Takes value. */
static int give(struct run *r, size_t i, struct str field, struct secret *value)
{
	const struct job_secret_use *u = &r->a->secrets[i];
	struct given *g = &r->given[r->n_given];

	if (r->n_given == RUN_GIVEN_MAX) {
		secret_free(value);
		return run_fail(r, KIND_SECRET, "name `field`s",
				"secret \"" STR_FMT
				"\": more than %d values in all",
				STR_ARG(u->name), RUN_GIVEN_MAX);
	}
	r->n_given++;
	*g = (struct given){.use = i, .field = field.len, .value = value};
	if (asprintf(&g->name, STR_FMT "%s" STR_FMT, STR_ARG(u->name),
		     field.len ? "/" : "", STR_ARG(field)) < 0)
		abort();
	return 0;
}

/* [A-Za-z0-9._-]+ without a leading dot. */
static bool file_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '_' &&
		    s.p[i] != '-' && (s.p[i] != '.' || !i))
			return false;
	return s.len > 0;
}

/* A name that somebody gave it, fit for a line. */
static struct str shown(struct str name, char room[FIELD_NAME_MAX])
{
	for (size_t i = 0; i < name.len; i++)
		room[i] = iscntrl((unsigned char)name.p[i]) ? '?' : name.p[i];
	return str_n(room, name.len);
}

/* All of them, each as a file. */
static int give_fields(struct run *r, size_t i, const struct secret *packed)
{
	const struct job_secret_use *u = &r->a->secrets[i];
	struct field fields[FIELDS_MAX];
	char room[FIELD_NAME_MAX];
	struct secret *value;
	struct err e;
	size_t n;

	if (fields_parse(secret_bytes(packed), fields, &n, &e))
		return malformed(r, i);
	if (u->deliver != DELIVER_FILE)
		return run_fail(r, KIND_SECRET, "field: NAME, of one of them",
				"secret \"" STR_FMT
				"\": it has fields, and can only be files",
				STR_ARG(u->name));
	for (size_t k = 0; k < n; k++) {
		struct secret_view v = fields[k].value;

		if (!file_name(fields[k].name))
			return run_fail(r, KIND_SECRET,
					"field: NAME, of those that you need",
					"secret \"" STR_FMT
					"\": field \"" STR_FMT
					"\" is no name of a file",
					STR_ARG(u->name),
					STR_ARG(shown(fields[k].name, room)));
		if (secret_new(v.bytes, v.n_bytes, 0, &value, &e))
			return run_fail(r, KIND_SECRET, "", "%s", e.text);
		if (give(r, i, fields[k].name, value))
			return -1;
	}
	return 0;
}

/* --- new values --------------------------------------------------------- */

/* All at once: a reader that is at it goes on reading the old one.  Where it did
 * not work PID 1 says so later (capture.c). */
static void write_anew(struct run *r, const struct given *g)
{
	struct secret_view v = secret_bytes(g->value);
	CLEANUP_FD int fd = -1;
	struct err e;

	if (!g->laid)
		return; /* not yet, or no file */
	fd = fd_memfd_sealed("secret", str_n((const char *)v.bytes, v.n_bytes),
			     &e);
	if (fd < 0 || ctl_replace(r->ctl, g->name, fd, &e))
		run_say(r,
			"nfo: secret \"%s\": a new value could not be "
			"written: %s",
			g->name, e.text);
}

/* Takes value.  Before the redactor is there it is one of those to begin
 * with. */
static void replace(struct run *r, size_t i, struct str field,
		    struct secret *value)
{
	struct mask_value m = {.use = i, .value = value};
	struct given *g = NULL;
	struct err e;

	for (size_t k = 0; k < r->n_given && !g; k++) {
		struct str at = str_from(r->given[k].name);

		(void)str_cut(&at, '/');
		if (r->given[k].use == i && str_eq(at, field))
			g = &r->given[k];
	}
	if (!g) { /* a field that there was not */
		secret_free(value);
		return;
	}
	m.name = g->name;
	if (r->mask.set && fetch_mask(r, &m, 1, &e)) {
		run_say(r,
			"nfo: secret \"%s\": a new value is not handed on: "
			"%s",
			g->name, e.text);
		secret_free(value);
		return;
	}
	secret_free(g->value);
	g->value = value;
	write_anew(r, g);
}

static void take_new(struct run *r, size_t i, struct wire_reader *w,
		     const struct chan_msg *msg)
{
	uint8_t form = wire_get_u8(w);
	CLEANUP_SECRET struct secret *packed = NULL;
	struct field fields[FIELDS_MAX];
	struct secret *value;
	struct err e;
	size_t n;

	if (form >= N_SECRET_FORMS || read_value(w, msg, &packed))
		return;
	if (form == SECRET_VALUE) {
		replace(r, i, STR(""), packed);
		packed = NULL;
		template_anew(r, i);
		return;
	}
	if (fields_parse(secret_bytes(packed), fields, &n, &e))
		return;
	for (size_t k = 0; k < n; k++)
		if (!secret_new(fields[k].value.bytes, fields[k].value.n_bytes,
				0, &value, &e))
			replace(r, i, fields[k].name, value);
	template_anew(r, i);
}

/* --- the first ---------------------------------------------------------- */

static int take_secret(struct run *r, size_t i, struct wire_reader *w,
		       const struct chan_msg *msg)
{
	uint8_t form = wire_get_u8(w);
	struct secret *value;
	int bad;

	if (form >= N_SECRET_FORMS || read_value(w, msg, &value))
		return malformed(r, i);
	if (form == SECRET_VALUE)
		return give(r, i, STR(""), value);
	bad = give_fields(r, i, value);
	secret_free(value);
	return bad;
}

/* What to do about it.  Whether it is the login or the path only a check can
 * tell for sure. */
static const char *hint_of(struct str ref, uint8_t code, struct buf *room)
{
	static const struct {
		enum err_code code;
		const char *text;
	} hints[] = {
		{ERR_NOT_FOUND, "path and field as `vault kv get` has them, no "
				"`data/` in it"    },
		{ERR_DENIED,    "a policy of the Vault has to let it read the "
			     "path"                   },
		{ERR_LIMIT,     "a secret is at most 1 MiB and 64 fields; more of "
			    "them need a path each"    },
		{ERR_INVALID,   "`nfo explain vault` and `nfo explain kind` say "
			      "what can be asked for"},
	};
	const char *text = NULL;
	struct str provider;

	if (str_starts(ref, STR("store:")))
		return code == ERR_NOT_FOUND ?
			       "put it there: nfo secret put NAME < FILE" :
			       "";
	if (!str_starts(ref, STR("vault:")))
		return "";
	ref = str_from_at(ref, 6);
	provider = str_cut(&ref, ':');
	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (hints[i].code == code)
			text = hints[i].text;
	buf_printf(room, "nfo secret provider check " STR_FMT "%s%s",
		   STR_ARG(provider),
		   text ? "; if that is well: " : " says at which step",
		   text ? text : "");
	return buf_cstr(room);
}

static int take_no(struct run *r, size_t i, struct wire_reader *w)
{
	CLEANUP_BUF struct buf hint = BUF_INIT(512);
	const struct job_secret_use *u = &r->a->secrets[i];
	uint8_t code = wire_get_u8(w), wait = wire_get_u8(w);
	struct str text = wire_get_str(w, ERR_TEXT_MAX);

	if (!wire_end(w) || !code)
		return malformed(r, i);
	run_fail(r, KIND_SECRET, hint_of(u->ref, code, &hint),
		 "secret \"" STR_FMT "\" (" STR_FMT "): " STR_FMT,
		 STR_ARG(u->name), STR_ARG(u->ref), STR_ARG(text));
	r->result.secrets_away = wait != 0;
	return -1;
}

/* --- all of them -------------------------------------------------------- */

/* There is another one soon. */
static int keeper_away(struct run *r, size_t i)
{
	run_fail(r, KIND_SECRET, "",
		 "secret \"" STR_FMT "\": the keeper is away",
		 STR_ARG(r->a->secrets[i].name));
	r->result.secrets_away = true;
	return -1;
}

static int ask(struct run *r, size_t i)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u8(&w, (uint8_t)i);
	wire_str(&w, r->a->secrets[i].ref);
	return chan_send(r->fds[FORK_KEEPER], MSG_FETCH, &w, NULL, 0, &e) <= 0 ?
		       keeper_away(r, i) :
		       0;
}

/* Whichever comes next; *left has which are to come.  Returns how many it
 * was, or -1. */
static int take_one(struct run *r, bool *left)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_reader w;
	struct chan_msg msg;
	struct err e;
	size_t i = 0;
	int bad = -1;

	while (!left[i])
		i++;
	if (chan_recv(r->fds[FORK_KEEPER], room, &msg, &e) <= 0)
		return keeper_away(r, i);
	w = wire_reader(msg.body, msg.body_len);
	i = wire_get_u8(&w);
	if (!w.failed && i < r->a->n_secrets && !left[i] &&
	    msg.type == MSG_SECRET_NEW) {
		take_new(r, i, &w, &msg);
		bad = 1;
	} else if (w.failed || i >= r->a->n_secrets || !left[i])
		run_fail(r, KIND_SECRET, "",
			 "the keeper's answer is malformed");
	else if (msg.type == MSG_SECRET)
		bad = take_secret(r, i, &w, &msg);
	else if (msg.type == MSG_SECRET_NO)
		bad = take_no(r, i, &w);
	else
		malformed(r, i);
	chan_msg_done(&msg);
	mem_wipe(room, sizeof(room));
	if (bad)
		return bad > 0 ? 0 : -1;
	left[i] = false;
	return 1;
}

int fetch_news(struct run *r)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_reader w;
	struct chan_msg msg;
	struct err e;
	size_t i;

	if (chan_recv(r->fds[FORK_KEEPER], room, &msg, &e) <= 0)
		return -1;
	w = wire_reader(msg.body, msg.body_len);
	i = wire_get_u8(&w);
	if (msg.type == MSG_SECRET_NEW && !w.failed && i < r->a->n_secrets &&
	    r->a->secrets[i].refresh)
		take_new(r, i, &w, &msg);
	chan_msg_done(&msg);
	mem_wipe(room, sizeof(room));
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct given *x = a, *y = b;

	if (x->use != y->use)
		return x->use < y->use ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* All are asked for before the first answer is waited for: they are not all
 * from the same place.  Then in the order of the job again. */
static int fetch_all(struct run *r)
{
	bool left[GRANT_REFS_MAX] = {false};

	for (size_t i = 0; i < r->a->n_secrets; i++) {
		if (ask(r, i))
			return -1;
		left[i] = true;
	}
	for (size_t n = r->a->n_secrets; n;) {
		int got = take_one(r, left);

		if (got < 0)
			return -1;
		n -= (size_t)got;
	}
	qsort(r->given, r->n_given, sizeof(*r->given), by_use);
	return 0;
}

/* Of several secrets with one value the redactor names the first it finds: what
 * one of them asks for counts for all. */
static void share_strictness(struct run *r)
{
	for (size_t i = 0; i < r->n_given; i++)
		for (size_t k = 0; k < r->n_given; k++) {
			struct secret_view a = secret_bytes(r->given[i].value);
			struct secret_view b = secret_bytes(r->given[k].value);

			if (r->a->secrets[r->given[i].use].leak_fails &&
			    a.n_bytes == b.n_bytes &&
			    mem_eq_ct(a.bytes, b.bytes, a.n_bytes))
				r->a->secrets[r->given[k].use].leak_fails =
					true;
		}
}

static void say_status(void *ctx, const char *name, const char *status)
{
	run_say(ctx, "nfo: secret \"%s\": %s", name, status);
}

int fetch_mask(struct run *r, const struct mask_value *v, size_t n,
	       struct err *e)
{
	struct str words[3] = {r->a->project, r->a->job, r->a->task};

	if (mask_add(&r->mask, v, n, words, ARRAY_LEN(words), clock_mono_us(),
		     e))
		return -1;
	mask_explain(&r->mask, say_status, r);
	return 0;
}

/* Before anything else is asked for, so that the answer is to this. */
static int fetch_run_key(struct run *r)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_writer w = {.len = 0};
	struct wire_reader rd;
	struct chan_msg msg;
	struct err e;
	int bad = -1;

	wire_u8(&w, FETCH_RUN_KEY);
	wire_str(&w, STR(""));
	if (chan_send(r->fds[FORK_KEEPER], MSG_FETCH, &w, NULL, 0, &e) <= 0 ||
	    chan_recv(r->fds[FORK_KEEPER], room, &msg, &e) <= 0) {
		run_fail(r, KIND_SECRET, "",
			 "private files: the keeper is away");
		r->result.secrets_away = true;
		return -1;
	}
	rd = wire_reader(msg.body, msg.body_len);
	if (msg.type == MSG_SECRET && wire_get_u8(&rd) == FETCH_RUN_KEY &&
	    wire_get_u8(&rd) == SECRET_VALUE &&
	    !read_value(&rd, &msg, &r->run_key) &&
	    secret_bytes(r->run_key).n_bytes == PRIVATE_KEY_LEN) {
		bad = 0;
	} else if (msg.type == MSG_SECRET_NO) {
		(void)wire_get_u16(&rd); /* tag, code */
		r->result.secrets_away = wire_get_u8(&rd) != 0;
	}
	if (bad)
		run_fail(r, KIND_SECRET, "",
			 "the key of the run's private files was not had");
	chan_msg_done(&msg);
	mem_wipe(room, sizeof(room));
	return bad;
}

int fetch_secrets(struct run *r)
{
	struct mask_value list[RUN_GIVEN_MAX];
	struct err e;

	if ((job_attempt_private(r->a) && fetch_run_key(r)) || fetch_all(r))
		return -1;
	share_strictness(r);
	for (size_t i = 0; i < r->n_given; i++)
		list[i] = (struct mask_value){r->given[i].use, r->given[i].name,
					      r->given[i].value};
	if (fetch_mask(r, list, r->n_given, &e))
		return run_fail(r, KIND_SECRET, "", "redactor: %s", e.text);
	return 0;
}

void fetch_done(struct run *r)
{
	mask_done(&r->mask);
	secret_free(r->run_key);
	r->run_key = NULL;
	for (size_t i = 0; i < r->n_given; i++) {
		secret_free(r->given[i].value);
		free(r->given[i].name);
	}
	r->n_given = 0;
}

struct redacted_str fetch_clean(struct run *r, struct str s)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct redacted_str clean;
	char *room;

	if (redact_text(r->mask.set, s, true, &b, &clean) < 0)
		return REDACTED("(too long to show)");
	room = arena_alloc(r->result.arena, clean.clean.len + 1);
	return room ? redacted_copy(room, clean) : REDACTED("");
}
