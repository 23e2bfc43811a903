/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The engine's inside.  Memory is the truth about runs that are alive; the
 * store is written behind it: whoever changes something marks it, turn.c
 * writes all that is marked in one transaction, and only then answers and
 * launches.  A commit that failed (a full disk) leaves the marks, so that the
 * next one writes the same again.
 *
 *   engine.c   making, starting and freeing; what the owner's thread calls
 *   turn.c     a turn of the thread: commands, runs, commit, launches
 *   command.c  what was asked for
 *   order.c    what can be known before a run is stored
 *   rerun.c    what a repeated run keeps
 *   delivery.c what a webhook's caller has asked for before
 *   timetable.c  schedules, and the runs that are due
 *   gitsource.c  the run that fetches a source, and the one that waits for it
 *   gate.c     whether a run may take its first step
 *   live.c     a run in memory, and its marks
 *   save.c     what is marked, into the store
 *   advance.c  carries out what sched decides
 *   call.c     runs that other runs call; call_access.c whether they may
 *   approve.c  what people are asked, and what they say
 *   cache.c    what a task keeps for later runs
 *   away.c     providers of secrets that are away, and tasks that wait for them
 *   launch.c   one attempt to the monitor; launch_files.c what it is given
 *   result.c   one attempt's end
 *   collect.c  the worker thread: artifacts into blobs, trees removed
 *   sweep.c    content that nobody uses any more
 *   retain.c   runs whose time is over (retention.c says which)
 *   monitor.c  what the monitor says
 *   recover.c  after a restart
 */
#pragma once

#include "base/chan.h"
#include "base/list.h"
#include "base/map.h"
#include "doc/doc.h"
#include "engine/engine.h"
#include "engine/paths.h"
#include "job/approval.h"
#include "job/result.h"
#include "sched/sched.h"
#include "store/approvals.h"

#include <dirent.h>
#include <pthread.h>

/* One attempt's artifact, for `files` of later tasks. */
struct kept {
	struct str name; /* TASK.NAME */
	struct str file;
	uint64_t bytes;
	char sha256[HASH_HEX_LEN + 1];
	bool is_private;
};

/* Of a task that people were asked about. */
struct approval {
	struct store_approval row; /* text in the run's arena */
	/* one more that refuses */
	struct store_decision said[APPROVAL_COUNT_MAX + 1];
	uint32_t n_said;
};

struct store_cache;

enum {
	AWAY_MAX = 40, /* the store and the providers of the settings */
	AWAY_TEXT_MAX = 320,
};

/* What was said of providers of secrets. */
struct away {
	struct away_item {
		char name[64]; /* "": the local store */
		char text[200];
		enum provider_state state;
	} items[AWAY_MAX];
	size_t n;
};

struct instance {
	struct run *run;
	uint32_t index;
	enum fail_kind kind;
	struct str error, blocked;
	uint32_t attempt;         /* the last number given; 0: none */
	struct store_attempt row; /* of that attempt; text in the run's arena */
	bool task_dirty, attempt_dirty;
	bool attempt_undone; /* the store has one that nobody has seen */
	bool running;        /* counts against the engine's parallel */
	bool prepared;       /* LAUNCH goes out after the commit */
	bool stop_sent;      /* the monitor was asked to end it */
	bool alive;          /* after a restart: the monitor has named it */
	bool has_slot;
	bool told_to_wait; /* its last attempt */
	uint32_t n_away;   /* attempts that were told to wait: no retries */
	char *away_text;   /* what it waits for; NULL: never did */
	struct job_pair *outputs;
	size_t n_outputs;
	struct job_attempt *job;        /* while it is prepared */
	int64_t cache_used;             /* of the store: to be marked as used */
	struct store_cache *cache_made; /* to be saved; in the run's arena */
	struct approval *approval;      /* NULL: not asked for yet */
	struct str seen; /* secrets that it let be seen, for the audit */
};

struct run {
	struct link link;      /* g->runs */
	struct link look, put; /* g->look, g->put; empty when not in them */
	struct link starved;   /* g->starved, likewise */
	uint64_t starved_turn; /* looked at for room in this turn */
	struct engine *g;
	struct arena *arena;
	struct store_run row; /* text in the arena or the plan's */
	struct job_plan *plan;
	struct instance *inst;
	/* by instance, as sched wants them */
	enum run_state *states;
	int64_t *due_us;
	struct sched_end *ends;
	struct kept *kept;
	size_t n_kept, cap_kept;
	struct store_event *events; /* to be saved */
	size_t n_events, cap_events;
	struct store_artifact *artifacts; /* to be saved */
	size_t n_artifacts, cap_artifacts;
	bool row_dirty, tasks_dirty, source_dirty;
	struct command *create; /* not stored yet: who asked for it */
	bool in_finally, ended, has_prepared;
	bool held;         /* a later try waits for maintenance to be over */
	bool finally_over; /* its own deadline has struck */
	bool passed;       /* the gate, and holds its places */
	bool displaced;    /* it has cancelled those before it */
	bool turned_away;  /* a full disk: it never was; see turn.c */
	struct loop_timer *timer;
	int64_t deadline_us; /* monotonic; of the phase; -1: none */
	uint32_t slot;       /* of a shared workspace */
	bool has_slot;
	int64_t last_event;   /* saved, not told yet */
	struct collect *tidy; /* trees to remove after the commit */
};

