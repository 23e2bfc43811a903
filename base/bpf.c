/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Instructions and the search tree; see bpf.h. */
#include "base/bpf.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

enum {
	JUMP_MAX = 255
};

void bpf_put(struct bpf *b, unsigned code, uint32_t k, size_t yes, size_t no)
{
	if (b->n == b->max || yes > JUMP_MAX || no > JUMP_MAX) {
		b->failed = true;
		return;
	}
	b->out[b->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)yes,
					      (uint8_t)no, k};
}

void bpf_load(struct bpf *b, size_t offset)
{
	bpf_put(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

void bpf_return(struct bpf *b, uint32_t action)
{
	bpf_put(b, BPF_RET | BPF_K, action, 0, 0);
}

size_t bpf_argument(unsigned i)
{
	size_t at = offsetof(struct seccomp_data, args) + i * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? at + 4 : at;
}

/* --- the tree ----------------------------------------------------------- */

struct tree {
	struct bpf *b;
	bpf_look_fn *fn;
	const void *ctx;
};

static int by_number(const void *a, const void *b)
{
	const struct bpf_call *x = a, *y = b;

	return (x->nr > y->nr) - (x->nr < y->nr);
}

/* From its number on, up to the next one's; neighbours that say the same are
 * one. */
static size_t add_range(struct bpf_call *r, size_t n, struct bpf_call c)
{
	if (n && !c.look && !r[n - 1].look && r[n - 1].action == c.action)
		return n;
	r[n] = c;
	return n + 1;
}

/* The left half is behind a jump that is known when it is written. */
static void jump_over(struct bpf *b, size_t at)
{
	size_t len = b->n - at - 1;

	if (b->failed)
		return;
	if (len <= JUMP_MAX) {
		b->out[at].jt = (uint8_t)len;
		return;
	}
	bpf_put(b, BPF_JMP | BPF_JA, 0, 0, 0); /* room for one more */
	if (b->failed)
		return;
	memmove(&b->out[at + 2], &b->out[at + 1], len * sizeof(*b->out));
	b->out[at].jf = 1;
	b->out[at + 1] =
		(struct sock_filter){BPF_JMP | BPF_JA, 0, 0, (uint32_t)len};
}

static void put_ranges(const struct tree *t, const struct bpf_call *r, size_t n)
{
	size_t half = n / 2, at = t->b->n;

	if (n == 1 && r->look) {
		t->fn(t->b, r->look, t->ctx);
		return;
	}
	if (n == 1) {
		bpf_return(t->b, r->action);
		return;
	}
	bpf_put(t->b, BPF_JMP | BPF_JGE | BPF_K, r[half].nr, 0, 0);
	put_ranges(t, r, half);
	jump_over(t->b, at);
	put_ranges(t, r + half, n - half);
}

void bpf_calls(struct bpf *b, struct bpf_call *calls, size_t n, bpf_look_fn *fn,
	       const void *ctx)
{
	const struct tree t = {b, fn, ctx};
	struct bpf_call r[2 * BPF_CALLS_MAX + 1];
	size_t n_ranges = 0;
	uint32_t next = 0;

	if (n > BPF_CALLS_MAX) {
		b->failed = true;
		return;
	}
	qsort(calls, n, sizeof(*calls), by_number);
	for (size_t i = 0; i < n; i++) {
		if (calls[i].nr > next)
			n_ranges = add_range(
				r, n_ranges,
				(struct bpf_call){next, SECCOMP_RET_ALLOW,
						  NULL});
		n_ranges = add_range(r, n_ranges, calls[i]);
		next = calls[i].nr + 1;
	}
	n_ranges = add_range(r, n_ranges,
			     (struct bpf_call){next, SECCOMP_RET_ALLOW, NULL});
	put_ranges(&t, r, n_ranges);
}
