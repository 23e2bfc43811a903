/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the tables of shapes say again and again; for schemas*.c alone. */
#pragma once

#include "api/schemas.h"

struct schema {
	const char *name, *json;
};

extern const struct schema secret_schemas[];
extern const size_t n_secret_schemas;

/* clang-format off */
#define STRING   "{\"type\":\"string\"}"
#define INTEGER  "{\"type\":\"integer\"}"
#define BOOLEAN  "{\"type\":\"boolean\"}"
#define MAYBE(t) "{\"type\":[\"" t "\",\"null\"]}"
/* clang-format on */
