/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The text of everything the secret store says to SQLite. */
#pragma once

#include "secrets/store_sql.h"

enum {
	STORE_SCHEMA_APPLICATION_ID = 0x4e464f53, /* "NFOS" */
	STORE_SCHEMA_VERSION = 2
};

extern const char store_schema_pragmas[];
extern const char store_schema_tables[];
/* From version 1 to 2. */
extern const char store_schema_upgrade[];
extern const char *const store_schema_sql[N_SSQL];
