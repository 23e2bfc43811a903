/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any script becomes a job; any syntax becomes another. */
#pragma once

#include "doc/doc.h"

/*
 * A one-task job in YAML: the shell from the shebang with nothing added, the
 * body byte for byte (as base64 where YAML cannot hold it; *ret_base64 says
 * so).  ERR_INVALID for a name that is none or an empty script, ERR_LIMIT when
 * the job would be over DOC_TEXT_MAX.
 */
MUST_USE int job_import(struct str name, struct str script, struct buf *b,
			bool *ret_base64, struct err *e);
/* A name from a file's: "deploy app.sh" is "deploy-app". */
void job_import_name(struct str file, char out[64]);
