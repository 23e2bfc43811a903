/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Where things lie below STATE:
 *
 *   runs/RUN/TASK@N/   one attempt; TASK is the instance's index and a tame
 *                      form of its name, "003-test_unit", N the attempt
 *     log.data log.idx result staging/ files/
 *   blobs/sha256/XX/XXXX...   artifacts and sources, by content, mode 0444
 *   tmp/               what is on its way into blobs; emptied at start
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"
#include "base/id.h"

enum {
	PATHS_MAX = 160
};

/* "runs/RUN/003-test_unit@2" */
void paths_attempt(char out[PATHS_MAX], const struct ulid *run, uint32_t index,
		   struct str name, uint32_t attempt);
/* "blobs/sha256/ab/abcd..." */
void paths_blob(char out[PATHS_MAX], const char hex[HASH_HEX_LEN + 1]);
/* Make runs/, blobs/sha256/, tmp/; empty tmp/. */
MUST_USE int paths_init(int state_fd, struct err *e);

/* Open one file of an attempt ("log.data", "log.idx") for reading;
 * ERR_NOT_FOUND when it is not there. */
MUST_USE int paths_open(int state_fd, const struct ulid *run, uint32_t index,
			struct str name, uint32_t attempt, const char *file,
			int *ret_fd, struct err *e);
