/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * An Ed25519 key for one attempt, in OpenSSH's formats: the public line that a
 * CA signs, and the private file that `ssh -i` reads.  It is made here, goes
 * nowhere else, and is gone with its secret.
 */
#pragma once

#include "base/buf.h"
#include "secrets/secret.h"

enum {
	SSH_KEY_COMMENT_MAX = 128, /* bytes */
	SSH_KEY_PUBLIC_MAX = 256   /* the public line */
};

/*
 * comment      printable ASCII, shown by ssh-add and in sshd's log; may be empty
 * ret_private  "-----BEGIN OPENSSH PRIVATE KEY-----" ..., not enciphered,
 *              owned by the caller
 * public_line  "ssh-ed25519 BASE64 COMMENT", no newline; appended
 *
 * Fails with ERR_INVALID for a comment that is none, ERR_INTERNAL when OpenSSL
 * fails.
 *
 * Formats: OpenSSH's PROTOCOL.key, RFC 8709 and RFC 4253 6.6.
 */
MUST_USE int ssh_key_new(struct str comment, struct secret **ret_private,
			 struct buf *public_line, struct err *e);
