/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a role gives up before it hears the first byte from outside: one table
 * (confine.c) says it for all of them.  When a step fails the role does not
 * start; it never runs with more than the table says.
 *
 *   confine.c           the table; limits, capabilities
 *   confine_files.c     Landlock: paths, TCP, signals, abstract sockets
 *   confine_calls.c     seccomp: a list of what is refused
 *
 * The monitor confines only itself, not what it starts: the spawner needs what
 * a launch needs.  The spawner's own filter is inherited by every payload, so
 * it refuses only what no profile allows.
 */
#pragma once

#include "base/err.h"
#include "proto/edges.h"
#include <linux/filter.h>

/* The TCP ports that the keeper may connect to; none: it has no network. */
struct confine_ports {
	const uint16_t *items;
	size_t n;
};

/*
 * For the calling process, which has one thread.  init names the state
 * directory and whether it may go on without Landlock.  Irrevocable.
 *
 * ports   of the keeper, where it has providers of secrets: it is then confined
 *         as the fetcher is, but for these ports and that of DNS; NULL: none
 *
 * Fails with ERR_UNAVAILABLE when there is no Landlock (of ABI 2 or later) and
 * nobody said that it may be missing, ERR_INTERNAL when a step is refused.
 */
MUST_USE int confine_role(enum role r, const struct role_init *init,
			  const struct confine_ports *ports, struct err *e);

/*
 * The monitor's own: not dumpable, no core dumps, and for root only the
 * capabilities that a launch can need, for it and for all that it starts.
 */
MUST_USE int confine_monitor(struct err *e);

/*
 * The child of the zygote that becomes a runner, 0.1 ms: it may make files in
 * staging_fd and read those in files_fd (both -1: neither), and open nothing
 * else.
 */
MUST_USE int confine_runner(const struct role_init *init, int staging_fd,
			    int files_fd, struct err *e);

/* --- the parts, for confine.c and its tests ------------------------------ */

/* What is refused: groups of calls (confine_calls.c). */
enum confine_calls {
	REFUSE_RARE = 1,    /* what no role and no profile needs */
	REFUSE_PEEK = 2,    /* into other processes */
	REFUSE_ADMIN = 4,   /* mounts, namespaces, ids, keyrings */
	REFUSE_EXEC = 8,    /* also new executable memory */
	REFUSE_FORK = 16,   /* threads are no processes */
	REFUSE_SIGNAL = 32, /* to others */
	REFUSE_CONNECT = 64,
	REFUSE_ACCEPT = 128,
};

enum {
	CONFINE_CALLS_MAX = 512
};

/* Returns the number of instructions, 0 when they do not fit.  Signals to own_pid stay allowed, as
 * abort() sends them; 0: to nobody. */
size_t confine_calls_build(unsigned groups, uint32_t own_pid,
			   struct sock_filter out[CONFINE_CALLS_MAX]);
MUST_USE int confine_calls(unsigned groups, uint32_t own_pid, struct err *e);

/* Landlock's version here; 0: there is none that would do. */
int confine_landlock_abi(void);

/* Paths that stay open, by descriptor. */
struct confine_place {
	int fd;
	bool write;
};
/*
 * files    false: paths are as before; else only the n places
 * tcp      false: as before; else no bind and no connect but to the ports
 * ports    may be NULL
 */
MUST_USE int confine_files(bool files, bool tcp,
			   const struct confine_place *places, size_t n,
			   const struct confine_ports *ports, struct err *e);
