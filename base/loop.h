/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The event loop of every role: epoll, timers (a heap on one timerfd-free
 * timeout), signals (signalfd) and children (pidfd).  Single-threaded; the one
 * call that another thread may make is loop_wake().
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_watch;
struct loop_timer;

typedef void loop_fd_fn(void *ctx, int fd, uint32_t epoll_events);
typedef void loop_timer_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signo);

MUST_USE int loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop *l);
/* Until loop_stop(); -1 only when epoll itself fails. */
MUST_USE int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l);
/* One turn, waiting at most timeout_ms (-1: until something happens). */
MUST_USE int loop_turn(struct loop *l, int timeout_ms, struct err *e);

/* fd stays the caller's and must outlive the watch.  Level-triggered. */
MUST_USE int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events,
			 loop_fd_fn *fn, void *ctx, struct loop_watch **ret,
			 struct err *e);
void loop_watch_events(struct loop_watch *w, uint32_t epoll_events);
/* Safe inside any callback, also for a watch that is ready in this turn. */
void loop_watch_free(struct loop_watch *w);

/* One shot; re-arm in the callback.  loop_timer_set(-1) disarms. */
struct loop_timer *loop_timer_new(struct loop *l, loop_timer_fn *fn, void *ctx);
void loop_timer_set(struct loop_timer *t, int64_t mono_us);
void loop_timer_free(struct loop_timer *t);

/* Block these signals and hand them to fn instead. */
MUST_USE int loop_signals(struct loop *l, const int *signals, size_t n,
			  loop_signal_fn *fn, void *ctx, struct err *e);

/* Make loop_turn() return from another thread; fn runs in the loop's. */
MUST_USE int loop_on_wake(struct loop *l, loop_timer_fn *fn, void *ctx,
			  struct err *e);
void loop_wake(struct loop *l);
