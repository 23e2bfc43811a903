/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Helpers that give secrets.  The keeper asks for one by its name in the
 * settings; all it may say besides is what goes in and where what comes out is
 * to go.  The grant is ours: a sandbox without secrets, workspace in memory, an
 * own uid.  Who carries it out has no channel to the keeper, and the server
 * neither hears of it nor can end it.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_US ((uint64_t)1000000)
#define SLACK_US  ((int64_t)30 * 1000000)
#define GRACE_US  SECOND_US

enum {
	PROGRAM_MAX = 16 << 20,
	TIMEOUT_MAX_S = 300,
};

/* --- the settings ------------------------------------------------------- */

static int add_field(struct monitor_helper *h, struct str name,
		     struct str value)
{
	uint64_t v;

	if (str_has(value, '\0'))
		return -1;
	if (str_is(name, "name") && value.len <= HELPER_NAME_MAX) {
		memcpy(h->name, value.p, value.len);
		return 0;
	}
	if (str_is(name, "network")) {
		h->host = str_is(value, "host");
		return 0;
	}
	if (str_is(name, "timeout") && !str_to_u64(value, TIMEOUT_MAX_S, &v) &&
	    v) {
		h->timeout_us = v * SECOND_US;
		return 0;
	}
	if (!str_is(name, "arg") || h->n_args == HELPER_ARGS_MAX)
		return -1;
	h->args[h->n_args++] = mem_strndup(value.p, value.len);
	return 0;
}

int helpers_add(struct monitor *m, struct str fields, struct err *e)
{
	struct monitor_helper *h = &m->helpers[m->n_helpers];
	struct str name, value;
	bool bad = m->n_helpers == HELPERS_MAX;

	while (!bad && fields.len)
		bad = str_frame(&fields, &name, &value) ||
		      add_field(h, name, value);
	if (bad || !h->name[0] || !h->timeout_us || !h->n_args ||
	    h->args[0][0] != '/')
		return err_set(e, ERR_INVALID, "a helper is malformed");
	m->n_helpers++;
	return 0;
}

static const struct monitor_helper *find(const struct monitor *m,
					 struct str name)
{
	for (size_t i = 0; i < m->n_helpers; i++)
		if (str_is(name, m->helpers[i].name))
			return &m->helpers[i];
	return NULL;
}

/* --- its end ------------------------------------------------------------ */

static void tell(struct monitor *m, uint32_t tag, const struct helper_end *end)
{
	struct wire_writer w = {.len = 0};

	wire_u32(&w, tag);
	helper_end_encode(end, &w);
	(void)roles_post(m, ROLE_KEEPER, MSG_HELPER_ENDED, &w, NULL, 0);
}

static void refuse(struct monitor *m, uint32_t tag, enum err_code code,
		   const char *why)
{
	struct helper_end end = {.code = (uint8_t)code};

	(void)snprintf(end.text, sizeof(end.text), "%s", why);
	tell(m, tag, &end);
}

void helper_lost(struct attempt *a)
{
	refuse(a->m, a->tag, ERR_UNAVAILABLE,
	       "a part of the server ended before it did");
}

int helper_done(struct attempt *a, struct wire_reader *r)
{
	struct helper_end end;

	if (helper_end_decode(r, &end) || !wire_end(r) || a->ended)
		return -1;
	a->ended = true;
	tell(a->m, a->tag, &end);
	return 0;
}

/* --- its beginning ------------------------------------------------------ */

/* Of root or of ours, and changed by nobody else: it is code. */
static int open_program(const char *path, int *ret, struct err *e)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (!strncmp(path, "/usr/", 5) || !strncmp(path, "/bin/", 5)) {
		*ret = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return *ret < 0 ? err_sys(e, errno, "/dev/null") : 0;
	}
	fd = open(path,
		  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > PROGRAM_MAX)
		return err_set(e, ERR_DENIED, "%s: not a file, or too large",
			       path);
	if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & 022)
		return err_set(e, ERR_DENIED,
			       "%s: others than root and the server's user "
			       "may change it",
			       path);
	*ret = fd_take(&fd);
	return 0;
}

/* A uid of its own among ours; -1: all are in use. */
static int free_slot(const struct monitor *m)
{
	bool taken[HELPERS_MAX] = {false};

	LIST_FOR(l, &m->attempts)
	{
		const struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (a->is_helper)
			taken[a->g.uid_slot - HELPER_UID_FIRST] = true;
	}
	for (int i = 0; i < HELPERS_MAX; i++)
		if (!taken[i])
			return HELPER_UID_FIRST + i;
	return -1;
}

