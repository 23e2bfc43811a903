/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The grant on the wire; see grant.h.  Reading checks every range. */
#include "proto/grant.h"

#include <string.h>

static void put_name(struct wire_writer *w, const char *s)
{
	wire_str(w, str_from(s));
}

/* [a-z][a-z0-9_-]*, at most GRANT_NAME_MAX bytes. */
static int get_name(struct wire_reader *r, char out[GRANT_NAME_MAX + 1])
{
	struct str s = wire_get_str(r, GRANT_NAME_MAX);

	if (!s.len || s.p[0] < 'a' || s.p[0] > 'z')
		return -1;
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
		      (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' ||
		      s.p[i] == '-'))
			return -1;
	memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return 0;
}

static void put_ulid(struct wire_writer *w, const struct ulid *u)
{
	wire_bytes(w, u->s, ULID_LEN);
}

static int get_ulid(struct wire_reader *r, struct ulid *u)
{
	wire_get_bytes(r, u->s, ULID_LEN);
	u->s[ULID_LEN] = '\0';
	return ulid_valid(str_n(u->s, ULID_LEN)) ? 0 : -1;
}

/* --- who it is ---------------------------------------------------------- */

bool grant_audience_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' ||
		    s.p[i] == '\'' || s.p[i] == '\\')
			return false;
	return s.len && s.len <= GRANT_AUDIENCE_MAX;
}

static void put_who(const struct grant_who *g, struct wire_writer *w)
{
	put_name(w, g->job);
	put_name(w, g->task);
	put_ulid(w, &g->run);
	wire_bytes(w, g->definition.b, HASH_LEN);
	wire_u8(w, g->definition_from);
	wire_str(w, str_from(g->submitter));
	put_name(w, g->trigger);
	wire_u8(w, g->source);
	wire_bytes(w, g->source_digest.b, HASH_LEN);
	wire_str(w, str_from(g->url));
	wire_str(w, str_from(g->ref));
	wire_str(w, str_from(g->commit));
}

/* Text for people and programs: UTF-8 on one line. */
static int get_line(struct wire_reader *r, char *out, size_t max)
{
	struct str s = wire_get_str(r, max);

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return -1;
	if (!str_utf8_valid(s))
		return -1;
	if (s.len)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return 0;
}

static bool commit_ok(const char *s)
{
	return strspn(s, "0123456789abcdef") == strlen(s);
}

static int get_who(struct wire_reader *r, struct grant_who *g)
{
	if (get_name(r, g->job) || get_name(r, g->task) || get_ulid(r, &g->run))
		return -1;
	wire_get_bytes(r, g->definition.b, HASH_LEN);
	g->definition_from = wire_get_u8(r);
	if (get_line(r, g->submitter, GRANT_SUBMITTER_MAX) ||
	    get_name(r, g->trigger))
		return -1;
	g->source = wire_get_u8(r);
	wire_get_bytes(r, g->source_digest.b, HASH_LEN);
	if (get_line(r, g->url, GRANT_URL_MAX) ||
	    get_line(r, g->ref, GRANT_GITREF_MAX) ||
	    get_line(r, g->commit, GRANT_COMMIT_MAX))
		return -1;
	return g->definition_from > GRANT_STORED ||
			       g->source > GRANT_SOURCE_GIT ||
			       !commit_ok(g->commit) ||
			       (g->source == GRANT_SOURCE_GIT) != !!g->url[0] ?
		       -1 :
		       0;
}

/* --- all of it ---------------------------------------------------------- */

