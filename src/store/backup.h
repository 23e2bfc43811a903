/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Copies of the database: made while it is written to, read, and looked at
 * before one is believed. */
#pragma once

#include "store/reader.h"

/* A consistent copy of `db` as the new file `to`; from any thread.  It is
 * checked whole. */
MUST_USE int store_copy(const char *db, const char *to, struct err *e);

/* What a copy says is kept in files; content once, in order. */
typedef int store_content_fn(void *ctx, const char *sha256, struct err *e);
typedef int store_log_fn(void *ctx, const struct ulid *run, uint32_t index,
			 struct str name, uint32_t attempt, struct err *e);
MUST_USE int store_read_contents(struct store_reader *r, store_content_fn *fn,
				 void *ctx, struct err *e);
MUST_USE int store_read_logs(struct store_reader *r, store_log_fn *fn,
			     void *ctx, struct err *e);

/*
 * Make a copy that came from outside what a server can start with: whole, with
 * exactly our tables and nothing that acts by itself, of our version, and in
 * maintenance, so that nothing that waited then starts by itself now.
 * ERR_INVALID says what is wrong with it.
 */
MUST_USE int store_adopt(const char *path, int64_t now_us, struct err *e);
