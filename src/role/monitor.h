/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The monitor: starts the roles, makes every channel, passes grants, and
 * parses nothing of variable length but its own command line.
 *
 *   monitor.c          main: the command line
 *   monitor_options.c  the command line
 *   monitor_setup.c    state directory, users, policies
 *   monitor_listen.c   listening sockets, made or handed down by systemd
 *   monitor_config.c   the settings, as they are handed on
 *   monitor_credentials.c  files of providers of secrets, for the keeper
 *   monitor_reload.c   settings, policies, certificate and key read anew
 *   monitor_notify.c   what systemd is told
 *   monitor_doctor.c   the report of `nfo doctor`, for the server
 *   monitor_start.c    one role's birth
 *   monitor_roles.c    what roles say, restarting, replacing, stopping them
 *   monitor_attempts.c attempts: their channels, what passes, their ends
 *   monitor_launch.c   attempts: the gate, groups, pipes
 *   monitor_helpers.c  helpers that give secrets, for the keeper
 */
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "proto/edges.h"

enum {
	SETTINGS_MAX = 256,
	OPT_TEXTS_MAX = 8,
	STOP_MS = 5000
};

struct monitor;

/* One role's process. */
struct role_process {
	struct monitor *m;
	enum role role;
	struct chan *chan;
	int pid, pidfd;
	bool ready;
	bool leaving;      /* was told to; on_timer ends it if it does not */
	bool waits;        /* a server, for its keeper */
	unsigned failures; /* in a row */
	struct loop_watch *watch;
	struct loop_timer *timer; /* start it again, or end it */
	int64_t started_us;
	struct link link; /* among the retired zygotes */
};

struct monitor_opts {
	const char *state, *policy;
	const char *issuer;                 /* of attempts' tokens */
	const char *config;                 /* a file; NULL: none */
	const char *settings[SETTINGS_MAX]; /* "KEY=VALUE", for the server */
	size_t n_settings;
	struct opt_texts {
		const char *items[OPT_TEXTS_MAX];
		size_t n;
	} attached; /* files that it names */
	/* For the fetcher: URLs, each with a file of PEM, or "". */
	struct opt_texts fetch, fetch_ca;
	struct opt_texts export_to; /* recipients of age */
	struct listen_opt {
		enum listen_kind {
			LISTEN_UNIX,
			LISTEN_TCP,
			LISTEN_TLS
		} kind;
		const char *where;
	} listens[INIT_LISTENERS_MAX];
	size_t n_listens;
	const char *tls[N_TLS_FDS]; /* paths; NULL: not given */
	bool cgroups_required, landlock_optional, plain_anywhere;
	enum log_format log_format;
	enum log_level log_level;
	bool log_journal;
	uint32_t idle_exit_s, max_attempts, stop_ms, identity_rotate_s;
	int ready_fd;
	int providers_fd; /* see monitor_credentials.c; -1: none */
};

/* monitor_options.c: ends the process when something is wrong. */
void options_parse(struct monitor_opts *o, int argc, char **argv);

/* Certificate, key and client CA as sealed memory files; -1: not there. */
struct tls_files {
	int fds[N_TLS_FDS];
};

/* What is under way since a HUP or a RELOAD: read by us, and not yet taken by
 * the server. */
struct reload {
	bool running, asked; /* asked: the server wants to hear of it */
	bool policies_changed;
	int config, policies; /* -1: none */
	struct tls_files tls;
};

/* A report that is on its way; see monitor_doctor.c. */
struct doctor {
	int pid, pidfd, report; /* pid 0: none */
	struct loop_watch *watch;
	struct loop_timer *timer;
};

/* For systemd; see monitor_notify.c. */
enum {
	NOTIFY_ENGINE = 1,
	NOTIFY_HTTP = 2
};
struct notify {
	const char *where;
	int fd; /* -1: nobody wants to know */
	int64_t period_us;
	struct loop_timer *timer;
	uint64_t beat;
	unsigned answered;
};

/* 0: as we are. */
struct monitor_users {
	uint32_t server, keeper, runner, fetcher;
};

/* Of providers of secrets; see monitor_credentials.c. */
enum {
	PROVIDERS_MAX = 16
};
struct monitor_providers {
	int list; /* for the keeper, sealed; -1: there are none */
	char *paths[PROVIDERS_MAX][N_CREDENTIALS]; /* NULL: none */
	/* "/dev/fd/N": what we were started with; 0: none */
	int fds[PROVIDERS_MAX][N_CREDENTIALS];
};

/* A program that gives secrets; see monitor_helpers.c. */
struct monitor_helper {
	char name[HELPER_NAME_MAX + 1];
	char *args[HELPER_ARGS_MAX];
	size_t n_args;
	bool host; /* has the machine's network */
	uint64_t timeout_us;
};

struct monitor {
	struct monitor_opts o;
	struct loop *loop;
	char state[INIT_PATH_MAX + 1], dir[INIT_PATH_MAX + 1];
	int lock, policies, config; /* the last two sealed */
	int fetches;                /* sealed */
	struct monitor_providers providers;
	struct monitor_helper helpers[HELPERS_MAX];
	size_t n_helpers;
	int fetch[2]; /* the channel: server, fetcher */
	int listeners[INIT_LISTENERS_MAX];
	uint32_t tls_listeners; /* bit i: the i-th of them is TLS */
	size_t n_listeners;
	struct tls_files tls;
	struct reload reload;
	struct notify notify;
	struct doctor doctor;
	struct chan *control; /* to the server's http thread */
	struct role_process *roles[N_ROLES];
	/* A zygote is replaced by a fresh one now and then; the one before
	 * stays until its last runner has ended. */
	struct role_process *next_zygote;
	struct link retired;
	uint32_t n_forks;
	struct link attempts;
	uint32_t n_attempts; /* helpers too */
	uint32_t n_running_helpers;
	bool stopping, announced, server_started, reloading, has_terminal;
	struct monitor_users users;
	int exit_code;
};

