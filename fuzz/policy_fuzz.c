/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a policy, and as a set of them; then a question. */
#include "policy/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void decide(const struct policy_set *s)
{
	static struct job_pair env[] = {
		{{"LD_PRELOAD", 10}, {"x", 1}}
        };
	static struct job_secret_use use[] = {
		{{"k", 1}, {"store:web/key", 13}, {"", 0}, DELIVER_ENV, false}
        };
	const struct job_attempt a = {
		.project = STR("web"),
		.job = STR("release"),
		.submitter = STR("uid:1000"),
		.profile = STR("net"),
		.network = STR("host"),
		.env = env,
		.n_env = 1,
		.secrets = use,
		.n_secrets = 1,
		.workspace_kind = WORKSPACE_SHARED,
		.limits = {.memory_bytes = 1 << 30, .log_bytes = 1 << 20},
		.timeout_us = 1000000,
	};
	struct policy_verdict v;

	policy_decide(s, &a, &v);
	if (v.allowed != !v.n_reasons || v.n_reasons > POLICY_REASONS_MAX ||
	    v.limits.memory_bytes > a.limits.memory_bytes ||
	    v.timeout_us > a.timeout_us)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(4 << 20);
	struct str text = str_n((const char *)data, len);
	struct policy_set *s, *t;
	struct hash x, y;
	struct err e;

	if (!policy_set_decode(text, &s, &e))
		policy_set_free(s);
	if (policy_set_new(&s, &e))
		return 0;
	if (policy_set_add(s, STR("p.yaml"), text, ps) && !ps->n)
		abort();
	decide(s);
	x = policy_set_digest(s);
	if (policy_set_encode(s, &b)) {
		if (policy_set_decode(buf_view(&b), &t, &e))
			abort();
		y = policy_set_digest(t);
		if (!hash_eq(&x, &y))
			abort();
		policy_set_free(t);
	}
	policy_set_free(s);
	return 0;
}