enum command_type {
	COMMAND_RUN,
	COMMAND_CANCEL,
	COMMAND_DELETE,
	COMMAND_EDIT,
	COMMAND_DECIDE,
};

enum {
	PERSON_MAX = 511 /* a subject; longer than any that comes in */
};

/* What somebody said; its text is the command's. */
struct decision {
	char task[STORE_NAME_MAX + 1], person[PERSON_MAX + 1];
	char digest[HASH_HEX_LEN + 1];
	char comment[APPROVAL_COMMENT_MAX + 1];
	bool approves;
};

struct command {
	struct command *next;
	enum command_type type;
	struct engine_order *order;
	struct ulid run;
	char *who, *action, *what;
	struct decision *decision;
	engine_edit_fn *edit; /* NULL: only the audit row */
	engine_reply_fn *fn;
	void *ctx;
	struct engine_reply reply; /* filled in the engine's thread */
	bool to_save;              /* has something for the transaction */
};

/* A queue of commands. */
struct commands {
	struct command *head, **tail;
	size_t n;
};

enum {
	NEWS_MAX = 1024
};

/* A job of the worker. */
struct collect {
	struct collect *next;
	char dir[PATHS_MAX]; /* of the attempt, or the tree to remove */
	bool remove;
	bool is_source; /* its artifacts are to be fit to be laid in */
	struct ulid attempt;
	struct ended end;
	struct job_result *result;
	struct collected {
		struct hash hash;
		uint64_t bytes;
	} * got;        /* one for each artifact of the result */
	struct err err; /* the first that went wrong */
};

struct collector {
	pthread_t thread;
	bool started, stop;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct collect *in, **in_tail, *out, **out_tail;
};

struct engine {
	struct engine_opts o;
	struct store *store;
	struct loop *loop;
	struct chan *monitor;
	struct loop_timer *full_timer, *sweep_timer, *turn_timer;
	struct retain *retain; /* retain.c */
	DIR *old_runs;         /* sweep.c is on its way through it */
	pthread_t thread;
	bool started;
	struct collector worker;

	/* shared with the owner's thread, under the lock */
	pthread_mutex_t lock;
	struct commands in, out;
	bool stop;
	struct engine_news news[NEWS_MAX];
	size_t n_news;
	bool news_lost;
	struct engine_stats shown;
	int held;    /* files, by who copies them */
	bool missed; /* a run's directory that was to go stayed meanwhile */
	struct away said;
	bool said_new;
	int out_fd; /* eventfd */

	/* the engine's thread alone */
	struct engine_stats stats;
	struct link runs, look, put;
	struct link starved;    /* wait for room alone, first in line first */
	bool room_came;         /* they are to be looked at */
	uint64_t turns;         /* passes of them */
	struct map *by_attempt; /* attempt's ULID -> struct instance */
	struct map *by_run;     /* run's ULID -> struct run */
	uint32_t n_runs, n_running, n_shared;
	uint64_t fence;
	unsigned char *slots; /* taken */
	uint32_t n_slots;
	int empty_fd; /* a directory where nothing is */
	struct hash policy_digest;
	bool recovered; /* ALIVE_END has come */
	bool disk_full; /* no new runs; see turn.c */
	bool stuck;     /* the last commit failed: nothing may start */
	int64_t keys_expired_us;
	bool maintenance;            /* nothing takes its first step */
	struct timetable *timetable; /* timetable.c */
	struct loop_timer *timetable_timer;
	bool timetable_due;
	struct map *projects;    /* name -> struct project; gate.c */
	struct commands waiting; /* for the commit */
	struct away away;
};

struct engine_order {
	struct job_plan *plan;
	struct ulid rerun_of;
	enum engine_from from;
	uint32_t from_task;   /* of the job's */
	struct store_run row; /* strings in the plan's arena */
	struct str key;
	struct hash request;
	int64_t hook; /* 0: none */
	struct str delivery, event;
	struct ulid ulid;
	struct engine_order *fetch; /* of the run that fetches its source */
};

