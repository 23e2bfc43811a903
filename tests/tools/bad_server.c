/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A server that somebody else has taken over: it stands in the place of
 * nfo-server, does on its channel what STATE/server/scene names, and writes
 * what became of it to STATE/server/seen, a line each.  A second one, after the
 * monitor has ended the first, only writes down who is alive.
 */
#include "base/chan.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "job/attempt.h"
#include "proto/edges.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 20000,
	N_ATTEMPTS = 3
};

struct bad {
	struct role_init init;
	struct hash policies;
	int dir;
	FILE *seen;
	struct grant g[N_ATTEMPTS];
	int job_of; /* the attempt whose job is sent; -1: its own */
	bool unsealed, root_as_staging;
	size_t n_fds, trailing;
	int keeper, fetcher; /* the channels to them */
};

static void die(const char *what)
{
	log_error("%s", what);
	_exit(1);
}

static struct grant a_grant(const struct bad *b, uint32_t slot)
{
	struct grant g = {.attempt = ulid_new(),
			  .fence = slot + 1,
			  .project = "default",
			  .profile = "default",
			  .uid_slot = slot,
			  .policy_digest = b->policies,
			  .timeout_us = 60000000,
			  .grace_us = 1000000,
			  .group_size = 1,
			  .stdin_from = GRANT_NO_STDIN};

	g.who = (struct grant_who){"bad", "t", .trigger = "api"};
	g.workspace = g.group = g.who.run = g.attempt;
	return g;
}

static int job_fd(const struct bad *b, const struct grant *g, const char *what)
{
	CLEANUP_BUF struct buf out = BUF_INIT(ATTEMPT_JSON_MAX);
	struct str args[] = {str_from(what), STR("60")};
	struct job_attempt a = {.project = STR("default"),
				.job = STR("bad"),
				.run_id = STR("run_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
				.task = STR("t"),
				.submitter = STR("uid:0"),
				.trigger = STR("api"),
				.attempt = g->attempt,
				.number = 1,
				.fence = g->fence,
				.args = args,
				.n_args = ARRAY_LEN(args),
				.log_max_bytes = 1 << 20,
				.profile = STR("default"),
				.network = STR("none"),
				.timeout_us = g->timeout_us,
				.grace_us = g->grace_us};
	struct err e;
	int fd;

	if (!job_attempt_encode(&a, &out))
		die("the job");
	if (!b->unsealed)
		return fd_memfd_sealed("job", buf_view(&out), &e);
	fd = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd_write_all(fd, out.data, out.len) ? -1 : fd;
}

static int file(const struct bad *b, size_t i, const char *what)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%zu.%s", i, what);
	return openat(b->dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		      0600);
}

