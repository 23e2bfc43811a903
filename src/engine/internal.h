/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The engine's inside: runs that are alive, and the steps that move them.
 *
 *   engine.c   the thread: one transaction a turn
 *   commands.c what was asked for
 *   owner.c    asking and hearing, from the owner's thread
 *   order.c    what can be known before a run is stored
 *   live.c     a run in memory; its rows and events
 *   advance.c  what is next: skipping, starting, ending
 *   launch.c   one attempt to the monitor
 *   result.c   one attempt's end
 *   recover.c  after a restart
 */
#pragma once

#include "base/chan.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "job/plan.h"
#include "job/result.h"

#include <pthread.h>

enum {
	COMMAND_RUN,
	COMMAND_CANCEL,
	COMMAND_DELETE,
	COMMAND_AUDIT
};

/* One attempt's artifact, for `files` of later tasks. */
struct kept {
	struct str name; /* TASK.NAME */
	struct str file;
	char sha256[HASH_HEX_LEN + 1];
};

struct instance {
	enum fail_kind kind;
	uint32_t attempt; /* the last number given */
	struct ulid ulid; /* of that attempt */
	uint64_t fence;
	uint32_t slot;
	bool has_slot, running, prepared, cancel_sent;
	bool alive; /* the monitor has named it */
	int64_t started_us;
	int64_t due_us; /* real time; a retry waits for it */
	struct job_pair *outputs;
	size_t n_outputs;
	struct job_attempt *job; /* while it is being launched */
};

struct run {
	struct link link;
	struct engine *g;
	struct arena *arena;
	struct store_run row; /* strings in the arena */
	struct job_plan *plan;
	enum run_state *states; /* of every instance */
	struct instance *inst;
	struct kept *kept;
	size_t n_kept, cap_kept;
	bool dirty; /* look at it in this turn */
	bool in_finally, ended;
	int64_t deadline_us; /* monotonic; of the job or of finally */
	uint32_t slot;       /* of a shared workspace */
	bool has_slot;
	int64_t last_event;
};

struct command {
	struct command *next;
	int type;
	struct engine_order *order;
	struct ulid run;
	char *who, *action, *what;
	engine_reply_fn *fn;
	void *ctx;
	struct engine_reply reply; /* filled in the engine's thread */
};

struct news {
	struct news *next;
	struct engine_news n;
};

struct engine {
	struct engine_opts o;
	struct store *store;
	struct loop *loop;
	struct chan *monitor;
	struct loop_timer *timer;
	pthread_t thread;
	bool started, stop;

	/* shared with the owner's thread, under the lock */
	pthread_mutex_t lock;
	struct command *in_head, **in_tail;
	size_t n_in;
	struct command *out_head, **out_tail;
	struct news *news_head, **news_tail;
	struct engine_stats stats;
	int out_fd; /* eventfd */

	/* the engine's thread alone */
	struct link runs;
	struct map *by_attempt; /* attempt's ULID -> struct run */
	struct map *by_run;     /* run's ULID -> struct run */
	uint32_t n_runs, n_running;
	uint64_t fence;
	unsigned char *slots; /* taken */
	uint32_t n_slots;
	struct hash policy_digest;
	bool recovered; /* ALIVE_END has come */
	bool disk_full, in_tx;
	struct command *waiting; /* for the commit */
};

struct engine_order {
	struct job_plan *plan;
	struct store_run row; /* strings in the plan's arena */
	struct str key;
	struct hash request;
	struct ulid ulid;
};

/* commands.c: in a transaction; the answer goes into c->reply. */
MUST_USE int commands_do(struct engine *g, struct command *c, struct err *e);
struct command *commands_take(struct engine *g); /* all that wait */
void commands_drop(struct command *c);
void commands_fail(struct command *c); /* the list: we are stopping */

/* live.c */
struct run *live_new(struct engine *g, struct job_plan *plan,
		     const struct store_run *row);
void live_free(struct run *r);
MUST_USE int live_event(struct run *r, enum store_event_type type, int32_t i,
			struct str name, struct err *e);
MUST_USE int live_save_task(struct run *r, size_t i, struct err *e);
MUST_USE int live_save_run(struct run *r, struct err *e);
/* Set, save, and tell. */
MUST_USE int live_task_state(struct run *r, size_t i, enum run_state s,
			     enum fail_kind kind, struct err *e);
void live_keep(struct run *r, struct str name, struct str file,
	       const char *sha256);
struct job_stand live_stand(struct run *r);
struct str live_str(struct run *r, struct str s);

/* advance.c: inside a transaction. */
MUST_USE int advance(struct run *r, struct err *e);
void advance_cancel_running(struct run *r);
/* After the commit: LAUNCH what advance() prepared. */
void advance_launch(struct run *r);
/* When something is due next (real time), INT64_MAX never. */
int64_t advance_due(const struct run *r);

/* launch.c */
MUST_USE int launch_prepare(struct run *r, size_t i, struct err *e);
MUST_USE int launch_send(struct run *r, size_t i, struct err *e);
bool slot_take(struct engine *g, uint32_t *ret);
void slot_give(struct engine *g, uint32_t slot);

/* result.c: the attempt of instance i has ended as the monitor says. */
MUST_USE int result_take(struct run *r, size_t i, const struct ended *end,
			 struct err *e);

/* recover.c */
MUST_USE int recover_load(struct engine *g, struct err *e);
MUST_USE int recover_end(struct engine *g, struct err *e);