/* command.c */
void commands_init(struct commands *q);
void commands_push(struct commands *q, struct command *c);
struct command *commands_pop(struct commands *q); /* NULL when empty */
struct command *command_new(enum command_type type, struct str who,
			    engine_reply_fn *fn, void *ctx);
void command_free(struct command *c);
/* Do it in memory; it goes to `waiting`, or its answer is ready. */
void command_do(struct engine *g, struct command *c);
/* Its part of the transaction. */
MUST_USE int command_save(struct engine *g, struct command *c, struct err *e);
/* After the commit: files of a deleted run. */
void command_after(struct engine *g, struct command *c);

/* live.c */
struct run *live_new(struct engine *g, struct job_plan *plan,
		     const struct store_run *row);
void live_free(struct run *r);
struct str live_str(struct run *r, struct str s);
void live_look(struct run *r); /* advance() it in this turn */
/* Room came free: this turn looks at those who wait for nothing else. */
void live_room_came(struct engine *g);
void live_starved(struct run *r, bool it_is);
/* Who goes first? */
bool live_before(const struct run *a, const struct run *b);
void live_put(struct run *r); /* save it in this turn */
/* A state, an event, a mark. */
void live_task_set(struct run *r, size_t i, enum run_state s,
		   enum fail_kind kind, struct str error);
void live_run_set(struct run *r, enum run_state s);
void live_attempt_changed(struct run *r, size_t i);
void live_artifact(struct run *r, const struct store_artifact *a);
void live_approval(struct run *r, size_t i);
void live_keep(struct run *r, struct str name, struct str file, bool is_private,
	       const char *sha256, uint64_t bytes);
/* By TASK.NAME; NULL: it was not made. */
const struct kept *live_kept(const struct run *r, struct str name);
void live_keep_output(struct run *r, size_t i, struct str name,
		      struct str value);
struct job_stand live_stand(struct run *r);
bool live_slot_take(struct engine *g, uint32_t *ret);
void live_slot_give(struct engine *g, uint32_t slot);
/* The attempt's process is gone, or was never there. */
void live_let_go(struct run *r, size_t i);

/* save.c */
MUST_USE int save_run(struct run *r, struct err *e);
void save_done(struct run *r); /* committed: forget the marks */

/* rerun.c: what of an earlier run counts as done.  -1: *e says why not. */
MUST_USE int rerun_take(struct run *r, const struct engine_order *o,
			struct err *e);

/* timetable.c */
MUST_USE int timetable_load(struct engine *g, struct err *e);
void timetable_free(struct engine *g);
void timetable_run(struct engine *g); /* makes what is due; sets its timer */
bool timetable_dirty(const struct engine *g);
MUST_USE int timetable_save(struct engine *g, struct err *e);
void timetable_saved(struct engine *g);
/* Runs that are turned away were none. */
void timetable_turned_away(struct engine *g, const struct err *why);

/* gitsource.c */
/* Of a job whose source is in git: what the run is to fetch, and the order of
 * the run that does.  -1 as engine_order_new(). */
MUST_USE int gitsource_order(const struct policy_set *policies,
			     const struct engine_ask *ask,
			     struct engine_order *o, struct problems *ps,
			     struct err *e);
/* What the source adds to the run_digest; "" : there is none yet. */
void gitsource_digest_text(const struct store_run *row, struct buf *b);
bool gitsource_is_fetch(const struct run *r);
/* Makes the run that fetches. */
void gitsource_begin(struct engine *g, struct engine_order *o);
/* What a run without its source waits for, "" when it waits for nothing; ends
 * it when it never comes, or when nobody wants it any more. */
struct str gitsource_waits(struct run *r);
/* The fetch has ended, well or not. */
void gitsource_ended(struct run *fetch);
/* Somebody cancelled the run that waits. */
void gitsource_cancel(struct run *r);

/* delivery.c */
/* True when the answer is known: an earlier run, or an error. */
bool delivery_seen(struct engine *g, struct command *c);
/* Its part of the transaction that makes the run. */
MUST_USE int delivery_save(struct engine *g, const struct engine_order *o,
			   struct err *e);

/* gate.c */
/* May it take its first step?  Else it is blocked, and says for what. */
bool gate_pass(struct run *r);
/* Maintenance, a paused project: nothing is tried again meanwhile. */
bool gate_holds(const struct run *r);
/* One too many in a group that turns such away: -1 with ERR_CONFLICT. */
MUST_USE int gate_refuses(struct engine *g, const struct engine_order *o,
			  struct err *e);
void gate_ended(struct run *r); /* others may go */
uint64_t gate_cache_max(const struct engine *g, struct str project);
/* What projects and maintenance say, from the store. */
MUST_USE int gate_load(struct engine *g, struct err *e);

struct retention gate_retention(const struct engine *g, struct str project);