static struct grant grant_of(const struct monitor_helper *h, uint32_t slot)
{
	struct grant g = {
		.attempt = ulid_new(),
		.fence = 1,
		.project = "default",
		.workspace_kind = WORKSPACE_MEMORY,
		.uid_slot = slot,
		.network = h->host ? NETWORK_HOST : NETWORK_NONE,
		.timeout_us = h->timeout_us,
		.grace_us = GRACE_US,
		.group_size = 1,
		.stdin_from = GRANT_NO_STDIN,
	};

	g.workspace = g.group = g.who.run = g.attempt;
	g.limits.memory_bytes = 256 << 20;
	g.limits.pids = 64;
	g.limits.open_files = 256;
	(void)snprintf(g.profile, sizeof(g.profile), "%s",
		       h->host ? "net" : "default");
	(void)snprintf(g.who.job, sizeof(g.who.job), "helper");
	(void)snprintf(g.who.task, sizeof(g.who.task), "helper");
	(void)snprintf(g.who.trigger, sizeof(g.who.trigger), "helper");
	return g;
}

static int start(struct attempt *a, const struct monitor_helper *h,
		 struct chan_msg *msg, int program, struct err *e)
{
	int monitor[2] = {-1, -1}, spawner[2] = {-1, -1}, fds[N_HELPER_FDS];
	struct wire_writer w = {.len = 0};
	bool ok = false;

	grant_encode(&a->g, &w);
	if (chan_pair(monitor, e))
		return -1;
	if (!chan_pair(spawner, e)) {
		ok = roles_post(a->m, ROLE_SPAWNER, MSG_GRANT, &w, &spawner[0],
				1);
		a->chan = chan_new(a->m->loop, fd_take(&monitor[0]),
				   &attempt_helper_ops, a);
		wire_u8(&w, (uint8_t)h->n_args);
		for (size_t i = 0; i < h->n_args; i++)
			wire_str(&w, str_from(h->args[i]));
		fds[HELPER_MONITOR] = monitor[1];
		fds[HELPER_SPAWNER] = spawner[1];
		for (int i = HELPER_STDIN; i <= HELPER_STDERR; i++)
			fds[i] = msg->fds[i - HELPER_STDIN];
		fds[HELPER_PROGRAM] = program;
		ok = ok && a->chan &&
		     roles_post(a->m, ROLE_ZYGOTE, MSG_FORK_HELPER, &w, fds,
				N_HELPER_FDS);
		if (!ok)
			err_set(e, ERR_UNAVAILABLE, "no sandbox for it now");
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&monitor[i]);
		fd_close(&spawner[i]);
	}
	return ok ? 0 : -1;
}

static int run(struct monitor *m, const struct monitor_helper *h, uint32_t tag,
	       struct chan_msg *msg, struct err *e)
{
	int slot = free_slot(m);
	CLEANUP_FD int program = -1;
	struct attempt *a;
	struct grant g;

	if (slot < 0)
		return err_set(e, ERR_UNAVAILABLE, "too many helpers at once");
	if (open_program(h->args[0], &program, e))
		return -1;
	g = grant_of(h, (uint32_t)slot);
	a = attempt_new(m, &g);
	a->is_helper = a->launched = true;
	m->n_running_helpers++;
	a->tag = tag;
	if (start(a, h, msg, program, e)) {
		a->ended = true; /* the answer is ours */
		attempt_bury(a);
		return -1;
	}
	attempt_deadline(a, clock_mono_us() +
				    (int64_t)(h->timeout_us + GRACE_US) +
				    SLACK_US);
	roles_forked(m);
	return 0;
}

int helpers_run(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint32_t tag = wire_get_u32(&r);
	struct str name = wire_get_str(&r, HELPER_NAME_MAX);
	const struct monitor_helper *h;
	struct err e;

	if (!wire_end(&r) || msg->n_fds != HELPER_STDERR - HELPER_STDIN + 1)
		return -1;
	h = find(m, name);
	if (!h)
		refuse(m, tag, ERR_NOT_FOUND,
		       "the settings have no such helper");
	else if (run(m, h, tag, msg, &e))
		refuse(m, tag, e.code, e.text);
	return 0;
}
