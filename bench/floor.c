/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Ceilings; see floor.h. */
#include "floor.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PRODUCERS_MAX = 256,
	BATCH_MAX = 256,
	SPEC_BYTES = 346,
	QUEUED = 100000
};

static void must(int rc, sqlite3 *db)
{
	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return;
	fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
	exit(1);
}

static sqlite3 *make(const char *dir)
{
	static const char schema[] =
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"CREATE TABLE job(id INTEGER PRIMARY KEY, ulid TEXT NOT NULL "
		"UNIQUE, project INTEGER NOT NULL, state INTEGER NOT NULL,"
		" priority INTEGER NOT NULL, created INTEGER NOT NULL,"
		" fence INTEGER NOT NULL DEFAULT 0, ended INTEGER,"
		" spec TEXT NOT NULL) STRICT;"
		"CREATE INDEX ready ON job(priority,id) WHERE state=0;"
		"CREATE INDEX listed ON job(project,state,id);"
		"CREATE TABLE event(id INTEGER PRIMARY KEY,"
		" job INTEGER NOT NULL, kind INTEGER NOT NULL,"
		" ts INTEGER NOT NULL) STRICT;"
		"CREATE INDEX of_job ON event(job,id);";
	char path[512];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/floor-%d.db", dir,
		       (int)getpid());
	(void)unlink(path);
	must(sqlite3_open_v2(path, &db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				     SQLITE_OPEN_NOMUTEX,
			     NULL),
	     NULL);
	must(sqlite3_exec(db, schema, NULL, NULL, NULL), db);
	return db;
}

struct statements {
	sqlite3_stmt *begin, *commit, *add, *event, *claim, *done;
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;

	must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s,
				NULL),
	     db);
	return s;
}

static struct statements prepare_all(sqlite3 *db)
{
	return (struct statements){
		prepare(db, "BEGIN IMMEDIATE"),
		prepare(db, "COMMIT"),
		prepare(db, "INSERT INTO job(ulid,project,state,priority,"
			    "created,spec) VALUES(?,?,0,50,?,?)"),
		prepare(db, "INSERT INTO event(job,kind,ts) VALUES(?,?,?)"),
		prepare(db, "UPDATE job SET state=1,fence=fence+1 WHERE id IN "
			    "(SELECT id FROM job WHERE state=0 ORDER BY "
			    "priority,id LIMIT ?) RETURNING id,fence"),
		prepare(db, "UPDATE job SET state=2,ended=?3 WHERE id=?1 AND "
			    "fence=?2 AND state=1"),
	};
}

static void drop_all(sqlite3 *db, struct statements *s)
{
	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->add);
	sqlite3_finalize(s->event);
	sqlite3_finalize(s->claim);
	sqlite3_finalize(s->done);
	(void)sqlite3_close(db);
}

static void step(sqlite3 *db, sqlite3_stmt *s)
{
	must(sqlite3_step(s), db);
	must(sqlite3_reset(s), db);
}

static void event(sqlite3 *db, struct statements *s, int64_t job, int kind)
{
	sqlite3_bind_int64(s->event, 1, job);
	sqlite3_bind_int(s->event, 2, kind);
	sqlite3_bind_int64(s->event, 3, clock_real_us());
	step(db, s->event);
}

static void add(sqlite3 *db, struct statements *s)
{
	static char spec[SPEC_BYTES];
	struct ulid id = ulid_new();

	memset(spec, 'x', sizeof(spec));
	sqlite3_bind_text(s->add, 1, id.s, -1, SQLITE_STATIC);
	sqlite3_bind_int(s->add, 2, id.s[25] % 20);
	sqlite3_bind_int64(s->add, 3, clock_real_us());
	sqlite3_bind_text(s->add, 4, spec, sizeof(spec), SQLITE_STATIC);
	step(db, s->add);
	event(db, s, sqlite3_last_insert_rowid(db), 0);
}

/* --- grouped inserts ---------------------------------------------------- */

struct group {
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	unsigned waiting;
	uint64_t turn; /* grows with every commit */
	bool stop;
	uint64_t made;
};

