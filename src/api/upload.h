/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A run asked for as multipart/form-data: `job`, `request` and `source` in
 * this order, each checked before the next is read.  The source (tar, .gz,
 * .zst) is unpacked to a plain tar on its way into the blob store and walked
 * by the tar reader, so that nothing hostile is ever stored.
 */
#pragma once

#include "api/request.h"
#include "base/hash.h"
#include "engine/blob.h"

enum {
	UPLOAD_TYPE_MAX = 64
};

struct upload {
	struct request *r;
	struct MHD_PostProcessor *pp;
	unsigned part; /* 0 none yet, 1 job, 2 request, 3 source */
	struct buf job, request;
	char job_type[UPLOAD_TYPE_MAX];
	char job_name[UPLOAD_TYPE_MAX]; /* its file name, for the syntax */
	struct source *source;
	bool has_source;
	struct hash source_hash;
	uint64_t source_bytes; /* of the plain tar */
};

/* Make r->upload when the content is multipart; may answer. */
void upload_begin(struct request *r);
void upload_feed(struct request *r, const char *data, size_t len);
/* All came: 0 goes on to the handler, -1 it was answered. */
MUST_USE int upload_end(struct request *r);
void upload_free(struct upload *u);
