/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * From GO to the end: both streams through the redactor into the log, standard
 * output also raw into the pipes of its readers and into its artifact, and an
 * eye on the clock and on the monitor.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "runner/tee.h"
#include "sandbox/ctl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BLOCK = 1 << 18,
	/*
	 * After a short read of a stream that is busy, look again only so much
	 * later: else a program that writes line by line costs a wake-up for
	 * each line, and is slowed by it itself.
	 */
	SHORT = 16 << 10,
	BUSY_US = 2000,
	HOLD_US = 500
};

struct capture {
	struct run *r;
	struct tee tee;
	char *block;
	size_t block_used;        /* of its bytes, ever */
	int64_t term_at, kill_at; /* monotonic; 0: not set */
	int64_t tick_at[2];       /* of each stream, after silence */
	int64_t read_at[2];       /* the last time */
	int64_t hold_at[2];       /* not to be read before */
	bool killed, keeper_gone;
};

static void sink_out(void *ctx, struct redacted_str s)
{
	struct run *r = ctx;

	if (r->a->log_mode != LOG_NONE)
		logfile_write(&r->log, LOGIDX_STDOUT, s);
}

static void sink_err(void *ctx, struct redacted_str s)
{
	logfile_write(&((struct run *)ctx)->log, LOGIDX_STDERR, s);
}

static void kill_now(struct capture *c)
{
	c->kill_at = c->term_at = 0;
	if (!c->killed)
		lay_kill(c->r);
	c->killed = true;
}

static void end_gently(struct capture *c)
{
	struct err e;

	c->term_at = 0;
	if (c->kill_at || c->killed)
		return;
	c->kill_at = clock_mono_us() + (int64_t)c->r->a->grace_us;
	if (ctl_term(c->r->ctl, &e))
		kill_now(c);
}

static void leak(struct capture *c, size_t i, const char *where)
{
	struct run *r = c->r;

	if (r->leaked)
		return;
	r->leaked = true;
	run_fail(r, KIND_LEAK, "on_leak: fail, or a pipe or artifact",
		 "secret \"" STR_FMT "\" was seen in %s",
		 STR_ARG(r->a->secrets[i].name), where);
	kill_now(c);
}

/* Secrets whose task asked to fail when they are printed. */
static void check_leaks(struct capture *c)
{
	struct run *r = c->r;

	for (size_t i = 0; i < r->a->n_secrets; i++)
		if (r->a->secrets[i].leak_fails && mask_seen(&r->mask, i))
			leak(c, i, "the log");
}

/* --- reading ------------------------------------------------------------ */

static void take_block(struct capture *c, int which, const char *p, size_t len)
{
	int secret = which == 0 ? tee_leak(&c->tee, p, len) : -1;
	struct mask *m = &c->r->mask;

	if (secret >= 0) {
		leak(c, (size_t)secret, "a pipe or an artifact of stdout");
		return;
	}
	if (which == 0)
		tee_keep(&c->tee, p, len);
	if (!m->streams[which])
		mask_open(m, (size_t)which, which ? sink_err : sink_out, c->r);
	if (mask_write(m, (size_t)which, p, len))
		check_leaks(c);
}

static void set_times(struct capture *c, int which, size_t len)
{
	int64_t now = clock_mono_us();
	bool busy = now - c->read_at[which] < BUSY_US;

	/* No stream: what came was withheld. */
	if (c->r->mask.streams[which])
		c->tick_at[which] = now + REDACT_FLUSH_MS * 1000;
	c->read_at[which] = now;
	c->hold_at[which] = busy && len < SHORT ? now + HOLD_US : 0;
}

static void read_stream(struct capture *c, int which)
{
	struct run *r = c->r;
	ssize_t n = fd_read(r->out[which], c->block, BLOCK);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fd_close(&r->out[which]);
		if (r->mask.streams[which])
			redact_stream_end(r->mask.streams[which]);
		return;
	}
	if ((size_t)n > c->block_used)
		c->block_used = (size_t)n;
	take_block(c, which, c->block, (size_t)n);
	set_times(c, which, (size_t)n);
	if (which == 0 && !r->leaked)
		tee_send(&c->tee, c->block, (size_t)n);
}

static void read_ctl(struct capture *c)
{
	static unsigned char room[WIRE_MAX + 2];
	struct run *r = c->r;
	struct wire_reader w;
	struct chan_msg msg;
	struct err e;

	if (chan_recv(r->ctl, room, &msg, &e) <= 0) {
		r->exited = true; /* all of it was killed */
		r->status = SIGKILL;
		return;
	}
	w = wire_reader(msg.body, msg.body_len);
	if (msg.type == CTL_STARTED) {
		struct attempt_id id = {r->g->attempt, r->g->fence};
		struct wire_writer out = {.len = 0};

		r->started = true;
		r->result.started_us = clock_real_us();
		attempt_id_encode(&id, &out);
		wire_i64(&out, r->result.started_us);
		(void)!chan_send(r->fds[FORK_MONITOR], MSG_RUN_STARTED, &out,
				 NULL, 0, &e);
	} else if (msg.type == CTL_EXEC_FAILED) {
		struct str step = wire_get_str(&w, 32);
		int sys = (int)wire_get_u32(&w);
		bool missing = sys == ENOENT && str_is(step, "execve");

		r->result.exit_code = missing ? 127 : 126;
		run_fail(r, str_is(step, "execve") ? KIND_EXIT : KIND_SETUP,
			 missing ? "the host may have it, the sandbox shows "
				   "only /usr and the workspace" :
				   "",
			 STR_FMT ": %s", STR_ARG(step), strerror(sys));
	} else if (msg.type == CTL_REPLACED) {
		int sys = (int)wire_get_u32(&w);

		if (sys)
			run_say(r,
				"nfo: a new value of a secret could not be "
				"written: %s",
				strerror(sys));
	} else if (msg.type == CTL_DISK_FULL) {
		r->disk_full = true;
	} else if (msg.type == CTL_EXITED) {
		r->exited = true;
		r->status = (int)wire_get_u32(&w);
		r->cpu_us = wire_get_u64(&w);
	}
	chan_msg_done(&msg);
}

