/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A secret that is a JSON object, as fields. */
#pragma once

#include "base/err.h"
#include "secrets/secret.h"

/* 1: it is one, and *ret (the caller's) its fields as secrets/fields.h packs
 * them; 0: it is none.  -1: ERR_LIMIT, more or larger fields than that
 * holds. */
MUST_USE int object_fields(struct secret_view text, struct secret **ret,
			   struct err *e);
