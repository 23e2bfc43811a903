/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What roles say to the monitor; restarting the dead, replacing, stopping. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BACKOFF_MAX_US = 30000000,
	STABLE_US = 10000000,
	FAILURES_MAX = 5,
	/* Runners that are forked from one zygote, and so have the addresses
	 * of one layout. */
	FORKS_MAX = 256
};

static void kill_role(const struct role_process *p, int signo)
{
	if (p->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0);
}

void roles_kill(struct monitor *m, enum role r)
{
	kill_role(m->roles[r], SIGKILL);
}

bool roles_post(struct monitor *m, enum role r, uint16_t type,
		const struct wire_writer *w, const int *fds, size_t n_fds)
{
	struct role_process *p = m->roles[r];
	struct err e;

	if (!p->chan)
		return false;
	if (!chan_post(p->chan, type, w, fds, n_fds, &e))
		return true;
	/* It does not read: it hangs, and its successor will not. */
	log_error("%s: %s", role_name(r), e.text);
	kill_role(p, SIGKILL);
	return false;
}

/* --- what they say ------------------------------------------------------ */

static void all_ready(struct monitor *m)
{
	for (int r = ROLE_SERVER; r <= ROLE_ZYGOTE; r++)
		if (!m->roles[r]->ready)
			return;
	if (m->announced)
		return;
	m->announced = true;
	log_info("ready");
	notify_say(m, "READY=1\nSTATUS=Serving");
	if (m->o.ready_fd >= 0) {
		if (fd_write_all(m->o.ready_fd, "ready\n", 6))
			log_warn("nobody waits for us");
		fd_close(&m->o.ready_fd);
	}
}

/* The server answers what is under way first. */
static int stop_ms(const struct role_process *p)
{
	return STOP_MS + (p->role == ROLE_SERVER ? (int)p->m->o.stop_ms : 0);
}

static void leave(struct role_process *p)
{
	kill_role(p, SIGTERM);
	p->leaving = true;
	loop_timer_set(p->timer, clock_mono_us() + stop_ms(p) * INT64_C(1000));
}

/* The fresh zygote serves: it forks from now on, the one before only waits
 * for its runners.  After a reload it is the server's turn. */
static void change_zygote(struct monitor *m)
{
	struct role_process *old = m->roles[ROLE_ZYGOTE];

	(void)roles_post(m, ROLE_ZYGOTE, MSG_STOP, NULL, NULL, 0);
	list_push(&m->retired, &old->link);
	m->roles[ROLE_ZYGOTE] = m->next_zygote;
	m->next_zygote = NULL;
	m->n_forks = 0;
	if (m->reloading)
		leave(m->roles[ROLE_SERVER]);
	m->reloading = false;
}

static int on_ready(struct role_process *p)
{
	struct monitor *m = p->m;

	if (p->ready)
		return -1;
	p->ready = true;
	if (p == m->next_zygote)
		change_zygote(m);
	if (p->role == ROLE_SERVER || p->role == ROLE_KEEPER)
		attempts_announce(m, p->role);
	all_ready(m);
	return 0;
}

static int engine_pong(struct monitor *m, struct chan_msg *msg)
{
	return msg->n_fds ? -1 : notify_pong(m, msg, NOTIFY_ENGINE);
}

/* Who may say what to the monitor.  Absent means the peer is killed. */
static const struct {
	uint16_t type;
	enum role from;
	int (*gate)(struct monitor *m, struct chan_msg *msg);
} gates[] = {
	{MSG_LAUNCH,     ROLE_SERVER, attempts_launch },
	{MSG_CANCEL,     ROLE_SERVER, attempts_cancel },
	{MSG_RELEASE,    ROLE_SERVER, attempts_release},
	{MSG_FORKED,     ROLE_ZYGOTE, attempts_forked },
	{MSG_PONG,       ROLE_SERVER, engine_pong     },
	{MSG_CREDENTIAL, ROLE_KEEPER, credentials_open},
	{MSG_HELPER,     ROLE_KEEPER, helpers_run     },
};

