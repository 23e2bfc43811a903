/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The attempt's secrets: fetched over the channel that is the attempt. */
#include "base/fd.h"
#include "base/mem.h"
#include "runner/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VALUE_MAX = 64 * 1024
};

/* From the message itself, or the memory file beside it. */
static int take_value(struct run *r, size_t i, struct chan_msg *msg)
{
	struct wire_reader w = wire_reader(msg->body, msg->body_len);
	struct err e;
	size_t len;

	if (!msg->n_fds) {
		struct str s = wire_get_str(&w, WIRE_MAX);

		if (!wire_end(&w))
			return -1;
		return secret_new(s.p, s.len, 0, &r->values[i], &e);
	}
	if (fd_memfd_check(msg->fds[0], VALUE_MAX, &len, &e) ||
	    secret_new(NULL, len, 0, &r->values[i], &e))
		return -1;
	return pread(msg->fds[0], secret_room(r->values[i]), len, 0) ==
			       (ssize_t)len ?
		       0 :
		       -1;
}

static int fetch_one(struct run *r, size_t i)
{
	const struct job_secret_use *u = &r->a->secrets[i];
	static unsigned char room[WIRE_MAX + 2];
	struct wire_writer w = {.len = 0};
	struct chan_msg msg;
	struct err e;
	int bad = 0;

	wire_str(&w, u->ref);
	if (chan_send(r->fds[FORK_KEEPER], MSG_FETCH, &w, NULL, 0, &e) <= 0 ||
	    chan_recv(r->fds[FORK_KEEPER], room, &msg, &e) <= 0)
		return run_fail(r, KIND_SECRET, "",
				"secret \"" STR_FMT "\": the keeper is away",
				STR_ARG(u->name));
	if (msg.type == MSG_SECRET) {
		bad = take_value(r, i, &msg);
		if (bad)
			run_fail(r, KIND_SECRET, "",
				 "secret \"" STR_FMT "\": malformed",
				 STR_ARG(u->name));
	} else {
		struct wire_reader rd = wire_reader(msg.body, msg.body_len);
		struct str text;

		(void)wire_get_u8(&rd);
		text = wire_get_str(&rd, ERR_TEXT_MAX);
		bad = run_fail(r, KIND_SECRET,
			       "put it there: nfo secret put NAME < FILE",
			       "secret \"" STR_FMT "\" (" STR_FMT "): " STR_FMT,
			       STR_ARG(u->name), STR_ARG(u->ref),
			       STR_ARG(text));
	}
	chan_msg_done(&msg);
	mem_wipe(room, sizeof(room));
	return bad;
}

/* Of several secrets with one value the redactor names the first it finds: what
 * one of them asks for counts for all. */
static void share_strictness(struct run *r)
{
	for (size_t i = 0; i < r->a->n_secrets; i++)
		for (size_t k = 0; k < r->a->n_secrets; k++) {
			struct secret_view a = secret_bytes(r->values[i]);
			struct secret_view b = secret_bytes(r->values[k]);

			if (r->a->secrets[i].leak_fails &&
			    a.n_bytes == b.n_bytes &&
			    mem_eq_ct(a.bytes, b.bytes, a.n_bytes))
				r->a->secrets[k].leak_fails = true;
		}
}

static void say_status(void *ctx, const char *name, const char *status)
{
	logfile_say(&((struct run *)ctx)->log, "nfo: secret \"%s\": %s", name,
		    status);
}

int fetch_mask(struct run *r, const struct mask_value *v, size_t n,
	       struct err *e)
{
	struct str words[3] = {r->a->project, r->a->job, r->a->task};
	size_t first = r->mask.set ? redact_set_size(r->mask.set) : 0;

	if (mask_add(&r->mask, v, n, words, ARRAY_LEN(words), e))
		return -1;
	mask_explain(&r->mask, first, say_status, r);
	return 0;
}

int fetch_secrets(struct run *r)
{
	struct mask_value list[GRANT_REFS_MAX];
	CLEANUP_BUF struct buf names = BUF_INIT(GRANT_REFS_MAX * 80);
	size_t at[GRANT_REFS_MAX];
	struct err e;

	for (size_t i = 0; i < r->a->n_secrets; i++)
		if (fetch_one(r, i))
			return -1;
	share_strictness(r);
	for (size_t i = 0; i < r->a->n_secrets; i++) {
		at[i] = names.len;
		buf_str(&names, r->a->secrets[i].name);
		buf_putc(&names, '\0');
	}
	for (size_t i = 0; i < r->a->n_secrets; i++)
		list[i] = (struct mask_value){i, names.data + at[i],
					      r->values[i]};
	if (fetch_mask(r, list, r->a->n_secrets, &e))
		return run_fail(r, KIND_SECRET, "", "redactor: %s", e.text);
	return 0;
}

void fetch_done(struct run *r)
{
	mask_done(&r->mask);
	for (size_t i = 0; i < GRANT_REFS_MAX; i++) {
		secret_free(r->values[i]);
		r->values[i] = NULL;
	}
}

struct str fetch_clean(struct run *r, struct str s)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	char *copy;

	if (r->mask.set ? redact_buf(r->mask.set, s.p, s.len, true, &b) < 0 :
			  !buf_str(&b, s))
		return STR("(too long to show)");
	copy = arena_strndup(r->result.arena, b.data, b.len);
	return str_n(copy ? copy : "", copy ? b.len : 0);
}
