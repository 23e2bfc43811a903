/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The shapes that answers of the API have, for the OpenAPI document. */
#pragma once

#include "base/buf.h"

/* "schemas":{...} */
void openapi_schemas(struct buf *b);