static int directory(const struct bad *b, size_t i, const char *what)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%zu.%s", i, what);
	(void)mkdirat(b->dir, name, 0700);
	return openat(b->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void launch(struct bad *b, size_t i, const char *what)
{
	const struct grant *of = b->job_of < 0 ? &b->g[i] : &b->g[b->job_of];
	struct wire_writer w = {.len = 0};
	struct err e;
	int fds[N_LAUNCH_FDS] = {
		[LAUNCH_JOB] = job_fd(b, of, what),
		[LAUNCH_LOG] = file(b, i, "log"),
		[LAUNCH_INDEX] = file(b, i, "idx"),
		[LAUNCH_RESULT] = file(b, i, "result"),
		[LAUNCH_STAGING] = b->root_as_staging ?
					   open("/", O_RDONLY | O_DIRECTORY) :
					   directory(b, i, "staging"),
		[LAUNCH_FILES] = directory(b, i, "files"),
		[LAUNCH_SOURCE] = fd_memfd_sealed("none", STR(""), &e),
	};

	grant_encode(&b->g[i], &w);
	for (size_t k = 0; k < b->trailing; k++)
		wire_u8(&w, 0);
	if (chan_send(ROLE_FD, MSG_LAUNCH, &w, fds, b->n_fds, &e) <= 0)
		die(e.text);
	for (size_t k = 0; k < N_LAUNCH_FDS; k++)
		close(fds[k]);
}

static void note(struct bad *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note(struct bad *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(b->seen, fmt, ap);
	va_end(ap);
	(void)fputc('\n', b->seen);
	(void)fflush(b->seen);
}

static size_t which(const struct bad *b, const struct attempt_id *id)
{
	for (size_t i = 0; i < N_ATTEMPTS; i++)
		if (!strcmp(b->g[i].attempt.s, id->attempt.s))
			return i;
	return 9;
}

/* Write down what the monitor says until n attempts have ended. */
static void listen_for(struct bad *b, unsigned n)
{
	static unsigned char room[WIRE_MAX + 2];
	struct pollfd p = {.fd = ROLE_FD, .events = POLLIN};
	struct attempt_id id;
	struct chan_msg msg;
	struct ended end;
	struct err e;

	while (n) {
		struct wire_reader r;

		if (poll(&p, 1, PATIENCE_MS) <= 0)
			die("the monitor says nothing");
		if (chan_recv(ROLE_FD, room, &msg, &e) <= 0)
			die("the monitor has closed");
		r = wire_reader(msg.body, msg.body_len);
		if (msg.type == MSG_STARTED && !attempt_id_decode(&r, &id)) {
			note(b, "started %zu", which(b, &id));
		} else if (msg.type == MSG_ENDED && !ended_decode(&r, &end)) {
			const char *kind = kind_name((enum fail_kind)end.kind);

			note(b, "ended %zu %s %s", which(b, &end.id),
			     state_name((enum run_state)end.state),
			     kind ? kind : "-");
			n--;
		} else if (msg.type == MSG_ALIVE) {
			note(b, "alive");
		} else if (msg.type == MSG_ALIVE_END) {
			note(b, "that is all");
			n = n == UINT32_MAX ? 0 : n;
		}
		chan_msg_done(&msg);
	}
}

/* --- what it does ------------------------------------------------------- */

static void one(struct bad *b)
{
	launch(b, 0, "/bin/true");
	listen_for(b, 1);
}

static void two(struct bad *b, size_t second)
{
	launch(b, 0, "/bin/sleep");
	launch(b, second, "/bin/sleep");
	listen_for(b, 1);
}

static void twice(struct bad *b)
{
	two(b, 0);
}

static void same_uid(struct bad *b)
{
	b->g[1].uid_slot = b->g[0].uid_slot;
	two(b, 1);
}

static void uid_of_helpers(struct bad *b)
{
	b->g[1].uid_slot = HELPER_UID_FIRST;
	two(b, 1);
}

static void same_workspace(struct bad *b)
{
	b->g[1].workspace = b->g[0].workspace;
	two(b, 1);
}

static void too_many(struct bad *b) /* the test allows two */
{
	for (size_t i = 0; i < N_ATTEMPTS; i++)
		launch(b, i, "/bin/sleep");
	listen_for(b, 1);
}

static void other_policies(struct bad *b)
{
	b->g[0].policy_digest.b[0] ^= 1;
	one(b);
}

static void other_job(struct bad *b)
{
	b->job_of = 1;
	one(b);
}

static void unsealed_job(struct bad *b)
{
	b->unsealed = true;
	one(b);
}

static void no_such_profile(struct bad *b)
{
	(void)strcpy(b->g[0].profile, "mine");
	one(b);
}

static void foreign_directory(struct bad *b)
{
	b->root_as_staging = true;
	one(b);
}

static void release_in_use(struct bad *b)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	b->g[0].workspace_kind = WORKSPACE_SHARED;
	launch(b, 0, "/bin/sleep");
	wire_bytes(&w, b->g[0].workspace.s, ULID_LEN);
	wire_u32(&w, 0);
	if (chan_send(ROLE_FD, MSG_RELEASE, &w, NULL, 0, &e) <= 0)
		die(e.text);
	launch(b, 0, "/bin/sleep"); /* whose refusal comes after */
	listen_for(b, 1);
}

/* These end it. */
static void too_long(struct bad *b)
{
	b->trailing = 1;
	one(b);
}

static void too_few_descriptors(struct bad *b)
{
	b->n_fds--;
	one(b);
}

/* In somebody else's name. */
static void say(struct bad *b, uint16_t type)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u64(&w, 0);
	if (chan_send(ROLE_FD, type, &w, NULL, 0, &e) <= 0)
		die(e.text);
	listen_for(b, 1);
}

static void dies_with_one_alive(struct bad *b)
{
	launch(b, 0, "/bin/sleep");
	_exit(1);
}

static void dies_in_half_a_group(struct bad *b)
{
	b->g[0].group_size = 2;
	launch(b, 0, "/bin/sleep");
	_exit(1);
}

/* --- to the keeper ------------------------------------------------------ */

/* What comes back of it; not what a keeper tells of itself. */
static const char *answer_of(struct bad *b)
{
	static unsigned char room[WIRE_MAX + 2];
	struct pollfd p = {.fd = b->keeper, .events = POLLIN};
	const char *text = "odd";
	struct chan_msg msg;
	struct err e;

	do {
		if (poll(&p, 1, PATIENCE_MS) <= 0)
			return "silent";
		if (chan_recv(b->keeper, room, &msg, &e) <= 0)
			return "hangs up";
	} while (msg.type >= MSG_PROVIDER_STATE);
	if (msg.type == MSG_VERIFIED && msg.body_len == 9)
		text = msg.body[8] ? "yes" : "no";
	else if (msg.type == MSG_NO && msg.body_len > 8)
		text = msg.body[8] == ERR_LIMIT     ? "too often" :
		       msg.body[8] == ERR_NOT_FOUND ? "not found" :
		       msg.body[8] == ERR_STALE     ? "stale" :
						      "error";
	chan_msg_done(&msg);
	return text;
}

