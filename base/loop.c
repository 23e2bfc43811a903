/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The event loop; see loop.h. */
#include "base/loop.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 64
};

struct loop_watch {
	struct loop *loop;
	int fd; /* -1: freed, waits for the end of the turn */
	uint32_t events;
	loop_fd_fn *fn;
	void *ctx;
	struct loop_watch *next_dead;
};

struct loop_timer {
	struct loop *loop;
	int64_t at_us; /* -1: not armed */
	size_t index;  /* in the heap */
	loop_timer_fn *fn;
	void *ctx;
};

struct loop {
	int epoll, wake, signals;
	bool stop;
	struct loop_watch *dead;
	struct loop_timer **heap;
	size_t n_heap, cap_heap;
	struct loop_watch *wake_watch, *signal_watch;
	loop_timer_fn *wake_fn;
	void *wake_ctx;
	loop_signal_fn *signal_fn;
	void *signal_ctx;
};

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = mem_alloc(sizeof(*l));

	l->wake = l->signals = -1;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		mem_free(l);
		return err_sys(e, errno, "epoll_create1");
	}
	*ret = l;
	return 0;
}

static void bury(struct loop *l)
{
	while (l->dead) {
		struct loop_watch *w = l->dead;

		l->dead = w->next_dead;
		mem_free(w);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	loop_watch_free(l->wake_watch);
	loop_watch_free(l->signal_watch);
	bury(l);
	fd_close(&l->wake);
	fd_close(&l->signals);
	fd_close(&l->epoll);
	mem_free(l->heap);
	mem_free(l);
}

/* --- descriptors -------------------------------------------------------- */

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn,
		void *ctx, struct loop_watch **ret, struct err *e)
{
	struct loop_watch *w = mem_alloc(sizeof(*w));
	struct epoll_event ev = {.events = events, .data.ptr = w};

	*w = (struct loop_watch){
		.loop = l, .fd = fd, .events = events, .fn = fn, .ctx = ctx};
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		err_sys(e, errno, "epoll_ctl");
		mem_free(w);
		return -1;
	}
	*ret = w;
	return 0;
}

void loop_watch_events(struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (!w || w->fd < 0 || w->events == events)
		return;
	w->events = events;
	(void)epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w || w->fd < 0)
		return;
	(void)epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	w->next_dead = w->loop->dead;
	w->loop->dead = w;
}

/* --- timers: a binary heap ---------------------------------------------- */

static void place(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->index = i;
}

static void sift_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (; i && l->heap[(i - 1) / 2]->at_us > t->at_us; i = (i - 1) / 2)
		place(l, i, l->heap[(i - 1) / 2]);
	place(l, i, t);
}

static void sift_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (size_t kid; (kid = 2 * i + 1) < l->n_heap; i = kid) {
		if (kid + 1 < l->n_heap &&
		    l->heap[kid + 1]->at_us < l->heap[kid]->at_us)
			kid++;
		if (l->heap[kid]->at_us >= t->at_us)
			break;
		place(l, i, l->heap[kid]);
	}
	place(l, i, t);
}

static void disarm(struct loop_timer *t)
{
	struct loop *l = t->loop;
	struct loop_timer *last;
	size_t i = t->index;

	if (t->at_us < 0)
		return;
	t->at_us = -1;
	last = l->heap[--l->n_heap];
	if (last == t)
		return;
	place(l, i, last);
	sift_up(l, i);
	sift_down(l, last->index);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_timer_fn *fn, void *ctx)
{
	struct loop_timer *t = mem_alloc(sizeof(*t));

	*t = (struct loop_timer){.loop = l, .at_us = -1, .fn = fn, .ctx = ctx};
	return t;
}

void loop_timer_set(struct loop_timer *t, int64_t mono_us)
{
	struct loop *l = t->loop;

	disarm(t);
	if (mono_us < 0)
		return;
	if (l->n_heap == l->cap_heap) {
		l->cap_heap = l->cap_heap ? 2 * l->cap_heap : 16;
		l->heap = mem_resize(l->heap, l->cap_heap, sizeof(*l->heap));
	}
	t->at_us = mono_us;
	place(l, l->n_heap++, t);
	sift_up(l, t->index);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	disarm(t);
	mem_free(t);
}

static int until_timer(const struct loop *l, int timeout_ms)
{
	int64_t left;

	if (!l->n_heap)
		return timeout_ms;
	left = l->heap[0]->at_us - clock_mono_us();
	left = left <= 0 ? 0 : (left + 999) / 1000;
	return timeout_ms >= 0 && timeout_ms < left ? timeout_ms :
	       left > 3600000                       ? 3600000 :
						      (int)left;
}

static void run_timers(struct loop *l)
{
	int64_t now = clock_mono_us();

	while (l->n_heap && l->heap[0]->at_us <= now) {
		struct loop_timer *t = l->heap[0];

		disarm(t);
		t->fn(t->ctx); /* may free t */
	}
}

/* --- turning ------------------------------------------------------------ */

int loop_turn(struct loop *l, int timeout_ms, struct err *e)
{
	struct epoll_event ev[EVENTS_MAX];
	int n = epoll_wait(l->epoll, ev, EVENTS_MAX,
			   until_timer(l, timeout_ms));

	if (n < 0 && errno != EINTR)
		return err_sys(e, errno, "epoll_wait");
	for (int i = 0; i < n; i++) {
		struct loop_watch *w = ev[i].data.ptr;

		if (w->fd >= 0)
			w->fn(w->ctx, w->fd, ev[i].events);
	}
	run_timers(l);
	bury(l);
	return 0;
}

int loop_run(struct loop *l, struct err *e)
{
	l->stop = false;
	while (!l->stop)
		if (loop_turn(l, -1, e))
			return -1;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

/* --- signals and waking ------------------------------------------------- */

static void on_signal(void *ctx, int fd, uint32_t events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo si;

	(void)events;
	if (fd_read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		l->signal_fn(l->signal_ctx, (int)si.ssi_signo);
}

int loop_signals(struct loop *l, const int *signals, size_t n,
		 loop_signal_fn *fn, void *ctx, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return err_sys(e, errno, "sigprocmask");
	l->signal_fn = fn;
	l->signal_ctx = ctx;
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signals < 0)
		return err_sys(e, errno, "signalfd");
	return loop_add_fd(l, l->signals, EPOLLIN, on_signal, l,
			   &l->signal_watch, e);
}

static void on_wake(void *ctx, int fd, uint32_t events)
{
	struct loop *l = ctx;
	uint64_t n;

	(void)events;
	if (fd_read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		l->wake_fn(l->wake_ctx);
}

int loop_on_wake(struct loop *l, loop_timer_fn *fn, void *ctx, struct err *e)
{
	l->wake_fn = fn;
	l->wake_ctx = ctx;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake < 0)
		return err_sys(e, errno, "eventfd");
	return loop_add_fd(l, l->wake, EPOLLIN, on_wake, l, &l->wake_watch, e);
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;

	if (fd_write(l->wake, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake anyway */
}
