/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The writers behind doc_write(); for src/doc alone. */
#pragma once

#include "doc/doc.h"

/* What a plain YAML scalar means where no schema says so. */
enum doc_kind doc_plain_kind(struct str s);
/* The kind as written: PLAIN resolved. */
enum doc_kind doc_write_kind(const struct doc_node *n);
void doc_write_yaml(const struct doc_node *root, struct buf *b);
int doc_write_toml(const struct doc_node *root, struct buf *b, struct err *e);
