/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A job: its checked document and what is asked of it most.  Decoding checks
 * everything in one pass; what is left in the tree is known to be well-formed
 * and is read from there.
 */
#pragma once

#include "base/hash.h"
#include "doc/doc.h"

enum {
	JOB_INSTANCES_MAX = 1000,
	JOB_SECRETS_MAX = 64,
	JOB_SECRET_FDS_MAX = 12, /* of a task, with deliver: fd */
	JOB_NAME_MAX = 63,
	JOB_GROUP_MAX = 16,
	JOB_HOOKS_MAX = 20,
	JOB_READERS_MAX = 4,
	JOB_CANONICAL_MAX = 4 * DOC_TEXT_MAX,
};

struct job_task {
	struct str name;
	const struct doc_node *node;
	bool is_finally;
	uint32_t *needs; /* indices into tasks; in a list the one before too */
	size_t n_needs;
	int32_t stdin_from;  /* index; -1: none */
	uint64_t *all_needs; /* for job_task_needs() */
};

struct job {
	struct doc *doc; /* owned */
	struct arena *arena;
	struct str name, project; /* "default" when nobody says */
	/* Of `tasks`, then of `finally`; a map's by name. */
	struct job_task *tasks;
	size_t n_tasks;
	bool is_list;
	bool workspace_run;
	bool has_source; /* source: upload */
	int32_t priority;
	uint32_t max_parallel; /* 0: no limit */
	uint64_t timeout_us;
};

/*
 * Decode and check.  Takes d, also on failure.  0: *ret is the caller's.  -1:
 * problems were added (sorted by place).
 */
MUST_USE int job_decode(struct doc *d, struct job **ret, struct problems *ps);
/* From text. */
MUST_USE int job_parse(struct str text, enum doc_syntax syntax,
		       struct job **ret, struct problems *ps);
/* From its canonical text, which escapes may have made longer than what
 * somebody once wrote. */
MUST_USE int job_parse_stored(struct str canonical, struct job **ret,
			      struct problems *ps);
void job_free(struct job *j);

/* Adds `not-supported-yet` for every key that no stage has brought to life. */
bool job_not_supported(const struct job *j, struct problems *ps);

/* RFC 8785, scalars in the kinds of the schema, so that the same job in YAML,
 * JSON and TOML gives the same text. */
MUST_USE int job_canonical(const struct job *j, struct buf *b, struct err *e);

/* Is task `need` a need of task i, directly or not?  A reader of a pipe has the
 * needs of its writer, and the writer is none. */
bool job_task_needs(const struct job *j, size_t i, size_t need);
/* "build.bin", "test@3.10.report": -1 when it is not TASK.NAME. */
MUST_USE int job_artifact_split(struct str s, struct str *task,
				struct str *name);
int32_t job_task_find(const struct job *j, struct str name); /* -1: none */
/* The value of a key of a task, or of `defaults`; NULL. */
const struct doc_node *job_task_get(const struct job *j,
				    const struct job_task *t, const char *key);
/* The same for a key of `sandbox`. */
const struct doc_node *
job_sandbox_get(const struct job *j, const struct job_task *t, const char *key);
/*
 * The entries of a map by key, NULL behind the last.  Maps have no order: what
 * is made from one must be the same when the job comes back from its canonical
 * text.  NULL, once the arena is full.
 */
struct doc_node **job_by_key(struct arena *a, const struct doc_node *map);
/* The scalar's text, or fallback. */
struct str job_text(const struct doc_node *n, const char *fallback);
uint64_t job_time(const struct doc_node *n, uint64_t fallback_us);
