/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Log capture: a child writes into the pipe of a task, and the runner's own
 * loop (runner/capture.c) redacts 100 secrets and writes log and index, beside
 * the ceiling: the same pipe read and written to a file with nothing between.
 * Files are on /dev/shm.
 *
 *	capture_bench [MiB, 512]
 */
#include "base/clock.h"
#include "bench/text.h"
#include "runner/internal.h"
#include "sandbox/ctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SECRETS = 100,
	ROUNDS = 3,
	TEXT = 32 << 20,
	BLOCK = 1 << 20,
	LINE = 100
};

struct result {
	double s, cpu_s; /* cpu: of the reader */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int scratch(void)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC,
		      0600);

	if (fd < 0)
		die("/dev/shm");
	return fd;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* The task: `total` bytes in writes of `chunk`, then its end. */
static pid_t task(int out, int close_me, struct str text, size_t chunk,
		  uint64_t total, int ctl)
{
	struct wire_writer w = {.len = 0};
	struct err e;
	size_t at = 0;
	pid_t pid = fork();

	if (pid)
		return pid;
	close(close_me);
	for (uint64_t n = 0; n < total; n += chunk) {
		if (at + chunk > text.len)
			at = 0;
		if (fd_write_all(out, text.p + at, chunk))
			_exit(1);
		at += chunk;
	}
	wire_u32(&w, 0);
	wire_u64(&w, 0);
	_exit(ctl >= 0 && chan_send(ctl, CTL_EXITED, &w, NULL, 0, &e) <= 0);
}

static void make_pipe(int p[2])
{
	if (pipe2(p, O_CLOEXEC))
		die("pipe");
	(void)fcntl(p[0], F_SETPIPE_SZ, BLOCK);
}

static void reaped(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		die("the child");
}

static struct result ceiling(struct str text, size_t chunk, uint64_t total)
{
	CLEANUP_FD int to = scratch();
	char *block = mem_alloc(BLOCK);
	double c = cpu();
	int64_t t;
	pid_t pid;
	ssize_t n;
	int p[2];

	make_pipe(p);
	t = clock_mono_us();
	pid = task(p[1], p[0], text, chunk, total, -1);
	close(p[1]);
	while ((n = fd_read(p[0], block, BLOCK)) > 0)
		if (fd_write_all(to, block, (size_t)n))
			die("write");
	t = clock_mono_us() - t;
	reaped(pid);
	close(p[0]);
	mem_free(block);
	return (struct result){(double)t * 1e-6, cpu() - c};
}

static struct result ours(const struct mask_value *secrets, struct str text,
			  size_t chunk, uint64_t total)
{
	CLEANUP_FD int data = scratch(), idx = scratch();
	int fds[FORK_READERS + FORK_READERS_MAX], monitor[2], ctl[2], p[2];
	struct job_attempt a = {.timeout_us = (uint64_t)3600 * 1000000};
	struct run *r = mem_alloc(sizeof(*r));
	double c = cpu();
	struct err e;
	int64_t t;
	pid_t pid;

	make_pipe(p);
	if (chan_pair(monitor, &e) || chan_pair(ctl, &e) ||
	    fd_set_nonblock(p[0], true))
		die("socketpair");
	fds[FORK_MONITOR] = monitor[0];
	*r = (struct run){.fds = fds, .a = &a, .ctl = ctl[0]};
	if (mask_add(&r->mask, secrets, SECRETS, NULL, 0, 1, &e))
		die("secrets");
	r->out[0] = p[0];
	r->out[1] = -1;
	logfile_init(&r->log, data, idx, 0);
	t = clock_mono_us();
	pid = task(p[1], p[0], text, chunk, total, ctl[1]);
	close(p[1]);
	capture(r);
	t = clock_mono_us() - t;
	reaped(pid);
	if (r->log.failed || r->log.bytes < total / 2 || !r->result.redactions)
		die("capture");
	for (int i = 0; i < 2; i++) {
		close(monitor[i]);
		close(ctl[i]);
	}
	logfile_done(&r->log);
	mask_done(&r->mask);
	mem_free(r);
	return (struct result){(double)t * 1e-6, cpu() - c};
}

static int faster(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return x->s < y->s ? -1 : x->s > y->s;
}

static struct result median(struct result v[ROUNDS])
{
	qsort(v, ROUNDS, sizeof(*v), faster);
	return v[ROUNDS / 2];
}

static void measure(const struct mask_value *secrets, struct str text,
		    size_t chunk, uint64_t total)
{
	struct result c[ROUNDS], o[ROUNDS], mc, mo;
	double gb = (double)total * 1e-9;

	for (int i = 0; i < ROUNDS; i++) {
		c[i] = ceiling(text, chunk, total);
		o[i] = ours(secrets, text, chunk, total);
	}
	mc = median(c);
	mo = median(o);
	printf("ceiling chunk=%zu GB/s=%.3f cpu_s/GB=%.2f\n", chunk, gb / mc.s,
	       mc.cpu_s / gb);
	printf("capture secrets=%d chunk=%zu GB/s=%.3f cpu_s/GB=%.2f "
	       "ratio_to_ceiling=%.3f\n",
	       SECRETS, chunk, gb / mo.s, mo.cpu_s / gb, mc.s / mo.s);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct redact_secret secrets[SECRETS];
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	struct mask_value values[SECRETS];
	uint64_t mib = 512;

	if (argc > 1 && str_to_u64(str_from(argv[1]), 4096, &mib))
		return 2;
	text_secrets(secrets, SECRETS);
	for (size_t i = 0; i < SECRETS; i++)
		values[i] = (struct mask_value){i, secrets[i].name,
						secrets[i].value};
	text_make(&text, TEXT, secrets, SECRETS);
	measure(values, buf_view(&text), BLOCK, mib << 20);
	measure(values, buf_view(&text), 65536, mib << 20);
	measure(values, buf_view(&text), 4096, mib << 19);
	measure(values, buf_view(&text), LINE, mib << 17);
	buf_done(&text);
	return 0;
}
