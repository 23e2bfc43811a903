/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files of the keeper share: its one state. */
#pragma once

#include "base/list.h"
#include "role/role.h"
#include "secrets/store.h"

struct keeper {
	struct loop *loop;
	struct chan *monitor, *server;
	struct secret_store *store;
	struct scanner *scanner;
	struct link attempts;
	int64_t scan_second; /* the second that scans were counted in */
	unsigned scans;
	int64_t verify_second; /* the same for what strangers sign */
	unsigned verifies;
};

/* keeper_attempt.c: MSG_GRANT of the monitor, a new attempt's channel; -1 when
 * it is malformed. */
int keeper_grant(struct keeper *k, struct chan_msg *msg);

/* A message of the server's; -1 when it is none that a server sends. */
int keeper_on_server(void *keeper, struct chan_msg *msg);
/* MSG_OK with a number, or MSG_NO with the error. */
int keeper_answer(struct keeper *k, uint64_t tag, int bad, uint64_t number,
		  const struct err *e);
/* keeper_tell.c: MSG_LIST, MSG_SHOW, MSG_VERSIONS. */
int keeper_list(struct keeper *k, uint64_t tag, struct wire_reader *r);
int keeper_show(struct keeper *k, uint64_t tag, struct wire_reader *r);
int keeper_versions(struct keeper *k, uint64_t tag, struct wire_reader *r);
/* keeper_verify.c: MSG_VERIFY. */
int keeper_verify(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);
