/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The table of schemes, and how each is read; see scheme.h. */
#include "hook/scheme.h"
#include "base/hex.h"

#include <stdio.h>
#include <string.h>

struct reading {
	hook_header_fn *header;
	void *ctx;
	struct hook_call *call;
};

static struct str header(const struct reading *r, const char *name)
{
	return str_trim(r->header(r->ctx, name));
}

/* --- proofs ------------------------------------------------------------- */

static int add_hex(struct hook_call *c, struct str hex)
{
	if (c->n_macs == VERIFY_MACS_MAX ||
	    hex_decode(hex, c->macs[c->n_macs].b, HASH_LEN))
		return -1;
	c->n_macs++;
	return 0;
}

static int add_base64(struct hook_call *c, struct str text)
{
	CLEANUP_BUF struct buf b = BUF_INIT(HASH_LEN);

	if (c->n_macs == VERIFY_MACS_MAX || b64_decode(text, &b) ||
	    b.len != HASH_LEN)
		return -1;
	memcpy(c->macs[c->n_macs++].b, b.data, HASH_LEN);
	return 0;
}

static int set_time(struct hook_call *c, struct str s)
{
	if (str_to_i64(s, 0, INT64_MAX / 1000000, &c->time_s))
		return -1;
	c->timed = true;
	return 0;
}

static int set_prefix(struct hook_call *c, struct str id, struct str time)
{
	int n = snprintf(c->prefix, sizeof(c->prefix), STR_FMT "%s" STR_FMT ".",
			 STR_ARG(id), id.len ? "." : "", STR_ARG(time));

	if (n < 0 || (size_t)n >= sizeof(c->prefix))
		return -1;
	c->prefix_len = (size_t)n;
	return 0;
}

static int read_hub(const struct reading *r)
{
	struct str s = header(r, "X-Hub-Signature-256");

	return str_starts(s, STR("sha256=")) ?
		       add_hex(r->call, str_from_at(s, 7)) :
		       -1;
}

static int read_gitea(const struct reading *r)
{
	struct str s = header(r, "X-Gitea-Signature");

	return s.len ? add_hex(r->call, s) : read_hub(r);
}

static int read_token(const struct reading *r)
{
	r->call->how = VERIFY_TOKEN;
	r->call->token = r->header(r->ctx, "X-Gitlab-Token");
	return r->call->token.len && r->call->token.len <= VERIFY_TOKEN_MAX ?
		       0 :
		       -1;
}

/* Signatures of other versions are left out. */
static int read_standard(const struct reading *r)
{
	struct str id = header(r, "webhook-id");
	struct str time = header(r, "webhook-timestamp");
	struct str list = header(r, "webhook-signature");

	r->call->how = VERIFY_HMAC_WHSEC;
	if (!id.len || id.len > HOOK_ID_MAX || set_time(r->call, time) ||
	    set_prefix(r->call, id, time))
		return -1;
	while (list.p && r->call->n_macs < VERIFY_MACS_MAX) {
		struct str one = str_trim(str_cut(&list, ' '));

		if (str_starts(one, STR("v1,")) &&
		    add_base64(r->call, str_from_at(one, 3)))
			return -1;
	}
	return r->call->n_macs ? 0 : -1;
}

static int read_generic(const struct reading *r)
{
	struct str list = header(r, "X-Nfo-Signature");
	struct str time = str_trim(str_cut(&list, ','));

	r->call->by_content = true;
	if (!str_starts(time, STR("t=")))
		return -1;
	time = str_from_at(time, 2);
	if (set_time(r->call, time) || set_prefix(r->call, STR(""), time))
		return -1;
	while (list.p) {
		struct str one = str_trim(str_cut(&list, ','));

		if (!str_starts(one, STR("v1=")) ||
		    add_hex(r->call, str_from_at(one, 3)))
			return -1;
	}
	return r->call->n_macs ? 0 : -1;
}

/* --- the table ---------------------------------------------------------- */

static const struct {
	const char *name;
	int (*proof)(const struct reading *r);
	const char *event, *ids[2], *ping;
} schemes[N_HOOK_SCHEMES] = {
	[HOOK_GITHUB] = {"github",
			 read_hub,                      "X-GitHub-Event",
			 {"X-GitHub-Delivery"},
			 "ping"								 },
	[HOOK_GITEA] = {"gitea",
			 read_gitea,                    "X-Gitea-Event",
			 {"X-Gitea-Delivery"},
			 "ping"								 },
	[HOOK_GITLAB_TOKEN] = {"gitlab-token",
                         read_token,                    "X-Gitlab-Event",
                         {"Idempotency-Key", "X-Gitlab-Event-UUID"},
                         NULL								   },
	[HOOK_STANDARD] =
		{"standard",     read_standard, NULL,             {"webhook-id"}, NULL  },
	[HOOK_GENERIC] =
		{"generic",      read_generic,  "X-Nfo-Event",    {NULL},         "ping"},
};

const char *hook_scheme_name(enum hook_scheme s)
{
	return schemes[s].name;
}

int hook_scheme_parse(struct str name, enum hook_scheme *ret)
{
	for (size_t i = 0; i < N_HOOK_SCHEMES; i++)
		if (str_is(name, schemes[i].name)) {
			*ret = (enum hook_scheme)i;
			return 0;
		}
	return -1;
}

/* What can be stored and shown as it is; else as if it were not there. */
static struct str plain(struct str s, size_t max, char least)
{
	bool ok = s.len && s.len <= max;

	for (size_t i = 0; i < s.len && ok; i++)
		ok = s.p[i] >= least && s.p[i] <= '~';
	return ok ? s : STR("");
}

int hook_call_read(enum hook_scheme s, hook_header_fn *fn, void *ctx,
		   struct hook_call *ret)
{
	struct reading r = {.header = fn, .ctx = ctx, .call = ret};

	*ret = (struct hook_call){.how = VERIFY_HMAC};
	if (schemes[s].proof(&r)) {
		*ret = (struct hook_call){.how = VERIFY_HMAC};
		return -1;
	}
	if (schemes[s].event)
		ret->event = plain(header(&r, schemes[s].event), HOOK_EVENT_MAX,
				   ' ');
	for (size_t i = 0; i < ARRAY_LEN(schemes[s].ids) && !ret->delivery.len;
	     i++)
		if (schemes[s].ids[i])
			ret->delivery = plain(header(&r, schemes[s].ids[i]),
					      HOOK_ID_MAX, '!');
	ret->ping = schemes[s].ping && str_is(ret->event, schemes[s].ping);
	return 0;
}

bool hook_call_fresh(const struct hook_call *c, int64_t now_s)
{
	return !c->timed || (c->time_s >= now_s - HOOK_TOLERANCE_S &&
			     c->time_s <= now_s + HOOK_TOLERANCE_S);
}
