/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tree of a seccomp filter, interpreted as the kernel would. */
#include "base/attr.h"
#include "base/bpf.h"

#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
	MAX = 2048
};

/* Enough for what bpf_calls() makes; the number is in the accumulator. */
static uint32_t answer(const struct bpf *b, uint32_t nr)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct sock_filter *f = &b->out[i];

		if (f->code == (BPF_RET | BPF_K))
			return f->k;
		if (f->code == (BPF_JMP | BPF_JA))
			i += f->k;
		else if (f->code == (BPF_JMP | BPF_JGE | BPF_K))
			i += nr >= f->k ? f->jt : f->jf;
		else
			fail_msg("instruction %zu is of another kind", i);
	}
	fail_msg("ran over the end");
	return 0;
}

static void look(struct bpf *b, const void *what, const void *ctx)
{
	bpf_return(b, *(const uint32_t *)what + *(const uint32_t *)ctx);
}

/* Every step-th number of n, the first included; some look. */
static void build(struct bpf *b, size_t n, uint32_t step)
{
	static const uint32_t looked = 1000, more = 7;
	struct bpf_call calls[BPF_CALLS_MAX];

	for (size_t i = 0; i < n; i++) /* backwards: they get sorted */
		calls[i] = (struct bpf_call){(uint32_t)(n - 1 - i) * step, 5,
					     i % 3 ? NULL : &looked};
	bpf_calls(b, calls, n, look, &more);
}

static void assert_answers(const struct bpf *b, size_t n, uint32_t step)
{
	for (uint32_t nr = 0; nr < n * step + 9; nr++) {
		size_t i = n - 1 - nr / step;
		uint32_t want = nr % step || nr / step >= n ?
					SECCOMP_RET_ALLOW :
				i % 3 ? 5 :
					1007;

		if (answer(b, nr) != want)
			fail_msg("number %u of %zu by %u", nr, n, step);
	}
	assert_int_equal(answer(b, UINT32_MAX), SECCOMP_RET_ALLOW);
}

static void test_every_number_gets_its_answer(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 17, 64, 100, 255, 256};
	struct sock_filter code[MAX];

	(void)state;
	/* The large ones need jumps further than 255. */
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (uint32_t step = 1; step < 4; step++) {
			struct bpf b = {.out = code, .max = MAX};

			build(&b, sizes[i], step);
			assert_false(b.failed);
			assert_answers(&b, sizes[i], step);
		}
}

static void test_what_does_not_fit_is_said(void **state)
{
	struct sock_filter code[MAX];
	struct bpf whole = {.out = code, .max = MAX};

	(void)state;
	build(&whole, 256, 2);
	for (size_t max = 0; max < whole.n; max++) {
		struct bpf b = {.out = code, .max = max};

		build(&b, 256, 2);
		assert_true(b.failed);
		assert_true(b.n <= max);
	}
	whole = (struct bpf){.out = code, .max = MAX};
	bpf_put(&whole, BPF_JMP | BPF_JEQ | BPF_K, 0, 256, 0);
	assert_true(whole.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_number_gets_its_answer),
		cmocka_unit_test(test_what_does_not_fit_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
