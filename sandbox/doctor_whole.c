/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The last two checks: limits, and a whole sandbox; see doctor_own.h. */
#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/ctl.h"
#include "sandbox/doctor_own.h"
#include "sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- limits ------------------------------------------------------------- */

/* A process in a group with limits, as a slot's zygote is. */
static int try_group(struct cgroups *c, struct err *e)
{
	const struct sandbox_limits l = {.memory_bytes = 64 << 20, .pids = 16};
	struct sandbox_usage u;
	struct cgroup_slot *slot;
	uint32_t missing;
	int fd, r;
	pid_t pid;

	if (cgroup_acquire(c, &l, &slot, &fd, &missing, e))
		return -1;
	pid = fork();
	if (!pid)
		for (;;)
			(void)pause();
	r = pid < 0 ? err_sys(e, errno, "fork") :
		      cgroup_slot_attach(slot, pid, e);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	cgroup_release(slot, &u);
	return r;
}

int doctor_check_cgroups(char *detail)
{
	struct err e = {.code = ERR_NONE};
	struct cgroups *c;
	uint32_t missing;
	int bad;

	if (cgroups_new(CGROUPS_REQUIRE, &c, &e)) {
		doctor_say(detail, "%s", e.text);
		errno = e.sys ? e.sys : EACCES;
		return -1;
	}
	missing = cgroups_missing(c);
	doctor_say(detail, "version %d: memory, pids%s",
		   cgroups_kind(c) == CGROUP_V2 ? 2 : 1,
		   missing & SANDBOX_NO_CPU ? "; no cpu controller" : ", cpu");
	bad = try_group(c, &e);
	cgroups_free(c);
	if (bad) {
		doctor_say(detail, "%s", e.text);
		errno = e.sys ? e.sys : EACCES;
		return -1;
	}
	if (missing & SANDBOX_NO_CPU)
		errno = ENOENT;
	return missing & SANDBOX_NO_CPU ? -1 : DOCTOR_OK;
}

/* --- all of it ---------------------------------------------------------- */

static int wait_exit(int ctl, char *detail)
{
	unsigned char room[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	while (chan_recv(ctl, room, &msg, &e) > 0) {
		struct wire_reader r = wire_reader(msg.body, msg.body_len);
		uint16_t type = msg.type;

		chan_msg_done(&msg);
		if (type == CTL_EXITED)
			return wire_get_u32(&r) ? -1 : DOCTOR_OK;
		if (type == CTL_EXEC_FAILED)
			break;
	}
	doctor_say(detail, "the program was not executed");
	return -1;
}

static int launch(struct sandbox_host *h, int null, char *detail, struct err *e)
{
	static const struct sandbox_spec spec = {.profile = "strict",
						 .work_in_memory = true,
						 .work_bytes = 65536};
	char *argv[] = {(char *)(uintptr_t) "true", NULL};
	char *env[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL};
	int64_t begun = clock_mono_us();
	struct sandbox_usage u;
	struct sandbox s;
	int r;

	if (sandbox_launch(h, &spec, &s, e))
		return -1;
	r = ctl_go(s.ctl, argv, env, (int[]){null, null, null}, e) ?
		    -1 :
		    wait_exit(s.ctl, detail);
	sandbox_kill(&s);
	sandbox_reap(h, &s, &u);
	if (!r)
		doctor_say(detail, "ran a program and ended in %.1f ms",
			   (double)(clock_mono_us() - begun) / 1000);
	return r;
}

int doctor_check_whole(char *detail)
{
	const struct sandbox_host_opts opts = {.cgroups = CGROUPS_PREFER};
	struct err e = {.code = ERR_NONE};
	struct sandbox_host *h;
	/* Before: the host process sees no path of this machine. */
	CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r;

	if (null < 0 || sandbox_host_new(&opts, &h, &e)) {
		doctor_say(detail, "%s", e.text);
		errno = e.sys;
		return -1;
	}
	r = launch(h, null, detail, &e);
	sandbox_host_free(h);
	if (r && e.code)
		doctor_say(detail, "%s", e.text);
	if (r)
		errno = e.sys;
	return r;
}
