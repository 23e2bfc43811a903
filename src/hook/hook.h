/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A job's webhooks, read from its checked document: whether what somebody sent
 * starts a run, and with which inputs.  Pure.
 */
#pragma once

#include "doc/doc.h"

/* root: of a checked job's document. */
const struct doc_node *hook_list(const struct doc_node *root);
const struct doc_node *hook_find(const struct doc_node *root, struct str name);
/* The canonical reference of its secret (secrets/ref.h); appended. */
MUST_USE int hook_secret_ref(const struct doc_node *root, struct str project,
			     const struct doc_node *hook, struct buf *b,
			     struct err *e);

/* Does the body (and the event's name) have one of the values at each place? */
bool hook_matches(const struct doc_node *hook, struct doc_node *body,
		  struct str event);
/*
 * Its inputs as a JSON object, appended.  What is not there, or null, is left to
 * the input's default; ERR_INVALID where there is none.
 */
MUST_USE int hook_inputs(const struct doc_node *root,
			 const struct doc_node *hook, struct doc_node *body,
			 struct str event, struct buf *b, struct err *e);
