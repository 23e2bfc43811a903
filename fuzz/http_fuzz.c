/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as what a client sends: request line, headers, query, Range,
 * cursors, event ids, multipart with its tar, and every handler behind them.
 * Nothing that a client sends is answered with 500.
 */
#include "http_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	QUIET_TURNS = 4, /* without a byte: nothing more is coming */
	QUIET_MS = 5,
	ANSWER_MAX = 64 << 10,
};

static struct world world;

static void leave(void)
{
	world_drop(&world);
}

static void turn(int ms)
{
	struct err e;

	must(loop_turn(world.loop, ms, &e), &e);
}

/* Only the first answer: later ones may quote what was sent. */
static void judge(const char *answer, size_t len)
{
	if (len < 12 || memcmp(answer, "HTTP/1.1 500", 12) != 0)
		return;
	fprintf(stderr, "%.*s\n", (int)len, answer);
	abort();
}

static void talk(int fd, const uint8_t *data, size_t len)
{
	static char answer[ANSWER_MAX];
	size_t sent = 0, got = 0;
	bool done = false;

	for (int quiet = 0; quiet < QUIET_TURNS; quiet++) {
		ssize_t n = sent < len ? send(fd, data + sent, len - sent,
					      MSG_NOSIGNAL) :
					 -1;

		if (n > 0) {
			sent += (size_t)n;
			quiet = -1;
		}
		if (sent == len && !done) {
			(void)shutdown(fd, SHUT_WR);
			done = true;
		}
		turn(quiet < 0 ? 0 : QUIET_MS);
		n = recv(fd, answer + got, sizeof(answer) - got, 0);
		if (!n)
			break;
		if (n > 0) {
			got += (size_t)n;
			quiet = -1;
		}
		if (got == sizeof(answer))
			break;
	}
	judge(answer, got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd;

	if (!world.api) {
		world_make(&world);
		if (atexit(leave))
			abort();
	}
	if (len >= 7 && !memcmp(data, "DELETE ", 7))
		return 0; /* the next inputs want to see the run */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&world.at, sizeof(world.at)))
		abort();
	talk(fd, data, len);
	fd_close(&fd);
	follow_beat(world.api); /* streams see that nobody listens */
	turn(0);
	turn(0);
	return 0;
}
