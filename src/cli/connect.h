/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Which server: --server, NFO_SERVER, or the user's private one, which is
 * started when it does not run (one, under a lock).
 */
#pragma once

#include "cli/http.h"

/* STATE of the private server, made with mode 0700; text in out. */
MUST_USE int connect_state_dir(struct buf *out, struct err *e);
/* Ready to be asked.  Says on standard error what a first start made. */
MUST_USE int connect_server(struct server *ret, struct err *e);
/* Where the programs are: the directory of this one, or ../libexec/nfo. */
MUST_USE int connect_program(const char *name, struct buf *out, struct err *e);
/* STATE/policies with the default policy, when it is not there yet; says what
 * a first start makes. */
MUST_USE int connect_first_policy(const char *state, struct err *e);
