/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files of providers, by way of the monitor; see internal.h. */
#include "vault/internal.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

struct file_ask {
	struct link link;
	uint32_t tag;
	enum credential which;
	file_fn *fn;
	void *ctx;
};

struct file_ask *file_ask(struct place *p, enum credential which, file_fn *fn,
			  void *ctx)
{
	struct vault *v = p->v;
	struct file_ask *a = mem_alloc(sizeof(*a));

	*a = (struct file_ask){
		.tag = ++v->last_tag, .which = which, .fn = fn, .ctx = ctx};
	list_push(&v->asks, &a->link);
	v->host->credential(v->ctx, a->tag, p->number, (uint8_t)which);
	return a;
}

void file_cancel(struct file_ask *a)
{
	if (!a)
		return;
	list_del(&a->link);
	mem_free(a);
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Files end with a line end that nobody means. */
static void trim(struct secret *s)
{
	struct secret_view v = secret_bytes(s);
	size_t end = v.n_bytes, start = 0;

	while (end && is_space(v.bytes[end - 1]))
		end--;
	while (start < end && is_space(v.bytes[start]))
		start++;
	if (start)
		memmove(secret_room(s), v.bytes + start, end - start);
	secret_shrink(s, end - start);
}

static int read_file(int fd, struct secret **ret, struct err *e)
{
	struct secret *s;
	ssize_t n;

	if (secret_new(NULL, CREDENTIAL_MAX + 1, 0, &s, e))
		return -1;
	n = fd_read_full(fd, secret_room(s), CREDENTIAL_MAX + 1);
	if (n < 0 || n > CREDENTIAL_MAX) {
		secret_free(s);
		return n < 0 ? err_sys(e, errno, "reading it") :
			       err_set(e, ERR_LIMIT, "over %d bytes",
				       CREDENTIAL_MAX);
	}
	secret_shrink(s, (size_t)n);
	trim(s);
	*ret = s;
	return 0;
}

void vault_credential(struct vault *v, uint32_t tag, int fd,
		      const struct err *why)
{
	CLEANUP_FD int file = fd;
	struct secret *s = NULL;
	struct err e;

	LIST_FOR(l, &v->asks)
	{
		struct file_ask *a = LIST_ENTRY(l, struct file_ask, link);

		if (a->tag != tag)
			continue;
		list_del(&a->link);
		if (file >= 0 && read_file(file, &s, &e)) {
			err_wrap(&e, "%s", credential_name(a->which));
			why = &e;
		}
		a->fn(a->ctx, s, s ? NULL : why);
		mem_free(a);
		return;
	}
}
