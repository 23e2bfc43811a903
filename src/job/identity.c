/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tokens of a task's own; see identity.h. */
#include "job/identity.h"
#include "base/hex.h"
#include "job/check.h"
#include "job/keys.h"
#include "job/secret_ref.h"
#include "proto/grant.h"

#include <inttypes.h>

#define PREFIX "identity:"

/* --- checks -------------------------------------------------------------- */

static void check_one(const struct job_task *t, const struct doc_node *n,
		      struct problems *ps)
{
	const struct doc_node *audience = doc_get(n, "audience");
	const struct doc_node *ttl = doc_get(n, "ttl");
	const struct doc_node *secrets = doc_get(t->node, "secrets");
	uint64_t us;

	if (audience && audience->kind == DOC_STRING &&
	    !grant_audience_ok(audience->text))
		problem_at(ps, audience, "bad-value",
			   "such as https://vault.internal:8200",
			   "audience: 1 to %d letters, digits and signs of "
			   "ASCII without space and quotes are wanted",
			   GRANT_AUDIENCE_MAX);
	if (ttl && !job_duration(ttl->text, &us) &&
	    (us < IDENTITY_TTL_MIN_US || us > IDENTITY_TTL_MAX_US))
		problem_at(ps, ttl, "out-of-range",
			   "it is written anew while the task runs",
			   "ttl: 30s to 10m");
	for (const struct doc_node *s = secrets ? secrets->first : NULL; s;
	     s = s->next)
		if (str_eq(s->text, n->key))
			problem_at_key(ps, n, "duplicate-secret", NULL,
				       "\"" STR_FMT "\" is a secret of the "
				       "task, too: both would be one file",
				       STR_ARG(n->key));
}

void check_identities(const struct job_task *t, struct problems *ps)
{
	const struct doc_node *map = doc_get(t->node, "identity");
	const struct doc_node *secrets = doc_get(t->node, "secrets");
	size_t n_secrets = secrets ? secrets->n : 0;

	if (!map || map->kind != DOC_MAP)
		return;
	if (map->n > IDENTITIES_MAX || (n_secrets <= JOB_SECRETS_MAX &&
					map->n + n_secrets > JOB_SECRETS_MAX))
		problem_at_key(ps, map, "too-many", NULL,
			       "identity: at most %d, and %d with the secrets",
			       IDENTITIES_MAX, JOB_SECRETS_MAX);
	for (const struct doc_node *n = map->first; n; n = n->next)
		if (n->kind == DOC_MAP)
			check_one(t, n, ps);
}

/* --- references ---------------------------------------------------------- */

void job_identity_ref(const struct doc_node *entry, struct buf *b)
{
	const struct doc_node *ttl = doc_get(entry, "ttl");

	buf_puts(b, PREFIX);
	job_ref_escaped(b, job_text(doc_get(entry, "audience"), ""), true);
	buf_printf(b, "?p.ttl=%" PRIu64 "s",
		   job_time(ttl, IDENTITY_TTL_US) / 1000000);
}

bool job_identity_audience(struct str ref, struct buf *b)
{
	struct str rest = ref;
	size_t len, at = b->len;

	if (!str_starts(ref, STR(PREFIX)))
		return false;
	rest = str_from_at(ref, sizeof(PREFIX) - 1);
	buf_str(b, str_cut(&rest, '?'));
	len = b->len - at;
	if (b->failed || percent_decode(b->data + at, &len))
		return false;
	b->len = at + len;
	return true;
}
