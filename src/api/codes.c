/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The codes of problems; see codes.h.  tests/lint holds this to what the
 * handlers say. */
#include "api/codes.h"

/* clang-format off */
static const char *const codes[] = {
	"bad-certificate",
	"bad-forwarded",
	"bad-header",
	"bad-length",
	"bad-multipart",
	"bad-name",
	"bad-parameter",
	"bad-part",
	"bad-request",
	"bad-signature",
	"bad-source",
	"bad-token",
	"bad-value",
	"conflict",
	"decided",
	"denied",
	"digest-changed",
	"disk-full",
	"forbidden",
	"foreign-namespace",
	"gone",
	"idempotency-mismatch",
	"idempotency-secret",
	"idempotency-under-way",
	"internal",
	"invalid",
	"invalid-inputs",
	"invalid-job",
	"limit",
	"login-needed",
	"malformed",
	"method-not-allowed",
	"name-mismatch",
	"no-delivery-id",
	"no-peer",
	"not-acceptable",
	"not-found",
	"not-supported-yet",
	"policy",
	"precondition-required",
	"private",
	"provider-unavailable",
	"range",
	"secret-in-job",
	"secret-missing",
	"slow-down",
	"source-missing",
	"source-not-wanted",
	"source-too-large",
	"source-unresolved",
	"stale",
	"stale-signature",
	"stopping",
	"too-large",
	"too-many-streams",
	"unavailable",
	"unknown-parameter",
	"unsupported-type",
	"wrong-host",
	"wrong-origin",
};
/* clang-format on */

void codes_json(struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		buf_printf(b, "%s\"%s\"", i ? "," : "[", codes[i]);
	buf_putc(b, ']');
}
