/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A key file: 32 bytes that unseal the secret store without anybody's help.
 * It is believed only if nobody but its owner could have read or replaced it.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "secrets/secret.h"

enum {
	KEYFILE_KEY_LEN = 32
};

/*
 * Read the key.
 *
 * path     absolute, without symbolic links in it
 * ret_key  KEYFILE_KEY_LEN bytes, owned by the caller
 *
 * The file has to be regular, with one link, owned by the effective user or
 * root, closed to group and others, and hold exactly 32 bytes, or 64
 * hexadecimal digits and at most one newline after them.  Every directory
 * above it has to belong to the effective user or root, and may be writable by
 * group or others only if it is sticky.
 *
 * Fails with ERR_NOT_FOUND when it is not there, ERR_DENIED for a file or
 * directory that others have access to (the text names it and says why),
 * ERR_INVALID for a path or content that is wrong.
 */
MUST_USE int keyfile_read(const char *path, struct secret **ret_key,
			  struct err *e);

/*
 * The key that text says, as a key file does; what names it in errors.
 * ERR_INVALID.
 */
MUST_USE int keyfile_decode(struct str text, const char *what,
			    struct secret **ret_key, struct err *e);

/*
 * Make one of 32 random bytes, mode 0600, synced with its directory.  The
 * directories are held to the same rules.
 *
 * Fails with ERR_CONFLICT when something of that name exists.
 */
MUST_USE int keyfile_create(const char *path, struct err *e);
