/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A helper that gives secrets; see helper.h. */
#include "runner/helper.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "runner/env.h"
#include "sandbox/ctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	PROGRAM_MAX = 16 << 20,
	STDIO_FDS = 3,
	LINE_LEN_MAX = 255 /* of #! */
};

struct helper {
	const struct helper_order *o;
	int ctl, script;
	struct helper_end end;
	bool exited;
};

static char path[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char home[] = "HOME=" RUNNER_WORK, tmpdir[] = "TMPDIR=/tmp";
static char lang[] = "LANG=C.UTF-8", shell[] = "SHELL=/bin/sh";
static char *const environment[] = {path, home, tmpdir, lang, shell, NULL};

static int failed(struct helper *h, enum err_code code, const char *step,
		  const char *why)
{
	h->end.code = (uint8_t)code;
	(void)snprintf(h->end.text, sizeof(h->end.text), "%.40s%s%.300s", step,
		       *step ? ": " : "", why);
	return -1;
}

/* --- a sandbox ---------------------------------------------------------- */

static int refused(struct helper *h, struct chan_msg *msg)
{
	struct wire_reader w = wire_reader(msg->body, msg->body_len);
	char text[ERR_TEXT_MAX];

	(void)wire_get_str(&w, 32);
	(void)wire_get_u32(&w);
	(void)snprintf(text, sizeof(text), STR_FMT,
		       STR_ARG(wire_get_str(&w, ERR_TEXT_MAX - 1)));
	return failed(h, ERR_UNAVAILABLE, "sandbox", text);
}

static int make_sandbox(struct helper *h)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_writer w = {.len = 0};
	static const struct make none;
	struct chan_msg msg;
	struct err e;
	int bad = 0;

	make_encode(&none, &w);
	if (chan_send(h->o->fds[HELPER_SPAWNER], MSG_MAKE, &w, NULL, 0, &e) <=
		    0 ||
	    chan_recv(h->o->fds[HELPER_SPAWNER], room, &msg, &e) <= 0)
		return failed(h, ERR_UNAVAILABLE, "", "the spawner is away");
	if (msg.type == MSG_MADE && msg.n_fds == 2) {
		h->ctl = chan_msg_take(&msg, 0);
		h->script = chan_msg_take(&msg, 1);
	} else if (msg.type == MSG_MAKE_NO) {
		bad = refused(h, &msg);
	} else {
		bad = failed(h, ERR_INTERNAL, "", "the spawner's answer");
	}
	chan_msg_done(&msg);
	return bad;
}

/* Its file as the sandbox's script; of its first line `line` gets what fits.
 * Nothing: it is below /usr. */
static int lay_program(struct helper *h, char line[LINE_LEN_MAX + 1])
{
	static char block[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = fd_read(h->o->fds[HELPER_PROGRAM], block, sizeof(block))) >
	       0) {
		if (!total)
			(void)snprintf(line, LINE_LEN_MAX + 1, "%.*s",
				       n < LINE_LEN_MAX ? (int)n : LINE_LEN_MAX,
				       block);
		total += (size_t)n;
		if (total > PROGRAM_MAX ||
		    fd_write_all(h->script, block, (size_t)n))
			return failed(h, ERR_INTERNAL, "its program",
				      "cannot be copied");
	}
	fd_close(&h->script);
	if (n < 0)
		return failed(h, ERR_INTERNAL, "its program", strerror(errno));
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* "#!PROGRAM [ARGUMENT]", as the kernel has it; but the kernel would not
 * execute what the spawner may still have open for writing. */
static int interpreter(struct helper *h, char *line, char **args, size_t *n)
{
	char *program = line + 2, *rest;

	if (strncmp(line, "#!", 2) != 0)
		return failed(h, ERR_INVALID, "its program",
			      "is outside /usr and no script (#!)");
	program += strspn(program, " \t");
	rest = program + strcspn(program, " \t");
	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	args[(*n)++] = program;
	if (*rest)
		args[(*n)++] = rest;
	return 0;
}

