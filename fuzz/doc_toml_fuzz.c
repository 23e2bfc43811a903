/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as TOML, and what they say in all syntaxes and back. */
#include "fuzz/doc_round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return round_trips(data, len, DOC_TOML);
}
