/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a check of a provider says: steps as JSON, each with a verdict, a text
 * and, where it failed, a hint for who runs the server.  Pure.
 */
#pragma once

#include "vault/answer.h"
#include "vault/provider.h"

enum check_verdict {
	CHECK_OK,
	CHECK_FAILED,
	CHECK_SKIPPED,
};

enum {
	CHECK_PATHS_MAX = 256,
	CHECK_TEXT_MAX = 512 * 1024, /* bytes of the JSON */
};

struct check_report {
	struct buf b;
	size_t n;
	bool failed;
};

void check_begin(struct check_report *r, const char *name);
/* hint "": none. */
void check_step(struct check_report *r, const char *step,
		enum check_verdict verdict, const char *hint, const char *fmt,
		...) PRINTF_LIKE(5, 6);
void check_end(struct check_report *r);

/* The answer of sys/health.  True: it is worth going on. */
bool check_health(struct check_report *r, const struct vault_answer *a);
/* The answer of lookup-self about the token that we have. */
void check_token(struct check_report *r, const struct vault_answer *a);

/* A path of a job's, "KIND PATH", and the one that it stands for in policies. */
struct check_path {
	struct str kind, path;
	/* "": what jobs give it decides, or it is none */
	char policy[SECRET_REF_PATH_MAX + 64];
	bool update; /* asked with POST */
};
/* Cut a line into what it says; -1: it is none. */
MUST_USE int check_path_read(struct str line, struct check_path *ret);
/* kv: which version the mount is; 0 where it is none. */
void check_path_policy(struct check_path *p, struct str mount, uint8_t kv);
/* {"paths": [...]} of sys/capabilities-self, of those with a policy. */
bool check_capabilities_body(struct buf *b, const struct check_path *p,
			     size_t n);
/* Its answer: a step for each path. */
void check_capabilities(struct check_report *r, const struct vault_answer *a,
			const struct check_path *p, size_t n);
