/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Owned secret bytes; see secret.h.  The struct itself holds no plaintext. */
#include "secrets/secret.h"

#include "base/hash.h"
#include "base/mem.h"
#include "secrets/guard.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct secret {
	struct guard mem;
	size_t len; /* at most mem.len */
};

int secret_new(const void *p, size_t len, unsigned flags, struct secret **ret,
	       struct err *e)
{
	unsigned g = flags & SECRET_WIPE_ON_FORK ? GUARD_WIPE_ON_FORK : 0;
	struct guard mem;
	struct secret *s;

	if (len > SECRET_MAX)
		return err_set(e, ERR_LIMIT, "a secret of %zu bytes (max %d)",
			       len, SECRET_MAX);
	if (guard_map(len, 1, g, &mem, e))
		return -1;
	if (p && len)
		memcpy(mem.p, p, len);
	s = mem_alloc(sizeof(*s));
	s->mem = mem;
	s->len = len;
	*ret = s;
	return 0;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	guard_unmap(&s->mem);
	mem_free(s);
}

void secret_cleanup(struct secret **s)
{
	secret_free(*s);
}

struct secret_view secret_bytes(const struct secret *s)
{
	return (struct secret_view){s->mem.p, s->len};
}

unsigned char *secret_room(struct secret *s)
{
	return s->mem.p;
}

void secret_shrink(struct secret *s, size_t len)
{
	assert(len <= s->len);
	mem_wipe((unsigned char *)s->mem.p + len, s->len - len);
	s->len = len;
}

bool secret_eq(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && mem_eq_ct(a->mem.p, b->mem.p, a->len);
}

bool secret_locked(const struct secret *s)
{
	return s->mem.locked;
}

int secret_process_harden(struct err *e)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none))
		return err_sys(e, errno, "no core dumps");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_sys(e, errno, "not dumpable");
	return 0;
}