/* retain.c */
struct retain *retain_new(void);
/* A part of the way through all runs.  1: there is more; 0: not now; -1 error.
 */
MUST_USE int retain_some(struct engine *g, int64_t now_us, struct err *e);
void retain_again(struct engine *g); /* rules have changed: begin now */

/* advance.c */
void advance(struct run *r);
/* Attempts of it that may start now. */
uint32_t advance_room(const struct run *r);

/* call.c */
/* True when its run is made, and waited for. */
bool call_start(struct run *r, size_t i);
void call_stop(struct instance *in);
void call_ended(struct run *child); /* in the turn of its end */
void call_recover(struct run *r);   /* after a restart */
/* The run that waits for this one; NULL. */
const struct run *call_waiting(const struct run *child);
/* call_access.c: ERR_DENIED. */
MUST_USE int call_allowed(struct run *r, struct str project, struct err *e);

/* away.c */
void away_take(struct engine *g); /* what was said since */
/* Of each instance whether it waits for a provider, for the caller to free;
 * NULL: none does.  Those that need not wait any more are queued. */
unsigned char *away_look(struct run *r);
void away_block(struct run *r, size_t i);
/* The attempt was told to wait. */
void away_ended(struct instance *in, struct sched_end *end);
/* There is a new one for it and all of its pipe, which is no retry. */
void away_again(struct instance *in);
bool away_was(const struct store_attempt *a);  /* there was to be */
bool away_told(const struct store_attempt *a); /* and for this one */

/* approve.c */
/* It is its turn: true when people are asked now, false when it has ended. */
bool approve_ask(struct run *r, size_t i);
void approve_expire(struct run *r, size_t i);
void approve_do(struct engine *g, struct command *c);
MUST_USE int approve_save(struct run *r, size_t i, struct err *e);
MUST_USE int approve_audit(struct engine *g, const struct command *c,
			   struct err *e);
MUST_USE int approve_load(struct run *r, struct err *e); /* after a restart */

/* engine.c */
bool engine_files_held(struct engine *g);

/* turn.c */
void turn(struct engine *g);
/* Once what has come at the same time is taken in: one transaction for all. */
void turn_soon(struct engine *g);
void turn_retry(struct engine *g); /* after a full disk */

/* sweep.c: on its timer; sets it again. */
MUST_USE int sweep_start(struct engine *g, struct err *e);
void sweep_stop(struct engine *g);
void sweep(struct engine *g);

/* launch.c */
MUST_USE int launch_prepare(struct run *r, size_t i, struct err *e);
void launch_undo(struct run *r, size_t i);
void launch_all(struct run *r); /* after the commit */

/* launch_files.c: its descriptors, in the order of enum launch_fd; on failure
 * those that are not -1 are the caller's, too. */
MUST_USE int launch_open(struct run *r, size_t i, int fds[N_LAUNCH_FDS],
			 struct err *e);

/* result.c */
/* The attempt has ended as the monitor says; what its file says is read. */
void result_begin(struct instance *in, const struct ended *end);
/* Its artifacts are taken; x may be NULL.  Takes nothing. */
void result_finish(struct instance *in, const struct ended *end,
		   const struct job_result *x, const struct collected *got,
		   const struct err *why);
/* After the commit: what was made is in the blobs and known to the store. */
void result_tidy(struct run *r);
/* Its row says how the attempt ended: what follows for its task. */
void result_close(struct instance *in);
/* When all of a group have ended: retry, or their states. */
void result_settle(struct run *r, size_t i);

/* cache.c */
/* Which one the attempt that is prepared starts from. */
void cache_find(struct instance *in);
/* Linked into "files"; when that fails there is none. */
void cache_lay(struct instance *in, int dir);
/* The attempt has left one. */
void cache_keep(struct instance *in, const struct job_result_artifact *x,
		const struct collected *got);
/* Its part of the transaction. */
MUST_USE int cache_save(struct instance *in, struct err *e);

/* collect.c */
MUST_USE int collect_start(struct engine *g, struct err *e);
void collect_stop(struct engine *g);
void collect_post(struct engine *g, struct collect *c); /* takes c */
void collect_remove_run(struct engine *g, const char *run);
void collect_done(struct engine *g); /* in the engine's thread */
void collect_free(struct collect *c);

/* monitor.c */
extern const struct chan_ops monitor_ops;
void monitor_stop_attempt(struct instance *in);
void monitor_release(struct run *r);
void monitor_alive_end(struct engine *g);

/* recover.c */
MUST_USE int recover_load(struct engine *g, struct err *e);
void recover_end(struct engine *g);
/* {"name":value}, as an attempt's row has them. */
void recover_outputs(struct run *r, size_t i, struct str json);
