/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Guarded pages; see guard.h.  Knows nothing of what lies in them. */
#include "secrets/guard.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CANARY_LEN = 16,
	CANARY_BYTE = 0xd7
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* The canary sits right before the bytes: an underrun that stays within the
 * first page is found when the memory is given back. */
static unsigned char *canary(const struct guard *g)
{
	return (unsigned char *)g->p - CANARY_LEN;
}

int guard_map(size_t len, size_t align, unsigned flags, struct guard *ret,
	      struct err *e)
{
	size_t page = page_size(), body;
	struct guard g = {.len = len};
	unsigned char *map;

	assert(align && align <= page && !(align & (align - 1)));
	if (len > SIZE_MAX / 2)
		return err_set(e, ERR_LIMIT, "guarded memory: %zu bytes", len);
	body = (len + align + CANARY_LEN + page - 1) / page * page;
	g.map_len = body + 2 * page;
	map = mmap(NULL, g.map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	if (map == MAP_FAILED)
		return err_set(e, ERR_LIMIT, "guarded memory: %s",
			       strerror(errno));
	if (mprotect(map + page, body, PROT_READ | PROT_WRITE)) {
		(void)munmap(map, g.map_len);
		return err_set(e, ERR_LIMIT, "guarded memory: %s",
			       strerror(errno));
	}
	g.locked = !mlock(map + page, body);
	(void)madvise(map + page, body, MADV_DONTDUMP);
	if ((flags & GUARD_WIPE_ON_FORK) &&
	    madvise(map + page, body, MADV_WIPEONFORK)) {
		(void)munmap(map, g.map_len);
		return err_sys(e, errno, "guarded memory: wipe on fork");
	}
	g.map = map;
	g.p = map + page + ((body - len) & ~(align - 1));
	memset(canary(&g), CANARY_BYTE, CANARY_LEN);
	*ret = g;
	return 0;
}

void guard_unmap(struct guard *g)
{
	size_t page = page_size();
	const unsigned char *c;
	unsigned wiped = 0;

	if (!g->map)
		return;
	/* All zeros: this is a child that never had the contents. */
	c = canary(g);
	for (size_t i = 0; i < CANARY_LEN; i++)
		wiped += !c[i];
	for (size_t i = 0; wiped < CANARY_LEN && i < CANARY_LEN; i++)
		assert(c[i] == CANARY_BYTE);
	mem_wipe((unsigned char *)g->map + page, g->map_len - 2 * page);
	(void)munmap(g->map, g->map_len);
	*g = (struct guard){0};
}