static int start(struct helper *h)
{
	const int *fds = h->o->fds;
	int stdio[STDIO_FDS] = {fds[HELPER_STDIN], fds[HELPER_STDOUT],
				fds[HELPER_STDERR]};
	char *args[HELPER_ARGS_MAX + 3] = {NULL};
	char line[LINE_LEN_MAX + 1] = "";
	static char script[] = RUNNER_SCRIPT;
	size_t n = 0;
	struct err e;

	if (lay_program(h, line) || (line[0] && interpreter(h, line, args, &n)))
		return -1;
	args[n++] = line[0] ? script : h->o->args[0];
	for (size_t i = 1; h->o->args[i] && i < HELPER_ARGS_MAX; i++)
		args[n++] = h->o->args[i];
	if (lseek(stdio[0], 0, SEEK_SET) < 0 ||
	    ctl_go(h->ctl, args, environment, stdio, &e))
		return failed(h, ERR_UNAVAILABLE, "", "it cannot be started");
	for (int i = HELPER_STDIN; i <= HELPER_STDERR; i++)
		fd_close(&h->o->fds[i]);
	return 0;
}

/* --- until its end ------------------------------------------------------ */

static void kill_it(const struct helper *h)
{
	struct err e;

	(void)!chan_send(h->o->fds[HELPER_SPAWNER], MSG_KILL, NULL, NULL, 0,
			 &e);
}

static void read_ctl(struct helper *h)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_reader w;
	struct chan_msg msg;
	struct err e;

	if (chan_recv(h->ctl, room, &msg, &e) <= 0) {
		h->exited = true; /* all of it was killed */
		h->end.status = SIGKILL;
		return;
	}
	w = wire_reader(msg.body, msg.body_len);
	if (msg.type == CTL_EXITED) {
		h->exited = true;
		h->end.status = wire_get_u32(&w);
	} else if (msg.type == CTL_EXEC_FAILED) {
		struct str step = wire_get_str(&w, 32);
		int sys = (int)wire_get_u32(&w);
		char what[33];

		(void)snprintf(what, sizeof(what), STR_FMT, STR_ARG(step));
		(void)failed(h, ERR_NOT_FOUND, what, strerror(sys));
	}
	chan_msg_done(&msg);
}

static void wait_for_end(struct helper *h)
{
	int64_t until = clock_mono_us() + (int64_t)h->o->g->timeout_us;
	struct pollfd p[] = {
		{.fd = h->ctl,                    .events = POLLIN},
		{.fd = h->o->fds[HELPER_MONITOR], .events = POLLIN}
        };

	while (!h->exited) {
		int64_t left =
			h->end.timed_out ? INT32_MAX : until - clock_mono_us();

		if (left <= 0 || p[1].revents) { /* late, or nobody waits */
			h->end.timed_out = true;
			p[1].fd = -1;
			kill_it(h);
			left = INT32_MAX;
		}
		if (poll(p, ARRAY_LEN(p), (int)(left / 1000) + 1) > 0 &&
		    p[0].revents)
			read_ctl(h);
	}
}

static void reap(struct helper *h)
{
	static unsigned char room[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	fd_close(&h->ctl);
	fd_close(&h->script);
	if (chan_send(h->o->fds[HELPER_SPAWNER], MSG_REAP, NULL, NULL, 0, &e) >
		    0 &&
	    chan_recv(h->o->fds[HELPER_SPAWNER], room, &msg, &e) > 0)
		chan_msg_done(&msg);
}

int helper_main(const struct helper_order *o)
{
	struct helper h = {.o = o, .ctl = -1, .script = -1};
	struct wire_writer w = {.len = 0};
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	if (!make_sandbox(&h) && !start(&h))
		wait_for_end(&h);
	reap(&h);
	helper_end_encode(&h.end, &w);
	return chan_send(o->fds[HELPER_MONITOR], MSG_HELPER_DONE, &w, NULL, 0,
			 &e) > 0 ?
		       0 :
		       1;
}
