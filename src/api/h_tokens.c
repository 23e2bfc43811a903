/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Tokens: 256 random bits whose SHA-256 is kept.  The text is shown once.  A
 * token is never more than its subject, and may be made less: a role at most,
 * some projects, a time.
 */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/once.h"
#include "api/page.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "job/keys.h"
#include "store/resources.h"

#include <stdio.h>
#include <string.h>

enum {
	VIEW_MAX = 16 << 20,
	BODY_MAX = 16 * 1024,
	SECRET_LEN = 32
};

#define DAY_US     ((int64_t)24 * 3600 * 1000000)
#define TTL_US     (90 * DAY_US)
#define TTL_MAX_US (3660 * DAY_US)

/* --- looking ------------------------------------------------------------ */

static bool may_all(const struct request *r)
{
	return access_role(r->api->identity.set, str_from(r->who.name),
			   str_from(r->who.token), STR("")) == ACCESS_ADMIN;
}

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	clock_format(us, t);
	if (us)
		buf_printf(b, ",\"%s\":\"%s\"", key, t);
	else
		buf_printf(b, ",\"%s\":null", key);
}

/* All but the last brace. */
static void view(const struct request *r, const struct store_token *t,
		 struct buf *b)
{
	const struct access_token *now =
		access_token_id(r->api->identity.set, str_from(t->ulid.s));
	bool newer = now && now->used_us > t->used_us;

	buf_printf(b, "{\"id\":\"tok_%s\",\"name\":\"", t->ulid.s);
	buf_json(b, t->name);
	buf_printf(b, "\",\"subject\":\"" STR_FMT "\",\"role\":\"%s\",",
		   STR_ARG(t->subject),
		   access_role_name(t->role < N_ACCESS_LEVELS ?
					    (enum access_level)t->role :
					    ACCESS_NONE));
	buf_puts(b, "\"projects\":");
	buf_str(b, str_is(t->projects, "[]") ? STR("[\"*\"]") : t->projects);
	when(b, "created_at", t->created_us);
	buf_puts(b, ",\"created_by\":\"");
	buf_json(b, t->created_by);
	buf_putc(b, '"');
	when(b, "expires_at", t->expires_us);
	when(b, "used_at", newer ? now->used_us : t->used_us);
}

struct listed {
	struct request *r;
	struct buf b;
	uint32_t n, limit;
	int64_t last;
	bool more;
};

static int add_item(void *ctx, const struct store_token *t, struct err *e)
{
	struct listed *l = ctx;

	(void)e;
	if (l->n == l->limit) {
		l->more = true;
		return 0;
	}
	if (l->n++)
		buf_putc(&l->b, ',');
	l->last = t->id;
	view(l->r, t, &l->b);
	buf_putc(&l->b, '}');
	return 0;
}

