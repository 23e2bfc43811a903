/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Approvals, and who may give them; see approvalview.h. */
#include "api/approvalview.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "doc/doc.h"

#include <inttypes.h>
#include <string.h>

/* --- who may ------------------------------------------------------------ */

static bool is_named(const struct request *r, const struct store_approval *a)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;
	bool found = false;

	if (doc_parse(a->named, DOC_JSON, &d, ps))
		return false;
	for (const struct doc_node *n = d->root->first; n && !found;
	     n = n->next)
		found = access_named(
			r->api->identity.set, str_from(r->who.name),
			str_from(r->who.token), a->project, n->text);
	doc_free(d);
	return found;
}

static struct str person(const struct request *r, struct str subject)
{
	return access_person(r->api->identity.set, subject);
}

const char *approval_refusal(struct request *r, const struct store_approval *a)
{
	struct str me = str_from(r->who.name);

	if (!a->submitter_may && str_eq(person(r, me), person(r, a->submitter)))
		return "who asked for the run does not approve it";
	if (!is_named(r, a))
		return "you are not one of those who are asked";
	if (access_role(r->api->identity.set, me, str_from(r->who.token),
			a->project) < ACCESS_OPERATOR)
		return "it takes an operator of the project";
	return NULL;
}

/* --- as JSON ------------------------------------------------------------ */

struct said {
	struct request *r;
	uint32_t index;
	struct buf *b; /* NULL: only look for mine */
	unsigned n, approved;
	bool mine;
};

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	clock_format(us, t);
	buf_printf(b, us ? ",\"%s\":\"%s\"" : ",\"%s\":null", key, t);
}

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_json(b, s);
	buf_putc(b, '"');
}

static int see_decision(void *ctx, const struct store_decision *d,
			struct err *e)
{
	struct said *s = ctx;

	(void)e;
	if (d->index != s->index)
		return 0;
	s->mine |= str_eq(d->person, person(s->r, str_from(s->r->who.name)));
	s->approved += d->approves;
	if (!s->b)
		return 0;
	buf_printf(s->b, "%s{\"decision\":\"%s\"", s->n++ ? "," : "",
		   d->approves ? "approve" : "reject");
	text(s->b, "who", d->who);
	text(s->b, "comment", d->comment);
	when(s->b, "at", d->ts_us);
	buf_putc(s->b, '}');
	return 0;
}

static const char *state_text(enum store_approval_state s)
{
	static const char *const names[N_APPROVAL_STATES] = {
		[APPROVAL_OPEN] = "open",
		[APPROVAL_GRANTED] = "granted",
		[APPROVAL_AUTO] = "auto",
		[APPROVAL_REJECTED] = "rejected",
		[APPROVAL_EXPIRED] = "expired",
		[APPROVAL_CANCELLED] = "cancelled",
	};

	return names[s];
}

int approval_view(struct request *r, const struct store_approval *a,
		  struct buf *b, struct err *e)
{
	struct said s = {.r = r, .index = a->index, .b = b};
	bool may;

	buf_printf(b, "{\"run_id\":\"run_%s\"", a->ulid.s);
	text(b, "project", a->project);
	text(b, "job", a->job);
	text(b, "task", a->task);
	text(b, "state", str_from(state_text(a->state)));
	buf_printf(b, ",\"digest\":\"sha256:" STR_FMT "\"", STR_ARG(a->digest));
	buf_printf(b, ",\"run_digest\":\"sha256:" STR_FMT "\"",
		   STR_ARG(a->run_digest));
	text(b, "message", a->message);
	text(b, "submitter", a->submitter);
	buf_puts(b, ",\"from\":");
	buf_str(b, a->named);
	buf_printf(b, ",\"not\":\"%s\",\"count\":%" PRIu32,
		   a->submitter_may ? "nobody" : "submitter", a->count);
	buf_puts(b, ",\"shown\":");
	buf_str(b, a->shown);
	buf_puts(b, ",\"decisions\":[");
	if (store_read_decisions(r->api->reader, a->run, see_decision, &s, e))
		return -1;
	may = a->state == APPROVAL_OPEN && !s.mine && !approval_refusal(r, a);
	buf_printf(b, "],\"approved\":%u,\"may_decide\":%s", s.approved,
		   may ? "true" : "false");
	when(b, "asked_at", a->asked_us);
	when(b, "expires_at", a->expires_us);
	buf_putc(b, '}');
	return b->failed ? err_set(e, ERR_LIMIT, "too long to show") : 0;
}

int approval_is_mine(struct request *r, const struct store_approval *a,
		     bool *ret, struct err *e)
{
	struct said s = {.r = r, .index = a->index};

	*ret = false;
	if (a->state != APPROVAL_OPEN || approval_refusal(r, a))
		return 0;
	if (store_read_decisions(r->api->reader, a->run, see_decision, &s, e))
		return -1;
	*ret = !s.mine;
	return 0;
}
