/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A stored job and its revisions as JSON. */
#pragma once

#include "base/buf.h"
#include "store/jobs.h"

/* As lists show it. */
bool jobview_item(const struct store_job *j, struct buf *b);
/* With its definition; hooks: a JSON list. */
bool jobview_job(const struct store_job *j, struct str hooks, struct buf *b);
bool jobview_revision(const struct store_job *j, bool whole, struct buf *b);
/* "sha256:..." with quotes, as an entity tag. */
enum {
	JOB_ETAG_MAX = 80
};
void jobview_etag(struct str digest, char out[JOB_ETAG_MAX]);
