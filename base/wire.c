/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Typed fields of a message; see wire.h. */
#include "base/wire.h"

#include <string.h>

void wire_bytes(struct wire_writer *w, const void *p, size_t len)
{
	if (w->failed || len > sizeof(w->data) - w->len) {
		w->failed = true;
		return;
	}
	if (len)
		memcpy(w->data + w->len, p, len);
	w->len += len;
}

static void put_le(struct wire_writer *w, uint64_t v, size_t n)
{
	unsigned char b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (unsigned char)(v >> (8 * i));
	wire_bytes(w, b, n);
}

void wire_u8(struct wire_writer *w, uint8_t v)
{
	put_le(w, v, 1);
}

void wire_u16(struct wire_writer *w, uint16_t v)
{
	put_le(w, v, 2);
}

void wire_u32(struct wire_writer *w, uint32_t v)
{
	put_le(w, v, 4);
}

void wire_u64(struct wire_writer *w, uint64_t v)
{
	put_le(w, v, 8);
}

void wire_i64(struct wire_writer *w, int64_t v)
{
	put_le(w, (uint64_t)v, 8);
}

void wire_str(struct wire_writer *w, struct str s)
{
	if (s.len > UINT16_MAX) {
		w->failed = true;
		return;
	}
	wire_u16(w, (uint16_t)s.len);
	wire_bytes(w, s.p, s.len);
}

struct wire_reader wire_reader(const void *p, size_t len)
{
	return (struct wire_reader){.p = p, .left = len};
}

/* n bytes, or NULL once something failed. */
static const unsigned char *take(struct wire_reader *r, size_t n)
{
	const unsigned char *p = r->p;

	if (r->failed || n > r->left) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint64_t get_le(struct wire_reader *r, size_t n)
{
	const unsigned char *p = take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t wire_get_u8(struct wire_reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t wire_get_u16(struct wire_reader *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t wire_get_u64(struct wire_reader *r)
{
	return get_le(r, 8);
}

int64_t wire_get_i64(struct wire_reader *r)
{
	return (int64_t)get_le(r, 8);
}

void wire_get_bytes(struct wire_reader *r, void *out, size_t len)
{
	const unsigned char *p = take(r, len);

	if (p)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

struct str wire_get_str(struct wire_reader *r, size_t max)
{
	size_t len = wire_get_u16(r);
	const unsigned char *p;

	if (len > max)
		r->failed = true;
	p = take(r, len);
	return p ? str_n((const char *)p, len) : str_n(NULL, 0);
}

bool wire_end(const struct wire_reader *r)
{
	return !r->failed && !r->left;
}