static void read_monitor(struct capture *c)
{
	static unsigned char room[WIRE_MAX + 2];
	struct run *r = c->r;
	struct attempt_id id;
	struct wire_reader w;
	struct chan_msg msg;
	struct err e;
	uint8_t kind;

	if (chan_recv(r->fds[FORK_MONITOR], room, &msg, &e) <= 0) {
		fd_close(&r->fds[FORK_MONITOR]);
		kill_now(c); /* nobody would hear of it: it is lost */
		return;
	}
	w = wire_reader(msg.body, msg.body_len);
	if (msg.type == MSG_RUN_CANCEL && !attempt_id_decode(&w, &id)) {
		kind = wire_get_u8(&w);
		/* When all of a pipe group are cancelled, the end of the writer
		 * is no failure of the reader. */
		if (!r->cancelled || kind == KIND_NONE)
			r->cancel_kind = kind < N_KINDS ? (enum fail_kind)kind :
							  KIND_NONE;
		r->cancelled = true;
		if (kind == KIND_UPSTREAM)
			kill_now(c); /* before it can see an end-of-file */
		else
			end_gently(c);
	}
	chan_msg_done(&msg);
}

/* --- time --------------------------------------------------------------- */

static void earliest(int64_t *at, int64_t t)
{
	if (t && (!*at || t < *at))
		*at = t;
}

/* Is the stream left alone for now?  Not when the task has ended. */
static bool held(const struct capture *c, int which, int64_t now)
{
	return !c->r->exited && c->hold_at[which] > now;
}

static struct timespec *wait_time(const struct capture *c, int64_t now,
				  struct timespec *room)
{
	int64_t at = 0;

	earliest(&at, c->term_at);
	earliest(&at, c->kill_at);
	for (int i = 0; i < 2; i++) {
		if (c->tick_at[i] && redact_stream_waits(c->r->mask.streams[i]))
			earliest(&at, c->tick_at[i]);
		if (held(c, i, now))
			earliest(&at, c->hold_at[i]);
	}
	if (!at)
		return NULL;
	at = at > now ? at - now : 0;
	*room = (struct timespec){at / 1000000, at % 1000000 * 1000};
	return room;
}

static void check_time(struct capture *c)
{
	int64_t now = clock_mono_us();
	struct run *r = c->r;

	if (c->kill_at && now >= c->kill_at) {
		kill_now(c);
	} else if (c->term_at && now >= c->term_at) {
		r->timed_out = true;
		run_fail(r, KIND_TIMEOUT, "timeout: of the task",
			 "the time ran out");
		end_gently(c);
	}
	for (int i = 0; i < 2; i++) {
		if (!c->tick_at[i] || now < c->tick_at[i])
			continue;
		c->tick_at[i] = 0;
		if (r->out[i] >= 0)
			redact_stream_tick(r->mask.streams[i]);
	}
}

/* --- the loop ----------------------------------------------------------- */

static void turn(struct capture *c)
{
	enum {
		CTL = 2,
		MONITOR,
		KEEPER,
		READERS
	};
	struct pollfd p[READERS + FORK_READERS_MAX];
	struct run *r = c->r;
	int64_t now = clock_mono_us();
	bool busy = tee_pending(&c->tee);
	struct timespec room;

	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){
			.fd = busy || held(c, i, now) ? -1 : r->out[i],
			.events = POLLIN};
	p[CTL] = (struct pollfd){.fd = r->exited ? -1 : r->ctl,
				 .events = POLLIN};
	p[MONITOR] =
		(struct pollfd){.fd = r->fds[FORK_MONITOR], .events = POLLIN};
	p[KEEPER] =
		(struct pollfd){.fd = c->keeper_gone ? -1 : r->fds[FORK_KEEPER],
				.events = POLLIN};
	tee_poll(&c->tee, p + READERS);
	if (ppoll(p, ARRAY_LEN(p), wait_time(c, now, &room), NULL) < 0 &&
	    errno != EINTR)
		kill_now(c);
	if (busy)
		tee_push(&c->tee);
	for (int i = 0; i < 2; i++)
		if (p[i].revents && !tee_pending(&c->tee))
			read_stream(c, i);
	if (p[MONITOR].revents)
		read_monitor(c);
	if (p[KEEPER].revents)
		c->keeper_gone = fetch_news(r) != 0;
	if (p[CTL].revents)
		read_ctl(c);
	check_time(c);
	logfile_flush(&r->log);
}

static void begin(struct capture *c, struct run *r)
{
	*c = (struct capture){.r = r};
	c->block = mem_alloc(BLOCK);
	c->term_at = clock_mono_us() + (int64_t)r->a->timeout_us;
	tee_begin(&c->tee, r);
}

static void finish(struct capture *c)
{
	struct run *r = c->r;

	check_leaks(c); /* of values that came late */
	for (size_t i = 0; i < MASK_STREAMS; i++)
		mask_close(&r->mask, i);
	r->result.redactions = r->mask.marks;
	tee_finish(&c->tee);
	mem_wipe(c->block, c->block_used);
	mem_free(c->block);
}

void capture(struct run *r)
{
	struct capture c;

	begin(&c, r);
	while (!r->exited || ((r->out[0] >= 0 || r->out[1] >= 0)) ||
	       tee_pending(&c.tee))
		turn(&c);
	finish(&c);
}
