/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Typed fields in and out of a message: little-endian, fixed order, and the
 * end must be exact (a trailing byte is an error, as in OpenSMTPD's mproc.c).
 * Readers never allocate and never pass the end; the first failure sticks.
 */
#pragma once

#include "base/buf.h"
#include "base/hash.h"

enum {
	WIRE_MAX = 16384
}; /* one message; larger things go as a memfd */

struct wire_writer {
	unsigned char data[WIRE_MAX];
	size_t len;
	bool failed;
};

void wire_u8(struct wire_writer *w, uint8_t v);
void wire_u16(struct wire_writer *w, uint16_t v);
void wire_u32(struct wire_writer *w, uint32_t v);
void wire_u64(struct wire_writer *w, uint64_t v);
void wire_i64(struct wire_writer *w, int64_t v);
void wire_bytes(struct wire_writer *w, const void *p, size_t len); /* raw */
void wire_str(struct wire_writer *w, struct str s); /* u16 length, bytes */

struct wire_reader {
	const unsigned char *p;
	size_t left;
	bool failed;
};

struct wire_reader wire_reader(const void *p, size_t len);
uint8_t wire_get_u8(struct wire_reader *r); /* 0 once failed */
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
int64_t wire_get_i64(struct wire_reader *r);
void wire_get_bytes(struct wire_reader *r, void *out, size_t len);
struct str wire_get_str(struct wire_reader *r, size_t max); /* borrowed */
/* True when nothing failed and nothing is left. */
MUST_USE bool wire_end(const struct wire_reader *r);
