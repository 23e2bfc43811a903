/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One cold sandbox of /bin/true, from launch to torn down, beside posix_spawn
 * of the same program and what is installed of bwrap, nsjail and minijail, in
 * one run: medians and ratios.  As root run it in a throw-away mount namespace.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/ctl.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ROUNDS = 300
};

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, int64_t *us, double base)
{
	qsort(us, ROUNDS, sizeof(*us), by_value);
	printf("launch what=%s p50_us=%lld p99_us=%lld ratio_to_spawn=%.2f\n",
	       name, (long long)us[ROUNDS / 2],
	       (long long)us[ROUNDS * 99 / 100],
	       base ? (double)us[ROUNDS / 2] / base : 1.0);
}

static int spawn_and_wait(char *const *argv)
{
	char *env[] = {NULL};
	int status;
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, env) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

/* Wait for EXITED. */
static int finish(struct sandbox *s)
{
	static unsigned char room[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	while (chan_recv(s->ctl, room, &msg, &e) > 0) {
		bool end = msg.type == CTL_EXITED;

		chan_msg_done(&msg);
		if (end)
			return 0;
	}
	return -1;
}

static int sandbox_once(struct sandbox_host *h, const struct sandbox_spec *spec,
			const int stdio[3], struct err *e)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/true", NULL};
	char *env[] = {NULL};
	struct sandbox_go go = {
		argv, env, {stdio[0], stdio[1], stdio[2]}
        };
	struct sandbox_usage u;
	struct sandbox s;
	int bad;

	if (sandbox_launch_now(h, spec, &go, &s, e))
		return -1;
	bad = ctl_leave(s.ctl, e) || finish(&s);
	sandbox_kill(&s);
	sandbox_reap(h, &s, &u);
	return bad;
}

/* What is installed of these, and works, runs in turn with posix_spawn. */
static const struct {
	const char *name;
	const char *argv[12];
} peers[] = {
	{"posix_spawn", {"/bin/true"}					},
	{"bwrap",
	 {"/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/",
	  "/bin/true"}						       },
	{"nsjail",
	 {"/usr/bin/nsjail", "-Mo", "-q", "--chroot", "/", "--", "/bin/true"}},
	{"minijail",
	 {"/usr/bin/minijail0", "-v", "-p", "-l", "-N", "-e", "--",
	  "/bin/true"}						       },
};

enum {
	PEERS = ARRAY_LEN(peers)
};

static int run_peer(size_t i)
{
	return spawn_and_wait((char *const *)(uintptr_t)peers[i].argv);
}

static int time_peers(bool has[PEERS], int64_t *us[PEERS])
{
	for (size_t i = 0; i < PEERS; i++) {
		has[i] = !access(peers[i].argv[0], X_OK) && !run_peer(i);
		us[i] = mem_array(ROUNDS, sizeof(**us));
	}
	for (int k = 0; k < ROUNDS; k++)
		for (size_t i = 0; i < PEERS; i++) {
			int64_t a = clock_mono_us();

			if (has[i] && run_peer(i))
				return -1;
			us[i][k] = clock_mono_us() - a;
		}
	return has[0] ? 0 : -1;
}

static int time_ours(int64_t *us, struct err *e)
{
	struct sandbox_host_opts o = {.cgroups = CGROUPS_PREFER};
	struct sandbox_spec spec = {
		.profile = "default",
		.limits = {.memory_bytes = 256 << 20, .pids = 64},
		.work_in_memory = true,
		.work_bytes = 16 << 20
        };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int stdio[3] = {null, null, null};
	struct sandbox_host *h;
	int bad = 0;

	if (sandbox_host_new(&o, &h, e))
		return -1;
	for (int i = 0; !bad && i < ROUNDS; i++) {
		int64_t a = clock_mono_us();

		bad = sandbox_once(h, &spec, stdio, e);
		us[i] = clock_mono_us() - a;
	}
	sandbox_host_free(h);
	return bad;
}

int main(void)
{
	int64_t *us[PEERS], *ours = mem_array(ROUNDS, sizeof(*ours));
	bool has[PEERS];
	struct err e;
	double base;

	/* The peers first: afterwards we live in the template namespace. */
	if (time_peers(has, us)) {
		fputs("launch_bench: a peer failed\n", stderr);
		return 1;
	}
	if (time_ours(ours, &e)) {
		fprintf(stderr, "launch_bench: %s\n", e.text);
		return 1;
	}
	report(peers[0].name, us[0], 0);
	base = (double)us[0][ROUNDS / 2];
	report("nfo-cold", ours, base);
	for (size_t i = 1; i < PEERS; i++)
		if (has[i])
			report(peers[i].name, us[i], base);
	return 0;
}
