/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A channel between two roles: socketpair(AF_UNIX, SOCK_SEQPACKET), messages
 * of at most WIRE_MAX bytes that start with a u16 type, descriptors beside
 * them.  The kernel keeps the boundaries, so nobody reassembles anything.
 */
#pragma once

#include "base/fd.h"
#include "base/loop.h"
#include "base/wire.h"

enum {
	CHAN_FDS_MAX = 32
};

struct chan_msg {
	uint16_t type;
	const unsigned char *body; /* borrowed, behind the type */
	size_t body_len;
	int fds[CHAN_FDS_MAX]; /* owned by the receiver: take or they are closed */
	size_t n_fds;
	uint32_t peer_pid; /* 0: not asked for */
};

MUST_USE int chan_pair(int ret[2], struct err *e); /* both ends CLOEXEC */

/* Blocking or not, as the socket is.  Return 1 done, 0 would block (send) or
 * end-of-file (receive), -1 error; a truncated message is an error. */
MUST_USE int chan_send(int fd, uint16_t type, const struct wire_writer *w,
		       const int *fds, size_t n_fds, struct err *e);
/* buf holds at least WIRE_MAX + 2 bytes; msg->body points into it. */
MUST_USE int chan_recv(int fd, void *buf, struct chan_msg *msg, struct err *e);
void chan_msg_done(struct chan_msg *msg); /* closes what was not taken */
int chan_msg_take(struct chan_msg *msg, size_t i); /* fd or -1 */

/*
 * The same on a loop, with a bounded queue for sending: a full queue is an
 * error (ERR_LIMIT), never a wait.  on_msg must not free the channel; it
 * returns -1 to have it closed (on_close is then called, once, from the loop).
 */
struct chan;
struct chan_ops {
	int (*on_msg)(void *ctx, struct chan_msg *msg);
	void (*on_close)(void *ctx, const struct err *why); /* why NULL: EOF */
};

/* Takes fd. */
struct chan *chan_new(struct loop *l, int fd, const struct chan_ops *ops,
		      void *ctx);
/* Take up to n messages at a time, instead of one: for an owner that never frees
 * the channel while it hears one. */
void chan_burst(struct chan *c, unsigned n);
void chan_free(struct chan *c); /* NULL is fine; drops what is queued */
/* Queues copies of the fds (dup) when the socket is full. */
MUST_USE int chan_post(struct chan *c, uint16_t type,
		       const struct wire_writer *w, const int *fds,
		       size_t n_fds, struct err *e);
