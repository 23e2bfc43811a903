/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The http thread's channel to the monitor: what is to be read anew, and
 * whether this thread lives.  Who wants everything read anew asks here.
 */
#pragma once

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"

struct control;

/* What the monitor has read; the descriptors are borrowed. */
struct control_anew {
	int config, policies;
	const int *tls;
	size_t n_tls;
	bool policies_changed;
};

/* Takes all of it, and says how the log is from now on; or nothing, and then
 * everything stays as it was. */
typedef int control_take_fn(void *ctx, const struct control_anew *n,
			    enum log_format *ret_format,
			    enum log_level *ret_level, struct err *e);
/* How a reload went: why NULL, or what was wrong.  Called once, also when the
 * monitor or the server goes. */
typedef void control_done_fn(void *ctx, const struct err *why);

/* The report of `nfo doctor`, JSON; why: there is none.  Called once. */
typedef void control_report_fn(void *ctx, struct str report,
			       const struct err *why);

/* fd is taken; -1: there is no monitor. */
struct control *control_new(struct loop *l, int fd, control_take_fn *take,
			    void *ctx);
void control_free(struct control *c);
/* Settings, policies, certificate and key anew, as after SIGHUP.  When policies
 * are new the answer comes before the server is replaced. */
MUST_USE int control_reload(struct control *c, control_done_fn *done, void *ctx,
			    struct err *e);
/* Who asks while one is made gets the same. */
MUST_USE int control_doctor(struct control *c, control_report_fn *done,
			    void *ctx, struct err *e);