static int on_role(void *ctx, struct chan_msg *msg)
{
	struct role_process *p = ctx;
	struct monitor *m = p->m;

	for (size_t i = 0; i < ARRAY_LEN(gates); i++)
		if (gates[i].type == msg->type && gates[i].from == p->role)
			return gates[i].gate(m, msg);
	if (msg->type == MSG_STOP && p->role == ROLE_SERVER && p->ready) {
		roles_stop(m);
		return 0;
	}
	if (msg->type == MSG_READY)
		return on_ready(p);
	/* FAILED: it has said why on standard error, and leaves. */
	return msg->type == MSG_FAILED ? 0 : -1;
}

static void on_role_gone(void *ctx, const struct err *why)
{
	struct role_process *p = ctx;

	if (why)
		log_error("%s: %s", role_name(p->role), why->text);
	/* A zygote that was told to stop closes nothing before its end. */
	kill_role(p, SIGKILL);
	chan_free(p->chan);
	p->chan = NULL;
}

static const struct chan_ops role_ops = {on_role, on_role_gone};

/* --- starting ----------------------------------------------------------- */

static void on_role_dead(void *ctx, int fd, uint32_t events);

static int start(struct role_process *p, struct err *e)
{
	struct role_process *server = p->m->roles[ROLE_SERVER];

	/* It gets its channel to the keeper once, with INIT. */
	p->waits = p->role == ROLE_SERVER && !p->m->roles[ROLE_KEEPER]->chan;
	if (p->waits)
		return 0;
	if (role_exec(p, &role_ops, on_role_dead, e))
		return -1;
	if (p->role == ROLE_KEEPER && server->waits)
		loop_timer_set(server->timer, clock_mono_us());
	return 0;
}

/* Start it again; or end what was told to leave and did not. */
static void on_timer(void *ctx)
{
	struct role_process *p = ctx;
	struct err e;

	if (p->pid > 0 && p->leaving)
		kill_role(p, SIGKILL);
	else if (!p->m->stopping && p->pid <= 0 && start(p, &e))
		log_error("%s: %s", role_name(p->role), e.text);
}

static struct role_process *process_new(struct monitor *m, enum role r)
{
	struct role_process *p = mem_alloc(sizeof(*p));

	p->m = m;
	p->role = r;
	p->pidfd = -1;
	p->timer = loop_timer_new(m->loop, on_timer, p);
	list_init(&p->link);
	return p;
}

static void process_free(struct role_process *p)
{
	list_del(&p->link);
	loop_timer_free(p->timer);
	mem_free(p);
}

static void fresh_zygote(struct monitor *m)
{
	struct err e;

	m->n_forks = 0;
	if (m->next_zygote) /* one is on its way */
		return;
	m->next_zygote = process_new(m, ROLE_ZYGOTE);
	if (!start(m->next_zygote, &e))
		return;
	log_error("a fresh zygote: %s", e.text);
	if (m->next_zygote->pid > 0)
		kill_role(m->next_zygote, SIGKILL);
	else
		process_free(m->next_zygote);
	m->next_zygote = NULL;
}

void roles_forked(struct monitor *m)
{
	if (++m->n_forks >= FORKS_MAX)
		fresh_zygote(m);
}

void roles_reload(struct monitor *m)
{
	log_info("new policies");
	m->reloading = true;
	/* One that was started before has the old ones. */
	if (m->next_zygote)
		kill_role(m->next_zygote, SIGKILL);
	else
		fresh_zygote(m);
}

/* --- dying -------------------------------------------------------------- */

/* The server talks to one keeper: with a new keeper it starts anew. */
static void after_death(struct role_process *p)
{
	struct monitor *m = p->m;

	if (p->role == ROLE_SPAWNER || p->role == ROLE_ZYGOTE)
		attempts_lost(m);
	if (p->role == ROLE_SERVER) {
		reload_abandon(m);
		attempts_forget(m);
	}
	if (p->role == ROLE_KEEPER)
		attempts_end_helpers(m);
	if (p->role == ROLE_KEEPER && m->roles[ROLE_SERVER]->pid > 0)
		leave(m->roles[ROLE_SERVER]);
}

