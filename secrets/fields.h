/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Several values with names as one secret, on its way from the keeper to a
 * runner: for each u16 the name's length, the name, u32 the value's length, the
 * value; numbers are little-endian, names are sorted and differ.
 */
#pragma once

#include "base/str.h"
#include "secrets/secret.h"

enum {
	FIELDS_MAX = 64,
	FIELD_NAME_MAX = 128 /* bytes; SECRET_REF_FIELD_MAX */
};

/* Both borrowed. */
struct field {
	struct str name; /* not empty */
	struct secret_view value;
};

/*
 * In any order.  Fails with ERR_INVALID for a name that is empty, too long or
 * given twice, ERR_LIMIT when there are more than FIELDS_MAX or it is all
 * together over SECRET_MAX.
 */
MUST_USE int fields_pack(const struct field *f, size_t n, struct secret **ret,
			 struct err *e);
/* Borrows from packed; ERR_INVALID when it is not what fields_pack() makes. */
MUST_USE int fields_parse(struct secret_view packed,
			  struct field ret[FIELDS_MAX], size_t *ret_n,
			  struct err *e);
