/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The KV engines, version 1 and 2: which one a mount is, the path to ask, and
 * what came back.  Pure; kv_read.c asks.
 */
#pragma once

#include "secrets/fields.h"
#include "vault/answer.h"
#include "vault/provider.h"

/* "v1/secret/data/app?version=3" of mount, the rest of the path, version. */
MUST_USE int kv_path(struct str mount, uint8_t kv, struct str rest,
		     uint64_t version, struct buf *ret, struct err *e);
/* "v1/sys/internal/ui/mounts/secret/ci/app" */
MUST_USE int kv_mount_path(struct str path, struct buf *ret);
/* Its answer: the mount (without slashes at its ends), and 1, 2, or 0: no KV. */
MUST_USE int kv_mount_read(const struct vault_answer *a, struct str path,
			   char mount[SECRET_REF_PATH_MAX + 1],
			   uint8_t *ret_version, struct err *e);
/*
 * The fields of an answer of 200 or 404.  Deleted, destroyed, missing and a
 * path of version 1 on a mount of version 2 are each ERR_NOT_FOUND with a text
 * of their own.  what: the path, for the text.
 */
MUST_USE int kv_fields(const struct vault_answer *a, uint8_t kv,
		       const char *what, struct secret **ret, struct err *e);
/*
 * Fails with ERR_DENIED for what a KV engine of version 2 answers at MOUNT/data:
 * a value that policies know by another path, and is to be had only there.
 */
MUST_USE int kv_not_inside(const json_t *data, const char *what, struct err *e);
/* A JSON object as fields: texts as they are, anything else as JSON;
 * null as if it were not there. */
MUST_USE int kv_pack(const json_t *o, struct secret **ret, struct err *e);
