/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Classic BPF for seccomp filters (seccomp(2)), written by hand where a library
 * is not to be linked.  Pure: instructions into the caller's array.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf {
	struct sock_filter *out; /* borrowed */
	size_t n, max;
	bool failed; /* it does not fit: do not use it */
};

/* yes, no: how far a conditional jump goes; at most 255. */
void bpf_put(struct bpf *b, unsigned code, uint32_t k, size_t yes, size_t no);
void bpf_load(struct bpf *b, size_t offset);     /* of struct seccomp_data */
void bpf_return(struct bpf *b, uint32_t action); /* SECCOMP_RET_... */
/* The low half of argument i, as the kernel reads an int. */
size_t bpf_argument(unsigned i);

enum {
	BPF_CALLS_MAX = 256
};

/* A system call that is not just allowed. */
struct bpf_call {
	uint32_t nr, action;
	const void *look; /* not NULL: its arguments decide */
};

/* Code that looks at a call's arguments; every way through it returns. */
typedef void bpf_look_fn(struct bpf *b, const void *look, const void *ctx);

/*
 * The number is loaded: the answer for each, all others are allowed.  A search
 * tree over ranges, because the kernel tries every number when a filter is
 * loaded, to cache what is always allowed.  Sorts the calls; none twice.
 */
void bpf_calls(struct bpf *b, struct bpf_call *calls, size_t n, bpf_look_fn *fn,
	       const void *ctx);
