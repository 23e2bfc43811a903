/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The http thread's channel to the monitor: what is to be read anew.  A new
 * certificate comes here; who wants everything read anew asks here.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"

struct control;

/* Takes what the monitor has read; it stays as it was on failure. */
typedef int control_take_fn(void *ctx, const int *fds, size_t n, struct err *e);
/* How a reload went: why NULL or what was wrong.  Called once, also when the
 * monitor or the server goes; text: what is new. */
typedef void control_done_fn(void *ctx, const char *text,
			     const struct err *why);

/* fd is taken; -1: there is no monitor. */
struct control *control_new(struct loop *l, int fd, control_take_fn *take,
			    void *ctx);
void control_free(struct control *c);
/* Policies, certificate and key anew, as after SIGHUP.  When policies are new
 * the answer comes before the server is replaced. */
MUST_USE int control_reload(struct control *c, control_done_fn *done, void *ctx,
			    struct err *e);
