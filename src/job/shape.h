/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Checking a tree against the key table, and giving plain scalars the kinds of
 * the schema; for src/job alone. */
#pragma once

#include "job/keys.h"

/* node is a map with the keys of `where`. */
void shape_check(struct doc_node *node, const char *where, struct problems *ps);
/* A map of named maps, names checked. */
void shape_named(struct doc_node *node, const char *where, struct problems *ps);