static void *produce(void *ctx)
{
	struct group *g = ctx;
	uint64_t mine;

	pthread_mutex_lock(&g->lock);
	while (!g->stop) {
		g->waiting++;
		mine = g->turn + 1; /* the commit after the one under way */
		pthread_cond_signal(&g->wake);
		while (g->turn < mine && !g->stop)
			pthread_cond_wait(&g->done, &g->lock);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

double floor_grouped(const char *dir, unsigned producers, double seconds)
{
	struct group g = {.lock = PTHREAD_MUTEX_INITIALIZER,
			  .wake = PTHREAD_COND_INITIALIZER,
			  .done = PTHREAD_COND_INITIALIZER};
	pthread_t threads[PRODUCERS_MAX];
	sqlite3 *db = make(dir);
	struct statements s = prepare_all(db);
	int64_t begun = clock_mono_us(), now = begun;

	for (unsigned i = 0; i < producers; i++)
		(void)pthread_create(&threads[i], NULL, produce, &g);
	pthread_mutex_lock(&g.lock);
	while ((double)(now - begun) < seconds * 1e6) {
		unsigned n;

		while (!g.waiting)
			pthread_cond_wait(&g.wake, &g.lock);
		n = g.waiting;
		g.waiting = 0;
		pthread_mutex_unlock(&g.lock);
		step(db, s.begin);
		for (unsigned i = 0; i < n; i++)
			add(db, &s);
		step(db, s.commit);
		g.made += n;
		pthread_mutex_lock(&g.lock);
		g.turn++;
		pthread_cond_broadcast(&g.done);
		now = clock_mono_us();
	}
	g.stop = true;
	pthread_cond_broadcast(&g.done);
	pthread_mutex_unlock(&g.lock);
	for (unsigned i = 0; i < producers; i++)
		(void)pthread_join(threads[i], NULL);
	drop_all(db, &s);
	return (double)g.made * 1e6 / (double)(now - begun);
}

/* --- claim and complete ------------------------------------------------- */

double floor_cycle(const char *dir, unsigned batch, double seconds)
{
	sqlite3 *db = make(dir);
	struct statements s = prepare_all(db);
	int64_t id[BATCH_MAX], fence[BATCH_MAX], begun, now;
	uint64_t cycles = 0;
	unsigned n = 1;

	step(db, s.begin);
	for (unsigned i = 0; i < QUEUED; i++)
		add(db, &s);
	step(db, s.commit);
	begun = now = clock_mono_us();
	while (n && (double)(now - begun) < seconds * 1e6) {
		n = 0;
		step(db, s.begin);
		sqlite3_bind_int(s.claim, 1, (int)batch);
		while (sqlite3_step(s.claim) == SQLITE_ROW) {
			id[n] = sqlite3_column_int64(s.claim, 0);
			fence[n++] = sqlite3_column_int64(s.claim, 1);
		}
		sqlite3_reset(s.claim);
		for (unsigned i = 0; i < n; i++)
			event(db, &s, id[i], 1);
		step(db, s.commit);
		step(db, s.begin);
		for (unsigned i = 0; i < n; i++) {
			sqlite3_bind_int64(s.done, 1, id[i]);
			sqlite3_bind_int64(s.done, 2, fence[i]);
			sqlite3_bind_int64(s.done, 3, now);
			step(db, s.done);
			event(db, &s, id[i], 2);
		}
		step(db, s.commit);
		cycles += n;
		now = clock_mono_us();
	}
	drop_all(db, &s);
	return (double)cycles * 1e6 / (double)(now - begun);
}

/* --- an empty answer ---------------------------------------------------- */

static const char hello[] =
	"{\"id\":\"run_01M8EZXSF8ATJ0XTBZC3YG9E39\",\"state\":\"succeeded\","
	"\"project\":\"default\",\"job\":\"hello\",\"tasks\":[]}\n";

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
			      const char *url, const char *method,
			      const char *version, const char *data,
			      size_t *len, void **ctx)
{
	static int seen;
	struct MHD_Response *r;
	enum MHD_Result done;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*ctx) {
		*ctx = &seen;
		return MHD_YES;
	}
	*len = 0;
	r = MHD_create_response_from_buffer(sizeof(hello) - 1,
					    (void *)(uintptr_t)hello,
					    MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(r, "Content-Type", "application/json");
	done = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return done;
}

static void take(struct MHD_Daemon *mhd, int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int c, one = 1;

	while ((c = accept4(fd, (struct sockaddr *)&sa, &len,
			    SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof(one));
		(void)MHD_add_connection(mhd, c, (struct sockaddr *)&sa, len);
		len = sizeof(sa);
	}
}

int floor_http(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	struct MHD_Daemon *mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer,
		NULL, MHD_OPTION_CONNECTION_LIMIT, 1024u,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)8192,
		MHD_OPTION_END);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(sa);
	struct pollfd p[3];

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!mhd || fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(fd, 512) || getsockname(fd, (struct sockaddr *)&sa, &len))
		return 1;
	printf("%d\n", (int)ntohs(sa.sin_port));
	fflush(stdout);
	p[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	p[1] = (struct pollfd){
		.fd = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)
			      ->epoll_fd,
		.events = POLLIN};
	p[2] = (struct pollfd){.fd = 0, .events = POLLIN};
	while (!p[2].revents) {
		MHD_UNSIGNED_LONG_LONG ms;
		int most = MHD_get_timeout(mhd, &ms) == MHD_YES ? (int)ms : -1;

		(void)poll(p, 3, most);
		if (p[0].revents)
			take(mhd, fd);
		MHD_run(mhd);
	}
	MHD_stop_daemon(mhd);
	return 0;
}
