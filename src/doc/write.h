/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The writers behind doc_write(); for src/doc alone.  doc_check_writable()
 * comes first: after it they cannot fail but for want of room. */
#pragma once

#include "doc/doc.h"

/* INT or FLOAT by JSON's grammar of numbers, else STRING. */
enum doc_kind doc_number_kind(struct str s);
/* The kind as written: PLAIN becomes what it reads as where no schema says. */
enum doc_kind doc_write_kind(const struct doc_node *n);
/* May be written as TOML: finite, neither rounded to 0 nor too long. */
bool doc_toml_float(struct str s);
/* All that the syntax cannot hold, named by place and pointer. */
MUST_USE int doc_check_writable(const struct doc_node *root,
				enum doc_syntax syntax, struct err *e);
/* Set *e, with the node's place and pointer in front. */
int doc_refuse(const struct doc_node *n, struct err *e, const char *why);

void doc_write_json(const struct doc_node *root, struct buf *b);
void doc_write_yaml(const struct doc_node *root, struct buf *b);
void doc_write_toml(const struct doc_node *root, struct buf *b);
