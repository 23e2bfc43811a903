/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages with descriptors between two roles; see chan.h. */
#include "base/chan.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int chan_pair(int ret[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret))
		return err_sys(e, errno, "socketpair");
	return 0;
}

int chan_send(int fd, uint16_t type, const struct wire_writer *w,
	      const int *fds, size_t n_fds, struct err *e)
{
	unsigned char head[2] = {(unsigned char)type,
				 (unsigned char)(type >> 8)};
	struct iovec iov[2] = {
		{head,				  sizeof(head)  },
		{w ? (void *)(uintptr_t)w->data : NULL, w ? w->len : 0}
        };
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(CHAN_FDS_MAX * sizeof(int))];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	if (w && w->failed)
		return err_set(e, ERR_LIMIT, "message %u is too long", type);
	if (n_fds > CHAN_FDS_MAX)
		return err_set(e, ERR_LIMIT, "too many descriptors");
	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		memset(control, 0, sizeof(control));
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 1;
	if (errno == EAGAIN)
		return 0;
	return err_sys(e, errno, "send");
}

static void take_control(struct msghdr *mh, struct chan_msg *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (msg->n_fds < CHAN_FDS_MAX)
				msg->fds[msg->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

int chan_recv(int fd, void *buf, struct chan_msg *msg, struct err *e)
{
	struct iovec iov = {buf, WIRE_MAX + 2};
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(CHAN_FDS_MAX * sizeof(int))];
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	const unsigned char *p = buf;
	ssize_t n;

	*msg = (struct chan_msg){0};
	do
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0) {
		err_sys(e, errno, "receive");
		if (e && errno == EAGAIN)
			e->code = ERR_UNAVAILABLE;
		return -1;
	}
	if (!n)
		return 0;
	take_control(&mh, msg);
	if (n < 2 || mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		chan_msg_done(msg);
		return err_set(e, ERR_INVALID, "a message that does not fit");
	}
	msg->type = (uint16_t)(p[0] | p[1] << 8);
	msg->body = p + 2;
	msg->body_len = (size_t)n - 2;
	return 1;
}

void chan_msg_done(struct chan_msg *msg)
{
	for (size_t i = 0; i < msg->n_fds; i++)
		fd_close(&msg->fds[i]);
	msg->n_fds = 0;
}

int chan_msg_take(struct chan_msg *msg, size_t i)
{
	return i < msg->n_fds ? fd_take(&msg->fds[i]) : -1;
}

/* --- on a loop ---------------------------------------------------------- */

enum {
	QUEUE_MAX = 256
};

struct queued {
	struct queued *next;
	int fds[CHAN_FDS_MAX];
	size_t n_fds;
	uint16_t type;
	struct wire_writer w;
};

struct chan {
	int fd;
	struct loop *loop;
	struct loop_watch *watch;
	const struct chan_ops *ops;
	void *ctx;
	struct queued *head, **tail;
	size_t n_queued;
	bool closed;
	unsigned burst; /* messages at a time */
};

static void queued_free(struct queued *q)
{
	for (size_t i = 0; i < q->n_fds; i++)
		fd_close(&q->fds[i]);
	mem_wipe(q->w.data, q->w.len); /* it may carry a secret */
	mem_free(q);
}

/* After this nothing is called any more, and the owner frees at leisure. */
static void shut(struct chan *c, const struct err *why)
{
	if (c->closed)
		return;
	c->closed = true;
	loop_watch_free(c->watch);
	c->watch = NULL;
	fd_close(&c->fd);
	if (c->ops->on_close)
		c->ops->on_close(c->ctx, why); /* may free c */
}

static void watch_for(struct chan *c)
{
	loop_watch_events(c->watch, c->head ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int flush(struct chan *c, struct err *e)
{
	while (c->head) {
		struct queued *q = c->head;
		int r = chan_send(c->fd, q->type, &q->w, q->fds, q->n_fds, e);

		if (r <= 0)
			return r;
		c->head = q->next;
		if (!c->head)
			c->tail = &c->head;
		c->n_queued--;
		queued_free(q);
	}
	watch_for(c);
	return 1;
}

/* One message; false when there is none, or no channel any more. */
static bool take_one(struct chan *c)
{
	unsigned char in[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;
	int r = chan_recv(c->fd, in, &msg, &e);

	if (r < 0 && e.code == ERR_UNAVAILABLE)
		return false;
	if (r <= 0) {
		shut(c, r ? &e : NULL);
		return false;
	}
	r = c->ops->on_msg(c->ctx, &msg);
	mem_wipe(in, 2 + msg.body_len); /* it may carry a secret */
	chan_msg_done(&msg);
	if (r >= 0)
		return true;
	err_set(&e, ERR_DENIED, "message %u refused", msg.type);
	shut(c, &e);
	return false;
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
	struct chan *c = ctx;
	unsigned most = c->burst;
	struct err e;

	(void)fd;
	if (events & EPOLLOUT && flush(c, &e) < 0) {
		shut(c, &e);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	/* c may be gone after the first, if it is the only one */
	while (take_one(c) && most-- > 1)
		;
}

void chan_burst(struct chan *c, unsigned n)
{
	c->burst = n;
}

struct chan *chan_new(struct loop *l, int fd, const struct chan_ops *ops,
		      void *ctx)
{
	struct chan *c = mem_alloc(sizeof(*c));
	struct err e;

	*c = (struct chan){.fd = fd, .loop = l, .ops = ops, .ctx = ctx};
	c->tail = &c->head;
	if (fd_set_nonblock(fd, true) ||
	    loop_add_fd(l, fd, EPOLLIN, on_ready, c, &c->watch, &e)) {
		fd_close(&c->fd);
		mem_free(c);
		return NULL;
	}
	return c;
}

void chan_free(struct chan *c)
{
	if (!c)
		return;
	while (c->head) {
		struct queued *q = c->head;

		c->head = q->next;
		queued_free(q);
	}
	loop_watch_free(c->watch);
	fd_close(&c->fd);
	mem_free(c);
}

static int enqueue(struct chan *c, uint16_t type, const struct wire_writer *w,
		   const int *fds, size_t n_fds, struct err *e)
{
	struct queued *q;

	if (c->n_queued >= QUEUE_MAX)
		return err_set(e, ERR_LIMIT, "the peer does not keep up");
	q = mem_alloc(sizeof(*q));
	q->type = type;
	if (w)
		q->w = *w;
	for (; q->n_fds < n_fds; q->n_fds++) {
		int fd = fcntl(fds[q->n_fds], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			err_sys(e, errno, "dup");
			queued_free(q);
			return -1;
		}
		q->fds[q->n_fds] = fd;
	}
	*c->tail = q;
	c->tail = &q->next;
	c->n_queued++;
	watch_for(c);
	return 0;
}

int chan_post(struct chan *c, uint16_t type, const struct wire_writer *w,
	      const int *fds, size_t n_fds, struct err *e)
{
	int r = 0;

	if (c->closed)
		return err_set(e, ERR_UNAVAILABLE, "the channel is closed");
	if (!c->head)
		r = chan_send(c->fd, type, w, fds, n_fds, e);
	if (r)
		return r < 0 ? -1 : 0;
	return enqueue(c, type, w, fds, n_fds, e);
}