/* Collect what is left of it. */
static int bury(struct role_process *p)
{
	int status = 0;

	loop_watch_free(p->watch);
	p->watch = NULL;
	(void)waitpid(p->pid, &status, 0);
	fd_close(&p->pidfd);
	chan_free(p->chan);
	p->chan = NULL;
	p->pid = 0;
	return status;
}

/* A zygote that does not fork now: its attempts see to themselves. */
static bool spare_zygote(struct role_process *p)
{
	struct monitor *m = p->m;

	if (p->role != ROLE_ZYGOTE || p == m->roles[ROLE_ZYGOTE])
		return false;
	if (p == m->next_zygote) {
		m->next_zygote = NULL;
		if (m->reloading && !m->stopping)
			fresh_zygote(m);
	}
	process_free(p);
	return true;
}

static void on_role_dead(void *ctx, int fd, uint32_t events)
{
	struct role_process *p = ctx;
	struct monitor *m = p->m;
	int status = bury(p);
	int64_t delay = 0;

	(void)fd;
	(void)events;
	if (spare_zygote(p) || m->stopping)
		return;
	if (!p->leaving)
		log_error("%s died (%s %d)%s", role_name(p->role),
			  WIFSIGNALED(status) ? "signal" : "exit code",
			  WIFSIGNALED(status) ? WTERMSIG(status) :
						WEXITSTATUS(status),
			  p->ready ? ", starting it again" : "");
	if (p->leaving || clock_mono_us() - p->started_us > STABLE_US)
		p->failures = 0;
	after_death(p);
	/* What never came up will not come up by trying for ever. */
	if (!p->ready && !p->leaving &&
	    (!m->announced || p->failures >= FAILURES_MAX)) {
		m->exit_code = 4;
		roles_stop(m);
		return;
	}
	p->ready = p->leaving = false;
	for (unsigned i = 0; i < p->failures && delay < BACKOFF_MAX_US; i++)
		delay = delay ? delay * 2 : 50000;
	p->failures++;
	loop_timer_set(p->timer, clock_mono_us() + delay);
}

int roles_start(struct monitor *m, struct err *e)
{
	static const enum role order[] = {ROLE_KEEPER, ROLE_SPAWNER,
					  ROLE_ZYGOTE, ROLE_SERVER};

	for (size_t i = 0; i < N_ROLES; i++)
		m->roles[i] = process_new(m, (enum role)i);
	if (m->o.fetch.n && start(m->roles[ROLE_FETCHER], e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (start(m->roles[order[i]], e))
			return -1;
	return 0;
}

/* Its runners go with a zygote: they are its children, and see to that. */
static void end_zygote(struct role_process *p)
{
	kill_role(p, SIGKILL);
	if (p->pid > 0)
		(void)waitpid(p->pid, NULL, 0);
}

/* The server first, so that it takes nothing new; then the rest. */
void roles_stop(struct monitor *m)
{
	static const enum role order[] = {ROLE_SERVER, ROLE_ZYGOTE,
					  ROLE_SPAWNER, ROLE_KEEPER,
					  ROLE_FETCHER};

	if (m->stopping)
		return;
	m->stopping = true;
	notify_say(m, "STOPPING=1");
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct role_process *p = m->roles[order[i]];
		struct pollfd f = {.fd = p->pidfd, .events = POLLIN};

		if (p->pidfd < 0)
			continue;
		if (order[i] == ROLE_ZYGOTE)
			kill_role(p, SIGKILL);
		else if (order[i] == ROLE_SERVER) /* its engine reads */
			kill_role(p, SIGTERM);
		else
			(void)roles_post(m, order[i], MSG_STOP, NULL, NULL, 0);
		if (poll(&f, 1, stop_ms(p)) <= 0)
			kill_role(p, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
	}
	if (m->next_zygote)
		end_zygote(m->next_zygote);
	LIST_FOR(l, &m->retired)
	end_zygote(LIST_ENTRY(l, struct role_process, link));
	loop_stop(m->loop);
}
