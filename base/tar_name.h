/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Names in a tar: what is clean, what leads out.  For tar.c alone. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

int tar_name_clean(struct str in, struct buf *out) MUST_USE;
bool tar_name_link_stays(struct str path, struct str target);
bool tar_name_printable(struct str s);
/* ERR_INVALID: tar entry "PATH": why, with PATH cut and made printable. */
int tar_name_refuse(struct err *e, struct str path, const char *why);
