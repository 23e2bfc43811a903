/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The client's side of bench/http_bench.py, so that what is measured is not
 * Python:
 *
 *   http_bench floor                         the empty server (floor.h)
 *   http_bench ask WHERE N SECONDS [COUNT] < REQUEST
 *                                           N connections ask again and again
 *   http_bench follow WHERE N < REQUESTS     N followers of a stream; the second
 *                                           request, after a line of "---",
 *                                           makes an event: when did all have it
 *
 * WHERE is a port on loopback or the path of a Unix socket.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 2000,
	ANSWER_MAX = 1 << 20,
	TIMES_MAX = 2000000,
	EVENTS = 256
};

struct client {
	int fd;
	struct buf got;
	int64_t since_us;
	bool ready; /* follow: the stream has begun */
	bool told;  /* follow: the event has come */
};

static void fail(const char *what) NORETURN;

static void fail(const char *what)
{
	fprintf(stderr, "http_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(const char *where)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(where, NULL, 10))};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	bool local = where[0] == '/';
	int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
			0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
	if (fd < 0 ||
	    connect(fd, local ? (struct sockaddr *)&un : (struct sockaddr *)&in,
		    local ? sizeof(un) : sizeof(in)))
		fail(where);
	return fd;
}

static void send_all(int fd, struct str s)
{
	while (s.len) {
		ssize_t n = send(fd, s.p, s.len, MSG_NOSIGNAL);

		if (n <= 0)
			fail("send");
		s = str_from_at(s, (size_t)n);
	}
}

static int watch(struct client *c, size_t n)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};

		if (epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &ev))
			fail("epoll");
	}
	return ep;
}

static void take(struct client *c)
{
	char part[65536];
	ssize_t n = recv(c->fd, part, sizeof(part), MSG_DONTWAIT);

	if (n <= 0 && errno != EAGAIN)
		fail("the server closed a connection");
	if (n > 0 && !buf_put(&c->got, part, (size_t)n))
		fail("an answer is too large");
}

/* Is one answer whole?  Then it is taken off; its status. */
static int whole(struct client *c)
{
	struct str all = buf_view(&c->got);
	const char *end = memmem(all.p, all.len, "\r\n\r\n", 4);
	const char *length = end ? memmem(all.p, (size_t)(end - all.p),
					  "ontent-Length: ", 15) :
				   NULL;
	size_t head, body;

	if (!end)
		return 0;
	head = (size_t)(end - all.p) + 4;
	body = length ? strtoul(length + 15, NULL, 10) : 0;
	if (all.len < head + body)
		return 0;
	buf_reset(&c->got); /* one request at a time: nothing follows */
	return all.len > 12 ? (int)strtoul(all.p + 9, NULL, 10) : -1;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *what, int64_t *t, size_t n)
{
	qsort(t, n, sizeof(*t), by_time);
	printf("%s_p50_us=%lld %s_p99_us=%lld", what, (long long)t[n / 2], what,
	       (long long)t[n * 99 / 100]);
}

static int ask(const char *where, size_t n, double seconds, size_t most,
	       struct str request)
{
	struct client *c = mem_array(n, sizeof(*c));
	int64_t *times = mem_array(TIMES_MAX, sizeof(*times));
	int64_t begun = clock_mono_us(), now = begun;
	size_t done = 0, wrong = 0;
	struct epoll_event ev[EVENTS];
	int ep, status;

	for (size_t i = 0; i < n; i++) {
		c[i] = (struct client){.fd = dial(where),
				       .got = BUF_INIT(ANSWER_MAX)};
		c[i].since_us = clock_mono_us();
		send_all(c[i].fd, request);
	}
	ep = watch(c, n);
	while ((double)(now - begun) < seconds * 1e6 && done < most) {
		int k = epoll_wait(ep, ev, EVENTS, 1000);

		now = clock_mono_us();
		for (int i = 0; i < k; i++) {
			struct client *one = &c[ev[i].data.u64];

			take(one);
			status = whole(one);
			if (!status)
				continue;
			wrong += status >= 300;
			if (done < most)
				times[done++] = now - one->since_us;
			one->since_us = now;
			send_all(one->fd, request);
		}
	}
	printf("per_s=%.0f n=%zu wrong=%zu ",
	       (double)done * 1e6 / (double)(now - begun), done, wrong);
	print_times("took", times, done ? done : 1);
	putchar('\n');
	return done ? 0 : 1;
}

/* One look at all of them, at most a second; how many there are now. */
static size_t listen_once(int ep, struct client *c, const char *word,
			  int64_t *times, size_t have)
{
	struct epoll_event ev[EVENTS];
	int k = epoll_wait(ep, ev, EVENTS, 1000);

	for (int i = 0; i < k; i++) {
		struct client *one = &c[ev[i].data.u64];
		bool *flag = times ? &one->told : &one->ready;

		take(one);
		if (*flag ||
		    !memmem(one->got.data, one->got.len, word, strlen(word)))
			continue;
		*flag = true;
		buf_reset(&one->got);
		if (times)
			times[have] = clock_mono_us();
		have++;
	}
	return have;
}

static int follow(const char *where, size_t n, struct str requests)
{
	const char *cut = memmem(requests.p, requests.len, "---\n", 4);
	struct str first = str_n(requests.p, (size_t)(cut - requests.p));
	struct str second = str_from_at(requests, first.len + 4);
	struct client *c = mem_array(n, sizeof(*c));
	int64_t *times = mem_array(n + 1, sizeof(*times)), begun;
	size_t have = 0;
	int ep, poster = dial(where);

	for (size_t i = 0; i < n; i++) {
		c[i] = (struct client){.fd = dial(where),
				       .got = BUF_INIT(ANSWER_MAX)};
		send_all(c[i].fd, first);
	}
	ep = watch(c, n);
	while (have < n)
		have = listen_once(ep, c, "\r\n\r\n", NULL, have);
	begun = clock_mono_us();
	send_all(poster, second);
	for (have = 0; have < n;)
		have = listen_once(ep, c, "event: run", times, have);
	qsort(times, n, sizeof(*times), by_time);
	printf("followers=%zu after_first_p50_us=%lld after_first_p99_us=%lld "
	       "after_request_p50_us=%lld after_request_p99_us=%lld\n",
	       n, (long long)(times[n / 2] - times[0]),
	       (long long)(times[n * 99 / 100] - times[0]),
	       (long long)(times[n / 2] - begun),
	       (long long)(times[n * 99 / 100] - begun));
	return 0;
}

int main(int argc, char **argv)
{
	struct buf request = BUF_INIT(1 << 20);
	struct err e;
	size_t n;

	if (argc == 2 && !strcmp(argv[1], "floor"))
		return floor_http();
	if (argc < 4 || fd_read_buf(0, &request, &e))
		return 2;
	n = strtoul(argv[3], NULL, 10);
	if (!n || n > CLIENTS_MAX)
		return 2;
	if (argc >= 5 && !strcmp(argv[1], "ask"))
		return ask(argv[2], n, strtod(argv[4], NULL),
			   argc > 5 ? strtoul(argv[5], NULL, 10) : TIMES_MAX,
			   buf_view(&request));
	if (argc == 4 && !strcmp(argv[1], "follow"))
		return follow(argv[2], n, buf_view(&request));
	return 2;
}