int h_tokens(struct request *r)
{
	struct listed l = {.r = r, .b = BUF_INIT(VIEW_MAX)};
	struct page page;
	struct err e;

	if (page_of(r, &page))
		return 0;
	l.limit = page.limit;
	buf_puts(&l.b, "{\"items\":[");
	if (store_read_tokens(r->api->reader,
			      may_all(r) ? STR("") : str_from(r->who.name),
			      page.before, page.limit + 1, add_item, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_putc(&l.b, ']');
	return page_reply(r, &l.b, l.more ? l.last : 0);
}

/* The id of the path, "" for what is none. */
static struct str id_of(const struct request *r)
{
	struct str s = r->params[0];

	return str_starts(s, STR("tok_")) ? str_from_at(s, 4) : STR("");
}

/* Is it one's own, or may one see all?  Else it is not there. */
static int mine(void *ctx, const struct store_token *t, struct err *e)
{
	struct listed *l = ctx;

	if (!may_all(l->r) && !str_is(t->subject, l->r->who.name))
		return err_set(e, ERR_NOT_FOUND, "no such token");
	view(l->r, t, &l->b);
	buf_puts(&l->b, "}\n");
	return 0;
}

int h_token(struct request *r)
{
	struct listed l = {.r = r, .b = BUF_INIT(VIEW_MAX)};
	struct err e;

	if (store_read_token(r->api->reader, id_of(r), mine, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	return reply_json(r, 200, &l.b);
}

/* --- making one --------------------------------------------------------- */

struct made {
	struct doc *doc;
	struct store_token t;
	struct buf text; /* what is shown once */
	struct buf projects;
	char subject[WHO_NAME_MAX + 1];
};

static void made_free(void *state)
{
	struct made *m = state;

	doc_free(m->doc);
	buf_wipe(&m->text);
	buf_done(&m->projects);
	mem_free(m);
}

static int bad(struct request *r, const char *what)
{
	return reply_problem(r, 422, "invalid", "%s", what), -1;
}

static int read_projects(struct request *r, struct made *m,
			 const struct doc_node *list)
{
	struct err e;

	if (list->kind != DOC_LIST || !list->n || list->n > 100)
		return bad(r, "projects: a list of at most 100 names");
	for (const struct doc_node *n = list->first; n; n = n->next)
		if (n->kind != DOC_STRING || !job_name_ok(n->text))
			return bad(r, "projects: a list of names");
	if (doc_write_canonical(list, &m->projects, &e))
		return reply_err(r, &e), -1;
	return 0;
}

static int read_field(struct request *r, struct made *m,
		      const struct doc_node *n, int64_t *ttl_us)
{
	enum access_level role;
	uint64_t us;

	if (str_is(n->key, "projects"))
		return read_projects(r, m, n);
	if (n->kind != DOC_STRING)
		return bad(r, "name, user, role and ttl are texts");
	if (str_is(n->key, "name")) {
		if (!n->text.len || n->text.len > 100)
			return bad(r, "name: at most 100 bytes");
		m->t.name = n->text;
	} else if (str_is(n->key, "user")) {
		if (!job_name_ok(n->text))
			return bad(r, "user: no name of a user");
		(void)snprintf(m->subject, sizeof(m->subject), "user:" STR_FMT,
			       STR_ARG(n->text));
	} else if (str_is(n->key, "role")) {
		if (access_role_parse(n->text, &role))
			return bad(r, "role: viewer, operator, developer or "
				      "admin");
		m->t.role = (uint8_t)role;
	} else if (str_is(n->key, "ttl")) {
		if (job_duration(n->text, &us) || !us || us > TTL_MAX_US)
			return bad(r, "ttl: a duration such as 30d, at most "
				      "3660d");
		*ttl_us = (int64_t)us;
	} else {
		return bad(r, "name, user, role, projects and ttl are all "
			      "that a token has");
	}
	return 0;
}

static int read_body(struct request *r, struct made *m, int64_t *ttl_us)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	if (doc_parse_max(buf_view(&r->body), DOC_JSON, BODY_MAX, &m->doc, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	if (m->doc->root->kind != DOC_MAP)
		return bad(r, "a JSON object is wanted");
	for (const struct doc_node *n = m->doc->root->first; n; n = n->next)
		if (read_field(r, m, n, ttl_us))
			return -1;
	return m->t.name.len ? 0 : bad(r, "name is missing");
}

/* For whom, and does this one not give more than the asking one has? */
static int check_subject(struct request *r, struct made *m)
{
	const struct access *set = r->api->identity.set;
	const struct access_token *own =
		access_token_id(set, str_from(r->who.token));
	bool self = !strcmp(m->subject, r->who.name);

	/* it would outlive what the provider says, and bring less */
	if (logins_id(r->api->identity.logins, str_from(r->who.token)))
		return reply_problem(r, 403, "forbidden",
				     "a provider's token makes no others"),
		       -1;
	if (own && (own->most < ACCESS_ADMIN || !str_is(own->projects, "[]")))
		return reply_problem(r, 403, "forbidden",
				     "a token that is narrowed makes no "
				     "others"),
		       -1;
	if (!self && !may_all(r))
		return reply_problem(r, 403, "forbidden",
				     "only an admin makes tokens for others"),
		       -1;
	if (!self &&
	    !access_has_user(set, str_from_at(str_from(m->subject), 5)))
		return bad(r, "user: there is none of that name");
	if (own && own->expires_us < m->t.expires_us)
		m->t.expires_us = own->expires_us;
	return 0;
}

static int is_user(void *ctx, const struct store_resource *x, struct err *e)
{
	(void)ctx;
	(void)x;
	(void)e;
	return 0;
}

static int edit_add(void *ctx, struct store *s, struct err *refusal,
		    struct err *e)
{
	struct request *r = ctx;
	struct made *m = r->state;
	char location[64];
	struct err none;

	/* the user may have gone since */
	if (str_starts(m->t.subject, STR("user:")) &&
	    store_resource_get(s, STR("user"), str_from_at(m->t.subject, 5),
			       is_user, NULL, &none)) {
		if (none.code != ERR_NOT_FOUND) {
			*e = none;
			return -1;
		}
		*refusal = none;
		return 0;
	}
	(void)snprintf(location, sizeof(location), "/v1/tokens/tok_%s",
		       m->t.ulid.s);
	return store_token_add(s, &m->t, e) ||
			       once_keep(r, s, 201, location, "", STR(""), e) ?
		       -1 :
		       0;
}

static void on_added(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;
	struct made *m = r->state;
	struct buf b = BUF_INIT(VIEW_MAX);
	char location[64];

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		identity_reload(r->api);
		view(r, &m->t, &b);
		buf_printf(&b, ",\"token\":\"%s\"}\n", buf_cstr(&m->text));
		reply_json(r, 201, &b);
		(void)snprintf(location, sizeof(location), "/v1/tokens/tok_%s",
			       m->t.ulid.s);
		reply_location(r, location);
	}
	buf_done(&b);
	request_resume(r);
}

int h_token_create(struct request *r)
{
	struct made *m = mem_alloc(sizeof(*m));
	unsigned char secret[SECRET_LEN];
	int64_t ttl_us = TTL_US;

	*m = (struct made){.text = BUF_INIT(128),
			   .projects = BUF_INIT(BODY_MAX)};
	r->state = m;
	r->state_free = made_free;
	m->t.role = ACCESS_ADMIN;
	(void)snprintf(m->subject, sizeof(m->subject), "%s", r->who.name);
	if (read_body(r, m, &ttl_us))
		return 0;
	m->t.created_us = clock_real_us();
	m->t.expires_us = m->t.created_us + ttl_us;
	if (check_subject(r, m))
		return 0;
	random_bytes(secret, sizeof(secret));
	buf_puts(&m->text, "nfo_");
	b64url_encode(&m->text, secret, sizeof(secret));
	mem_wipe(secret, sizeof(secret));
	m->t.ulid = ulid_new();
	m->t.hash = hash_sha256(m->text.data, m->text.len);
	m->t.subject = str_from(m->subject);
	m->t.projects = m->projects.len ? buf_view(&m->projects) : STR("[]");
	m->t.created_by = str_from(r->who.name);
	return once_edit(r, STR("token.create"), str_from(m->t.ulid.s),
			 edit_add, on_added);
}

/* --- revoking one ------------------------------------------------------- */

static int edit_delete(void *ctx, struct store *s, struct err *refusal,
		       struct err *e)
{
	struct request *r = ctx;

	if (!store_token_delete(s, id_of(r), e))
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	*refusal = *e;
	return 0;
}

static void on_revoked(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		identity_reload(r->api);
		reply_empty(r, 204);
	}
	request_resume(r);
}

int h_token_delete(struct request *r)
{
	struct listed l = {.r = r, .b = BUF_INIT(VIEW_MAX)};
	struct err e;
	int none = store_read_token(r->api->reader, id_of(r), mine, &l, &e);

	buf_done(&l.b);
	if (none)
		return reply_err(r, &e);
	if (engine_edit(r->api->engine, str_from(r->who.name),
			STR("token.revoke"), id_of(r), edit_delete, on_revoked,
			r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}