void grant_encode(const struct grant *g, struct wire_writer *w)
{
	put_ulid(w, &g->attempt);
	wire_u64(w, g->fence);
	put_name(w, g->project);
	wire_bytes(w, g->run_digest.b, HASH_LEN);
	wire_bytes(w, g->policy_digest.b, HASH_LEN);
	wire_u8(w, g->n_refs);
	for (size_t i = 0; i < g->n_refs && i < GRANT_REFS_MAX; i++) {
		wire_bytes(w, g->refs[i].ref.b, HASH_LEN);
		wire_u8(w, g->refs[i].deliver);
		wire_u8(w, g->refs[i].flags);
	}
	put_name(w, g->profile);
	wire_u32(w, g->uid_slot);
	put_ulid(w, &g->workspace);
	wire_u8(w, g->workspace_kind);
	wire_u8(w, g->network);
	wire_u8(w, g->cgroups_required);
	wire_u64(w, g->limits.memory_bytes);
	wire_u64(w, g->limits.disk_bytes);
	wire_u64(w, g->limits.log_bytes);
	wire_u32(w, g->limits.pids);
	wire_u32(w, g->limits.cpu_milli);
	wire_u32(w, g->limits.open_files);
	wire_u64(w, g->timeout_us);
	wire_u64(w, g->grace_us);
	put_ulid(w, &g->group);
	wire_u8(w, g->group_size);
	wire_u8(w, g->group_index);
	wire_u8(w, g->stdin_from);
	wire_u8(w, g->run_key);
	put_who(&g->who, w);
}

static int get_refs(struct wire_reader *r, struct grant *g)
{
	g->n_refs = wire_get_u8(r);
	if (g->n_refs > GRANT_REFS_MAX)
		return -1;
	for (size_t i = 0; i < g->n_refs; i++) {
		wire_get_bytes(r, g->refs[i].ref.b, HASH_LEN);
		g->refs[i].deliver = wire_get_u8(r);
		g->refs[i].flags = wire_get_u8(r);
		if (g->refs[i].deliver & ~15u || g->refs[i].flags & ~3u)
			return -1;
	}
	return 0;
}

static bool group_ok(const struct grant *g)
{
	return g->group_size >= 1 && g->group_size <= GRANT_GROUP_MAX &&
	       g->run_key <= 1 && g->group_index < g->group_size &&
	       (g->stdin_from == GRANT_NO_STDIN ||
		(g->stdin_from < g->group_size &&
		 g->stdin_from != g->group_index));
}

int grant_decode(struct wire_reader *r, struct grant *ret)
{
	struct grant g = {0};

	if (get_ulid(r, &g.attempt))
		return -1;
	g.fence = wire_get_u64(r);
	if (get_name(r, g.project))
		return -1;
	wire_get_bytes(r, g.run_digest.b, HASH_LEN);
	wire_get_bytes(r, g.policy_digest.b, HASH_LEN);
	if (get_refs(r, &g) || get_name(r, g.profile))
		return -1;
	g.uid_slot = wire_get_u32(r);
	if (get_ulid(r, &g.workspace))
		return -1;
	g.workspace_kind = wire_get_u8(r);
	g.network = wire_get_u8(r);
	g.cgroups_required = wire_get_u8(r);
	g.limits.memory_bytes = wire_get_u64(r);
	g.limits.disk_bytes = wire_get_u64(r);
	g.limits.log_bytes = wire_get_u64(r);
	g.limits.pids = wire_get_u32(r);
	g.limits.cpu_milli = wire_get_u32(r);
	g.limits.open_files = wire_get_u32(r);
	g.timeout_us = wire_get_u64(r);
	g.grace_us = wire_get_u64(r);
	if (get_ulid(r, &g.group))
		return -1;
	g.group_size = wire_get_u8(r);
	g.group_index = wire_get_u8(r);
	g.stdin_from = wire_get_u8(r);
	g.run_key = wire_get_u8(r);
	if (get_who(r, &g.who))
		return -1;
	if (r->failed || !group_ok(&g) || g.workspace_kind > WORKSPACE_MEMORY ||
	    g.network > NETWORK_HOST || g.cgroups_required > 1 ||
	    g.uid_slot > GRANT_UID_SLOT_MAX || !g.timeout_us ||
	    g.timeout_us > GRANT_TIME_MAX_US || g.grace_us > GRANT_TIME_MAX_US)
		return -1;
	*ret = g;
	return 0;
}
