/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Packed fields; see fields.h. */
#include "secrets/fields.h"

#include <stdlib.h>
#include <string.h>

static void put_number(unsigned char **p, size_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++, v >>= 8)
		*(*p)++ = (unsigned char)v;
}

static void put(unsigned char **p, const void *from, size_t len)
{
	if (len)
		memcpy(*p, from, len);
	*p += len;
}

static int by_name(const void *a, const void *b)
{
	const struct field *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static int check(const struct field *f, size_t n, size_t *ret_len,
		 struct err *e)
{
	*ret_len = 0;
	for (size_t i = 0; i < n; i++) {
		if (!f[i].name.len || f[i].name.len > FIELD_NAME_MAX)
			return err_set(e, ERR_INVALID,
				       "a field whose name is empty or longer "
				       "than %d bytes",
				       FIELD_NAME_MAX);
		if (i && str_eq(f[i].name, f[i - 1].name))
			return err_set(e, ERR_INVALID,
				       "two fields of one name");
		if (f[i].value.n_bytes <= SECRET_MAX)
			*ret_len += 6 + f[i].name.len + f[i].value.n_bytes;
		if (f[i].value.n_bytes > SECRET_MAX || *ret_len > SECRET_MAX)
			return err_set(e, ERR_LIMIT,
				       "its fields are together over %d bytes",
				       SECRET_MAX);
	}
	return 0;
}

int fields_pack(const struct field *f, size_t n, struct secret **ret,
		struct err *e)
{
	struct field sorted[FIELDS_MAX];
	struct secret *s;
	unsigned char *p;
	size_t len;

	if (n > FIELDS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d fields", FIELDS_MAX);
	if (n)
		memcpy(sorted, f, n * sizeof(*f));
	qsort(sorted, n, sizeof(*sorted), by_name);
	if (check(sorted, n, &len, e) || secret_new(NULL, len, 0, &s, e))
		return -1;
	p = secret_room(s);
	for (size_t i = 0; i < n; i++) {
		put_number(&p, sorted[i].name.len, 2);
		put(&p, sorted[i].name.p, sorted[i].name.len);
		put_number(&p, sorted[i].value.n_bytes, 4);
		put(&p, sorted[i].value.bytes, sorted[i].value.n_bytes);
	}
	*ret = s;
	return 0;
}

/* Takes `bytes` of a number from the front; false: there are not so many. */
static bool get_number(struct secret_view *v, size_t bytes, size_t *ret)
{
	*ret = 0;
	if (v->n_bytes < bytes)
		return false;
	for (size_t i = bytes; i-- > 0;)
		*ret = *ret << 8 | v->bytes[i];
	v->bytes += bytes;
	v->n_bytes -= bytes;
	return true;
}

static bool get(struct secret_view *v, size_t len, const unsigned char **ret)
{
	if (v->n_bytes < len)
		return false;
	*ret = v->bytes;
	v->bytes += len;
	v->n_bytes -= len;
	return true;
}

static bool get_field(struct secret_view *v, struct field *f)
{
	const unsigned char *name;
	size_t len;

	if (!get_number(v, 2, &len) || !len || len > FIELD_NAME_MAX ||
	    !get(v, len, &name))
		return false;
	f->name = str_n((const char *)name, len);
	return get_number(v, 4, &f->value.n_bytes) &&
	       get(v, f->value.n_bytes, &f->value.bytes);
}

int fields_parse(struct secret_view packed, struct field ret[FIELDS_MAX],
		 size_t *ret_n, struct err *e)
{
	size_t n = 0;

	for (; packed.n_bytes; n++)
		if (n == FIELDS_MAX || !get_field(&packed, &ret[n]) ||
		    (n && str_cmp(ret[n - 1].name, ret[n].name) >= 0))
			return err_set(e, ERR_INVALID, "no packed fields");
	*ret_n = n;
	return 0;
}
