/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A look at TOML text before toml++ gets it; for toml.cc alone. */
#pragma once

#include "doc/tree.h"

/*
 * toml++ recurses for each bracket and allocates for each value and part of a
 * key: bound both.  Knows TOML's strings and comments, so that it counts what
 * toml++ will see up to the first error.
 *
 * Also refuses what toml++ 3.3 fails to: headers without a name (fixed there by
 * its change 301), and white space beyond ASCII.  -1 after a problem was added.
 */
MUST_USE int toml_scan(struct str text, struct problems *ps);