/* monitor_setup.c; each fails with a text for the operator. */
MUST_USE int setup_state(struct monitor *m, struct err *e);
/* *ret is the caller's; changed: since m->policies were read. */
MUST_USE int policies_read(const struct monitor *m, int *ret, bool *ret_changed,
			   struct err *e);

/* monitor_listen.c; what systemd handed down comes after those asked for. */
MUST_USE int setup_sockets(struct monitor *m, struct err *e);
void sockets_remove(const struct monitor *m);

/* monitor_notify.c */
MUST_USE int notify_begin(struct monitor *m, struct err *e);
void notify_say(struct monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
void notify_reloading(struct monitor *m);
MUST_USE int notify_pong(struct monitor *m, struct chan_msg *msg, unsigned who);

/* monitor_doctor.c: the server is told when there is a report, or none. */
void doctor_begin(struct monitor *m);

/* monitor_reload.c */
void reload_init(struct monitor *m);
void control_ping(struct monitor *m, const struct wire_writer *w);
MUST_USE int tls_files_read(const struct monitor *m, struct tls_files *ret,
			    struct err *e);
void reload_begin(struct monitor *m, bool asked);
/* The other end is in *ret_fd, for the server's INIT. */
MUST_USE int reload_channel(struct monitor *m, int *ret_fd, struct err *e);
/* The server is gone: its channel, and what it was to take. */
void reload_abandon(struct monitor *m);

/* monitor_config.c: the file and the options that win over it, for
 * config_decode(); *ret is the caller's. */
/* The same for the fetcher. */
MUST_USE int fetch_list(const struct monitor *m, int *ret, struct err *e);
MUST_USE int config_bundle(const struct monitor *m, int *ret, struct err *e);

/* monitor_credentials.c */
MUST_USE int providers_setup(struct monitor *m, struct err *e);
/* MSG_CREDENTIAL */
int credentials_open(struct monitor *m, struct chan_msg *msg);

/* monitor_start.c: execute the role's program and say INIT to it. */
MUST_USE int role_exec(struct role_process *p, const struct chan_ops *ops,
		       loop_fd_fn *on_dead, struct err *e);

/* monitor_roles.c */
MUST_USE int roles_start(struct monitor *m, struct err *e);
void roles_stop(struct monitor *m);
/* At once; it is started again. */
void roles_kill(struct monitor *m, enum role r);
/* New policies: a fresh zygote, then a fresh server. */
void roles_reload(struct monitor *m);
/* To a role; one that is away hears nothing, one that does not read is
 * killed. */
bool roles_post(struct monitor *m, enum role r, uint16_t type,
		const struct wire_writer *w, const int *fds, size_t n_fds);
/* A runner more: the zygote is replaced after so many. */
void roles_forked(struct monitor *m);

/* monitor_attempts.c */
enum {
	ATTEMPT_FDS = FORK_READERS + FORK_READERS_MAX
};

struct attempt {
	struct link link;
	struct monitor *m;
	struct grant g;
	int fds[ATTEMPT_FDS]; /* for FORK; then only the readers' pipes */
	size_t n_readers;
	bool launched, ended, gone, waits_for_readers;
	bool is_helper; /* of the keeper's, who knows it by its tag */
	uint32_t tag;
	struct chan *chan; /* to the runner */
	int pidfd;
	int64_t deadline_us;
	struct loop_timer *deadline, *bury;
};

int attempts_cancel(struct monitor *m, struct chan_msg *msg);
int attempts_forked(struct monitor *m, struct chan_msg *msg);
int attempts_release(struct monitor *m, struct chan_msg *msg);
/* A new server hears who is alive. */
void attempts_announce(struct monitor *m, enum role to);
/* The server died: groups that it did not complete never will be. */
void attempts_forget(struct monitor *m);
/* A role died that all attempts need: they are lost. */
void attempts_lost(struct monitor *m);

/* Between the two. */
extern const struct chan_ops attempt_runner_ops;
struct attempt *attempt_new(struct monitor *m, const struct grant *g);
void attempt_end(struct attempt *a, enum run_state state, enum fail_kind kind);
void attempt_bury(struct attempt *a); /* outside of callbacks */
void attempt_deadline(struct attempt *a, int64_t mono_us); /* only earlier */
bool attempt_same_group(const struct attempt *a, const struct attempt *b);
void attempt_tell(struct monitor *m, const struct ended *end);

/* monitor_helpers.c */
MUST_USE int helpers_add(struct monitor *m, struct str fields, struct err *e);
int helpers_run(struct monitor *m, struct chan_msg *msg); /* MSG_HELPER */
int helper_done(struct attempt *a, struct wire_reader *r);
void helper_lost(struct attempt *a);
extern const struct chan_ops attempt_helper_ops; /* monitor_attempts.c */
/* The keeper died: nobody waits for them. */
void attempts_end_helpers(struct monitor *m);

/* monitor_launch.c */
int attempts_launch(struct monitor *m, struct chan_msg *msg);