static const char *verify(struct bad *b, const struct verify *v, int fd)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u64(&w, 1);
	verify_encode(v, &w);
	for (size_t k = 0; k < b->trailing; k++)
		wire_u8(&w, 0);
	if (chan_send(b->keeper, MSG_VERIFY, &w, &fd, fd >= 0, &e) <= 0)
		die(e.text);
	return answer_of(b);
}

static int signed_fd(size_t len)
{
	CLEANUP_MEM char *p = mem_alloc(len + 1);
	struct err e;

	return fd_memfd_sealed("signed", str_n(p, len), &e);
}

/* The keeper goes on for others: an attempt still gets its channel. */
static void ask_and_run(struct bad *b, const struct verify *v, int fd)
{
	note(b, "keeper: %s", verify(b, v, fd));
	b->trailing = 0;
	one(b);
}

static const struct verify plain_verify = {
	.project = {"default",            7 },
	.ref = {"store:default/none", 18},
	.how = VERIFY_HMAC,
	.n_macs = 1,
};

static void verify_well(struct bad *b)
{
	struct verify nobody = {.how = VERIFY_HMAC_WHSEC};
	struct verify token = {.project = plain_verify.project,
			       .ref = plain_verify.ref,
			       .how = VERIFY_TOKEN,
			       .token = STR("guess")};

	note(b, "keeper: %s", verify(b, &nobody, signed_fd(0)));
	note(b, "keeper: %s", verify(b, &token, -1));
	note(b, "keeper: %s",
	     verify(b, &plain_verify, signed_fd(VERIFY_CONTENT_MAX)));
	ask_and_run(b, &plain_verify, signed_fd(10));
}

static void verify_often(struct bad *b)
{
	const char *a = "no";

	for (unsigned i = 0; i < 1000 && !strcmp(a, "no"); i++)
		a = verify(b, &plain_verify, signed_fd(10));
	note(b, "keeper: %s", a);
	one(b);
}

static void verify_garbage(struct bad *b)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	for (unsigned i = 0; i < 300; i++)
		wire_u8(&w, 0xa5);
	if (chan_send(b->keeper, MSG_VERIFY, &w, NULL, 0, &e) <= 0)
		die(e.text);
	note(b, "keeper: %s", answer_of(b));
	one(b);
}

static void verify_trailing(struct bad *b)
{
	b->trailing = 1;
	ask_and_run(b, &plain_verify, signed_fd(10));
}

static void verify_no_content(struct bad *b)
{
	ask_and_run(b, &plain_verify, -1);
}

static void verify_too_much(struct bad *b)
{
	ask_and_run(b, &plain_verify, signed_fd(VERIFY_CONTENT_MAX + 1));
}

