/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Stored jobs and their revisions.  A revision is a definition, named by its
 * digest; the newest is the job.  Putting an earlier definition again makes it
 * the newest.  Runs keep what they were made of: nothing here is asked for
 * them.
 */
#pragma once

#include "store/reader.h"

struct store_job {
	int64_t revision; /* grows with every put; made by the store */
	struct str project, name;
	struct str digest; /* definition_digest, 64 hex digits */
	struct str syntax; /* "yaml", "json", "toml" */
	struct str description;
	int64_t created_us; /* of the job */
	int64_t put_us;     /* of the revision */
	struct str put_by;
	bool current; /* the newest */
	/* Only where one is asked for by its name or digest: as it was sent,
	 * and RFC 8785. */
	struct str text, canonical;
};
typedef int store_job_fn(void *ctx, const struct store_job *j, struct err *e);

/* Inside a transaction.  created_us counts for a new name only. */
MUST_USE int store_job_put(struct store *s, const struct store_job *j,
			   struct err *e);
/* With all its revisions; ERR_NOT_FOUND. */
MUST_USE int store_job_delete(struct store *s, struct str project,
			      struct str name, struct err *e);
/* The current one; ERR_NOT_FOUND. */
MUST_USE int store_job_get(struct store *s, struct str project, struct str name,
			   store_job_fn *fn, void *ctx, struct err *e);
/* Is the digest that of one of its revisions?  1 yes, 0 no, -1 error. */
MUST_USE int store_job_has(struct store *s, struct str project, struct str name,
			   struct str digest, struct err *e);

/* The current ones that have schedules, whole. */
MUST_USE int store_jobs_scheduled(struct store *s, store_job_fn *fn, void *ctx,
				  struct err *e);

/* How far a schedule has got. */
struct store_schedule {
	struct str project, job, name;
	int64_t last_s; /* the last time that was dealt with, seconds */
	bool paused;
	struct str run;   /* ULID of the last run; "" */
	struct str error; /* why the last time made none; "" */
};
typedef int store_schedule_fn(void *ctx, const struct store_schedule *x,
			      struct err *e);
MUST_USE int store_schedule_put(struct store *s, const struct store_schedule *x,
				struct err *e);
/* 1 found, 0 not, -1 error; fn sees it. */
MUST_USE int store_schedule_get(struct store *s, struct str project,
				struct str job, struct str name,
				store_schedule_fn *fn, void *ctx,
				struct err *e);
MUST_USE int store_read_schedule(struct store_reader *r, struct str project,
				 struct str job, struct str name,
				 store_schedule_fn *fn, void *ctx,
				 struct err *e);

/* Some of a project's. */
MUST_USE int store_jobs(struct store *s, struct str project, uint32_t limit,
			store_job_fn *fn, void *ctx, struct err *e);

/* One; digest "" is the current one.  ERR_NOT_FOUND. */
MUST_USE int store_read_job(struct store_reader *r, struct str project,
			    struct str name, struct str digest,
			    store_job_fn *fn, void *ctx, struct err *e);
/* Those last changed first; before: a revision, 0 from the newest. */
MUST_USE int store_read_jobs(struct store_reader *r, struct str project,
			     int64_t before, uint32_t limit, store_job_fn *fn,
			     void *ctx, struct err *e);
/* What the jobs of all projects, as they are now, want of a provider of
 * secrets: paths as they are written in them, each with its kind once. */
typedef int store_path_fn(void *ctx, struct str path, struct str kind,
			  struct err *e);
MUST_USE int store_read_vault_paths(struct store_reader *r, struct str provider,
				    uint32_t limit, store_path_fn *fn,
				    void *ctx, struct err *e);
/* All of a job, newest first. */
MUST_USE int store_read_revisions(struct store_reader *r, struct str project,
				  struct str name, int64_t before,
				  uint32_t limit, store_job_fn *fn, void *ctx,
				  struct err *e);
