/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The three parsers behind doc_parse(); the text is checked UTF-8.  Each adds
 * to d and returns 0, or adds a problem and returns -1. */
#pragma once

#include "doc/doc.h"

#ifdef __cplusplus
extern "C" {
#endif

int doc_parse_yaml(struct str text, struct doc *d, struct problems *ps);
int doc_parse_json(struct str text, struct doc *d, struct problems *ps);
int doc_parse_toml(struct str text, struct doc *d, struct problems *ps);

#ifdef __cplusplus
}
#endif