static void verify_unsealed(struct bad *b)
{
	ask_and_run(b, &plain_verify,
		    memfd_create("signed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

static void verify_a_file(struct bad *b)
{
	ask_and_run(b, &plain_verify, file(b, 0, "content"));
}

static void verify_a_foreign_secret(struct bad *b)
{
	struct verify v = plain_verify;

	v.project = STR("other");
	ask_and_run(b, &v, signed_fd(10));
}

static void verify_another_kind(struct bad *b)
{
	struct verify v = plain_verify;

	v.ref = STR("exec:pass");
	ask_and_run(b, &v, signed_fd(10));
}

/* A message about a secret that is not there. */
static const char *of_a_secret(struct bad *b, enum msg_type type, size_t expect)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u64(&w, 1);
	wire_str(&w, STR("default"));
	wire_str(&w, STR("none"));
	for (size_t i = 0; i < expect; i++)
		wire_u8(&w, 1);
	if (chan_send(b->keeper, (uint16_t)type, &w, NULL, 0, &e) <= 0)
		die(e.text);
	return answer_of(b);
}

static void show_well(struct bad *b)
{
	note(b, "keeper: %s", of_a_secret(b, MSG_SHOW, 0));
	note(b, "keeper: %s", of_a_secret(b, MSG_VERSIONS, 0));
	note(b, "keeper: %s", of_a_secret(b, MSG_REMOVE, 8));
	one(b);
}

static void show_trailing(struct bad *b)
{
	note(b, "keeper: %s", of_a_secret(b, MSG_SHOW, 1));
	one(b);
}

static void versions_trailing(struct bad *b)
{
	note(b, "keeper: %s", of_a_secret(b, MSG_VERSIONS, 1));
	one(b);
}

static void remove_without_a_version(struct bad *b)
{
	note(b, "keeper: %s", of_a_secret(b, MSG_REMOVE, 7));
	one(b);
}

/* What becomes of a wish for this URL. */
static const char *fetch(struct bad *b, const char *url, size_t trailing)
{
	static unsigned char room[WIRE_MAX + 2];
	struct hash h = hash_sha256(url, strlen(url));
	struct pollfd p = {.fd = b->fetcher, .events = POLLIN};
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	struct chan_msg msg;
	struct err e;

	wire_u64(&w, 1);
	wire_bytes(&w, h.b, HASH_LEN);
	for (size_t i = 0; i < trailing; i++)
		wire_u8(&w, 0);
	if (chan_send(b->fetcher, MSG_FETCH_URL, &w, NULL, 0, &e) <= 0)
		die(e.text);
	if (poll(&p, 1, trailing ? 500 : PATIENCE_MS) <= 0 ||
	    chan_recv(b->fetcher, room, &msg, &e) <= 0)
		return "nothing";
	if (msg.type != MSG_FETCH_URL_NO)
		return "it is fetched";
	r = wire_reader(msg.body, msg.body_len);
	(void)wire_get_u64(&r);
	return str_starts(wire_get_str(&r, ERR_TEXT_MAX),
			  STR("that is no URL of the settings")) ?
		       "refused" :
		       "tried";
}

/* The list has .../listed, where nobody listens. */
static void fetches(struct bad *b)
{
	const char *listed = "http://127.0.0.1:9/listed";

	note(b, "fetcher: %s", fetch(b, listed, 0));
	note(b, "fetcher: %s", fetch(b, "http://127.0.0.1:9/other", 0));
	note(b, "fetcher: %s", fetch(b, listed, 1));
	note(b, "fetcher: %s", fetch(b, listed, 0));
}

static const struct {
	const char *name;
	void (*play)(struct bad *b);
	uint16_t type; /* NULL: just say this */
} scenes[] = {
#include "bad_scenes.inc"
};

static void begin(struct bad *b)
{
	static unsigned char room[WIRE_MAX + 2];
	CLEANUP_BUF struct buf text = BUF_INIT(16 << 20);
	char path[INIT_PATH_MAX + 16];
	struct wire_reader r;
	struct chan_msg msg;
	struct err e;
	int fd;

	if (chan_recv(ROLE_FD, room, &msg, &e) <= 0 || msg.type != MSG_INIT)
		die("no INIT");
	r = wire_reader(msg.body, msg.body_len);
	if (role_init_decode(&r, &b->init) ||
	    fd_memfd_read(msg.fds[0], &text, &e))
		die("INIT");
	b->policies = hash_sha256(text.data, text.len);
	(void)snprintf(path, sizeof(path), "%s/server", b->init.state);
	b->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(b->dir, "seen", O_WRONLY | O_CREAT | O_APPEND, 0644);
	b->seen = fd < 0 ? NULL : fdopen(fd, "a");
	if (!b->seen)
		die(path);
	/* The other descriptors stay open, as a server's would. */
	for (size_t i = 0; i < msg.n_fds; i++) {
		fd = chan_msg_take(&msg, i);
		if (i == 1)
			b->keeper = fd;
		if (i == INIT_FETCHER)
			b->fetcher = fd;
	}
	b->job_of = -1;
	b->n_fds = N_LAUNCH_FDS;
	for (uint32_t i = 0; i < N_ATTEMPTS; i++)
		b->g[i] = a_grant(b, i);
	if (chan_send(ROLE_FD, MSG_READY, NULL, NULL, 0, &e) <= 0)
		die("READY");
}

int main(void)
{
	CLEANUP_BUF struct buf name = BUF_INIT(64);
	struct bad *b = mem_alloc(sizeof(*b));
	struct err e;

	log_init("bad-server", LOG_LEVEL_INFO);
	begin(b);
	listen_for(b, UINT32_MAX);
	if (!b->init.first_start)
		note(b, "again");
	if (fd_read_file(b->dir, "scene", &name, &e))
		die(e.text);
	for (size_t i = 0; b->init.first_start && i < ARRAY_LEN(scenes); i++)
		if (str_is(buf_view(&name), scenes[i].name))
			scenes[i].play ? scenes[i].play(b) :
					 say(b, scenes[i].type);
	note(b, "done");
	pause(); /* the monitor ends us */
	return 0;
}
