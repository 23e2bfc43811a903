/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Metrics; see metrics.h.  Labels are of routes, states and kinds, all from
 * tables of ours: however long it runs there are not more of them.
 */
#include "api/metrics.h"
#include "api/internal.h"
#include "api/request.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* --- counting ----------------------------------------------------------- */

struct metrics *metrics_new(void)
{
	return mem_alloc(sizeof(struct metrics));
}

static size_t index_of(const struct request *r)
{
	return r->route && r->route_index < METRICS_ROUTES_MAX ?
		       r->route_index + 1 :
		       0;
}

void metrics_answered(struct metrics *m, const struct request *r)
{
	size_t i = index_of(r), class = r->status / 100;

	if (class < METRICS_CLASSES)
		m->routes[i].n[class]++;
	histogram_add(&m->routes[i].took, clock_mono_us() - r->begun_us);
}

/* --- writing ------------------------------------------------------------ */

static void head(struct buf *b, const char *name, const char *type,
		 const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void value(struct buf *b, const char *name, const char *type,
		  const char *help, uint64_t v)
{
	head(b, name, type, help);
	buf_printf(b, "%s %" PRIu64 "\n", name, v);
}

static void seconds(struct buf *b, int64_t us)
{
	buf_printf(b, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

/* labels: "" or "route=\"x\"". */
static void histogram(struct buf *b, const char *name, const char *labels,
		      const struct histogram *h)
{
	const char *comma = *labels ? "," : "";
	uint64_t sum = 0;

	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		sum += h->n[i];
		buf_printf(b, "%s_bucket{%s%sle=\"", name, labels, comma);
		seconds(b, histogram_bounds_us[i]);
		buf_printf(b, "\"} %" PRIu64 "\n", sum);
	}
	buf_printf(b, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels,
		   comma, h->count);
	buf_printf(b, *labels ? "%s_sum{%s} " : "%s_sum%s ", name, labels);
	seconds(b, (int64_t)h->sum_us);
	buf_printf(b,
		   *labels ? "\n%s_count{%s} %" PRIu64 "\n" :
			     "\n%s_count%s %" PRIu64 "\n",
		   name, labels, h->count);
}

static const char *route_name(size_t i)
{
	return i ? route_at(i - 1)->id : "none";
}

static size_t n_routes(void)
{
	size_t n = 0;

	while (n < METRICS_ROUTES_MAX && route_at(n))
		n++;
	return n + 1;
}

static void write_http(const struct api *a, struct buf *b)
{
	const struct metrics *m = a->metrics;
	size_t n = n_routes();

	head(b, "nfo_http_requests_total", "counter",
	     "Requests answered, by route (none: no such route) and class of "
	     "status.");
	for (size_t i = 0; i < n; i++)
		for (size_t c = 1; c < METRICS_CLASSES; c++)
			if (m->routes[i].n[c])
				buf_printf(b,
					   "nfo_http_requests_total{route=\""
					   "%s\",class=\"%zuxx\"} %" PRIu64
					   "\n",
					   route_name(i), c, m->routes[i].n[c]);
	head(b, "nfo_http_request_duration_seconds", "histogram",
	     "From a request's headers to the beginning of its answer, what "
	     "it waited for included.");
	for (size_t i = 0; i < n; i++) {
		CLEANUP_BUF struct buf label = BUF_INIT(128);

		if (!m->routes[i].took.count)
			continue;
		buf_printf(&label, "route=\"%s\"", route_name(i));
		histogram(b, "nfo_http_request_duration_seconds",
			  buf_cstr(&label), &m->routes[i].took);
	}
}

static uint64_t n_followers(const struct api *a)
{
	uint64_t n = 0;

	LIST_FOR(l, &a->followers)
	n++;
	return n;
}

static void write_runs(const struct engine_stats *s, struct buf *b)
{
	value(b, "nfo_runs_live", "gauge", "Runs that have not ended.",
	      s->live_runs);
	head(b, "nfo_runs", "gauge", "Runs that have not ended, by state.");
	for (enum run_state i = STATE_QUEUED; i < STATE_SUCCEEDED; i++)
		buf_printf(b, "nfo_runs{state=\"%s\"} %" PRIu64 "\n",
			   state_name(i), s->runs_by_state[i]);
	value(b, "nfo_runs_created_total", "counter", "Runs accepted.",
	      s->runs_made);
	head(b, "nfo_runs_ended_total", "counter",
	     "Runs that ended, by state.");
	for (size_t i = 0; i < ARRAY_LEN(s->runs_ended); i++)
		buf_printf(b,
			   "nfo_runs_ended_total{state=\"%s\"} %" PRIu64 "\n",
			   state_name(STATE_SUCCEEDED + (enum run_state)i),
			   s->runs_ended[i]);
	value(b, "nfo_runs_expired_total", "counter",
	      "Runs removed because their time was over.", s->runs_expired);
	value(b, "nfo_run_logs_expired_total", "counter",
	      "Runs whose logs alone were removed.", s->logs_expired);
	head(b, "nfo_run_wait_seconds", "histogram",
	     "From a run's making to its first step.");
	histogram(b, "nfo_run_wait_seconds", "", &s->run_wait);
	head(b, "nfo_run_duration_seconds", "histogram",
	     "From a run's first step to its end.");
	histogram(b, "nfo_run_duration_seconds", "", &s->run_took);
	value(b, "nfo_schedules", "gauge", "Schedules that are not paused.",
	      s->schedules);
}

static void write_attempts(const struct engine_stats *s, struct buf *b)
{
	value(b, "nfo_attempts_running", "gauge", "Attempts that run now.",
	      s->running_attempts);
	value(b, "nfo_attempts_started_total", "counter", "Attempts launched.",
	      s->attempts_started);
	head(b, "nfo_attempts_ended_total", "counter",
	     "Attempts that ended, by state, and what failed by its kind.");
	for (size_t k = KIND_NONE + 1; k < N_KINDS; k++)
		if (s->attempts_failed[k])
			buf_printf(b,
				   "nfo_attempts_ended_total{state=\"failed\","
				   "kind=\"%s\"} %" PRIu64 "\n",
				   kind_name((enum fail_kind)k),
				   s->attempts_failed[k]);
	buf_printf(b,
		   "nfo_attempts_ended_total{state=\"succeeded\",kind=\"\"} "
		   "%" PRIu64 "\n"
		   "nfo_attempts_ended_total{state=\"cancelled\",kind=\"\"} "
		   "%" PRIu64 "\n",
		   s->attempts_succeeded, s->attempts_cancelled);
	head(b, "nfo_attempt_duration_seconds", "histogram",
	     "From an attempt's start to its end.");
	histogram(b, "nfo_attempt_duration_seconds", "", &s->attempt_took);
	value(b, "nfo_log_bytes_total", "counter",
	      "Bytes that tasks' logs got.", s->log_bytes);
	value(b, "nfo_redactions_total", "counter",
	      "Secrets that were blotted out in logs.", s->redactions);
}

static void write_store(const struct api *a, const struct engine_stats *s,
			struct buf *b)
{
	static const char *const files[] = {"nfo.db", "nfo.db-wal"};
	struct statvfs vfs;
	struct stat st;

	value(b, "nfo_store_commits_total", "counter",
	      "Durable transactions of the store.", s->commits);
	head(b, "nfo_store_commit_duration_seconds", "histogram",
	     "From the beginning of such a transaction to its being durable.");
	histogram(b, "nfo_store_commit_duration_seconds", "", &s->commit_took);
	head(b, "nfo_store_bytes", "gauge", "Size of the database's files.");
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!fstatat(a->state_fd, files[i], &st, AT_SYMLINK_NOFOLLOW))
			buf_printf(b,
				   "nfo_store_bytes{file=\"%s\"} %" PRIu64 "\n",
				   files[i], (uint64_t)st.st_size);
	value(b, "nfo_leases_open", "gauge",
	      "Leases of providers of secrets that were not given back.",
	      keeper_lease_count(a->keeper));
	value(b, "nfo_disk_full", "gauge", "1 while new runs are refused.",
	      s->disk_full);
	if (!fstatvfs(a->state_fd, &vfs))
		value(b, "nfo_disk_free_bytes", "gauge",
		      "Free where the state directory is.",
		      (uint64_t)vfs.f_bavail * vfs.f_frsize);
}

static void write_process(struct buf *b)
{
	struct rusage u;
	int64_t us;

	if (getrusage(RUSAGE_SELF, &u))
		return;
	us = ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	     u.ru_utime.tv_usec + u.ru_stime.tv_usec;
	head(b, "process_cpu_seconds_total", "counter",
	     "Processor time of the server's process.");
	buf_puts(b, "process_cpu_seconds_total ");
	seconds(b, us);
	buf_putc(b, '\n');
	value(b, "nfo_process_memory_peak_bytes", "gauge",
	      "The most memory that the server's process has had.",
	      (uint64_t)u.ru_maxrss * 1024);
}

void metrics_write(struct api *a, struct buf *b)
{
	struct engine_stats s = engine_stats(a->engine);

	head(b, "nfo_build_info", "gauge", "The program that runs.");
	buf_printf(b, "nfo_build_info{version=\"%s\"} 1\n", a->version);
	value(b, "process_start_time_seconds", "gauge",
	      "When the server started, since 1970.",
	      (uint64_t)(a->started_us / 1000000));
	write_process(b);
	value(b, "nfo_ready", "gauge", "1 when runs can be started.",
	      s.ready && s.monitor_up && !s.disk_full && keeper_up(a->keeper));
	value(b, "nfo_secret_store_sealed", "gauge",
	      "1 when the secret store has to be unsealed.",
	      keeper_sealed(a->keeper));
	write_runs(&s, b);
	write_attempts(&s, b);
	write_store(a, &s, b);
	value(b, "nfo_followers", "gauge",
	      "Streams of events and logs that are open.", n_followers(a));
	value(b, "nfo_wrong_tokens_total", "counter",
	      "Tokens shown that were none, or none any more.",
	      a->slow.n_wrong);
	write_http(a, b);
}
