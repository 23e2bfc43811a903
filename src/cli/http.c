/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests by libcurl; see http.h. */
#include "cli/http.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/progress.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the bytes of one answer go. */
struct taker {
	const struct http_call *call;
	struct http_answer *answer;
	CURL *easy;
};

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct taker *t = ctx;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->call->sink && status < 400)
		return t->call->sink(t->call->sink_ctx, p, size * n) ? 0 :
								       size * n;
	return buf_put(&t->answer->body, p, size * n) ? size * n : 0;
}

static size_t read_part(char *p, size_t size, size_t n, void *ctx)
{
	const struct http_part *part = ctx;
	ssize_t got = fd_read(part->fd, p, size * n);

	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static void common(CURL *c, const struct server *s, const char *path,
		   struct buf *url)
{
	buf_printf(url, "%s%s", s->base, path);
	curl_easy_setopt(c, CURLOPT_URL, buf_cstr(url));
	if (s->socket[0])
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, s->socket);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_USERAGENT, "nfo");
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s->ca[0])
		curl_easy_setopt(c, CURLOPT_CAINFO, s->ca);
	if (s->cert[0])
		curl_easy_setopt(c, CURLOPT_SSLCERT, s->cert);
	if (s->key[0])
		curl_easy_setopt(c, CURLOPT_SSLKEY, s->key);
}

static struct curl_slist *headers(const struct server *s, const char *accept,
				  const char *type, const char *more)
{
	CLEANUP_BUF struct buf bearer = BUF_INIT(SERVER_TOKEN_MAX + 64);
	struct curl_slist *list = NULL;
	char line[256];

	(void)snprintf(line, sizeof(line), "Accept: %s",
		       accept ? accept : "application/json");
	list = curl_slist_append(list, line);
	list = curl_slist_append(list, "Expect:");
	if (type) {
		(void)snprintf(line, sizeof(line), "Content-Type: %s", type);
		list = curl_slist_append(list, line);
	}
	if (s->token[0]) {
		buf_printf(&bearer, "Authorization: Bearer %s", s->token);
		list = curl_slist_append(list, buf_cstr(&bearer));
		buf_wipe(&bearer);
	}
	return more ? curl_slist_append(list, more) : list;
}

/* What is left of it; -1 where that is not known. */
static curl_off_t left_of(int fd)
{
	struct stat st;
	off_t at = lseek(fd, 0, SEEK_CUR);

	return at < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ?
		       -1 :
		       (curl_off_t)(st.st_size - at);
}

static curl_mime *form(CURL *c, const struct http_call *call)
{
	curl_mime *mime = curl_mime_init(c);

	for (size_t i = 0; i < call->n_parts; i++) {
		const struct http_part *p = &call->parts[i];
		curl_mimepart *part = curl_mime_addpart(mime);

		curl_mime_name(part, p->name);
		curl_mime_type(part, p->type);
		curl_mime_filename(part, p->file_name);
		if (p->data.p)
			curl_mime_data(part, p->data.p, p->data.len);
		else
			curl_mime_data_cb(part, left_of(p->fd), read_part, NULL,
					  NULL, (void *)(uintptr_t)p);
	}
	return mime;
}

struct transfer {
	struct progress progress;
	bool stoppable;
};

static bool interrupt_waits(void)
{
	sigset_t waiting;

	return !sigpending(&waiting) && sigismember(&waiting, SIGINT) == 1;
}

/* What is larger on its way is what takes long. */
static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down,
		       curl_off_t up_total, curl_off_t up)
{
	struct transfer *t = ctx;
	bool is_up = up > down;

	progress_at(&t->progress, (uint64_t)(is_up ? up : down),
		    (uint64_t)(is_up ? up_total : down_total));
	return t->stoppable && interrupt_waits();
}

static void watch_progress(CURL *c, struct transfer *t,
			   const struct http_call *call)
{
	t->stoppable = call->stoppable;
	progress_begin(&t->progress, call->progress);
	if (!t->progress.what && !t->stoppable)
		return;
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

static int perform(CURL *c, const struct server *s, struct http_answer *ret,
		   struct err *e)
{
	CURLcode rc = curl_easy_perform(c);
	struct curl_header *etag;

	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return err_set(e, ERR_UNAVAILABLE, "interrupted");
	if (rc == CURLE_WRITE_ERROR)
		return err_set(e, ERR_LIMIT, "the answer is over %d bytes",
			       HTTP_ANSWER_MAX);
	/* A server that refuses early may close while we still send. */
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &ret->status);
	if (curl_easy_header(c, "ETag", 0, CURLH_HEADER, -1, &etag) ==
		    CURLHE_OK &&
	    strlen(etag->value) < sizeof(ret->etag))
		memcpy(ret->etag, etag->value, strlen(etag->value) + 1);
	if (rc != CURLE_OK && ret->status < 400)
		return err_set(e, ERR_UNAVAILABLE, "%s: %s",
			       s->socket[0] ? s->socket : s->base,
			       curl_easy_strerror(rc));
	return 0;
}

int http_do(const struct server *s, const struct http_call *call,
	    struct http_answer *ret, struct err *e)
{
	CLEANUP_BUF struct buf url = BUF_INIT(8192);
	struct curl_slist *list =
		headers(s, call->accept, call->n_parts ? NULL : call->type,
			call->header);
	CURL *c = curl_easy_init();
	struct taker taker = {call, ret, c};
	curl_mime *mime = NULL;
	struct transfer transfer;
	int bad;

	*ret = (struct http_answer){.body = BUF_INIT(HTTP_ANSWER_MAX)};
	common(c, s, call->path, &url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &taker);
	if (call->n_parts) {
		mime = form(c, call);
		curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
	} else if (call->body.p || !strcmp(call->method, "POST") ||
		   !strcmp(call->method, "PUT")) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)call->body.len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS,
				 call->body.p ? call->body.p : "");
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
	watch_progress(c, &transfer, call);
	bad = perform(c, s, ret, e);
	progress_end(&transfer.progress);
	curl_mime_free(mime);
	curl_slist_free_all(list);
	curl_easy_cleanup(c);
	if (bad)
		http_answer_done(ret);
	return bad;
}

void http_answer_done(struct http_answer *a)
{
	buf_wipe(&a->body);
}

/* --- streams ------------------------------------------------------------ */

struct one {
	struct one *next;
	CURL *easy;
	struct curl_slist *headers;
	http_stream_fn *fn;
	http_stream_end_fn *end;
	void *ctx;
};

struct http_streams {
	const struct server *server;
	CURLM *multi;
	struct one *list;
	size_t n_open;
};

static size_t on_bytes(char *p, size_t size, size_t n, void *ctx)
{
	struct one *o = ctx;

	return o->fn(o->ctx, p, size * n) ? 0 : size * n;
}

int http_streams_new(const struct server *s, struct http_streams **ret,
		     struct err *e)
{
	struct http_streams *h = mem_alloc(sizeof(*h));

	h->server = s;
	h->multi = curl_multi_init();
	if (!h->multi) {
		mem_free(h);
		return err_set(e, ERR_INTERNAL, "libcurl");
	}
	*ret = h;
	return 0;
}

static void one_free(struct http_streams *h, struct one *o)
{
	curl_multi_remove_handle(h->multi, o->easy);
	curl_easy_cleanup(o->easy);
	curl_slist_free_all(o->headers);
	mem_free(o);
}

void http_streams_free(struct http_streams *h)
{
	if (!h)
		return;
	while (h->list) {
		struct one *o = h->list;

		h->list = o->next;
		one_free(h, o);
	}
	curl_multi_cleanup(h->multi);
	mem_free(h);
}

int http_stream_add(struct http_streams *h, const char *path,
		    const char *last_id, http_stream_fn *fn,
		    http_stream_end_fn *end, void *ctx, struct err *e)
{
	CLEANUP_BUF struct buf url = BUF_INIT(8192);
	struct one *o = mem_alloc(sizeof(*o));
	char line[64];

	*o = (struct one){.next = h->list, .fn = fn, .end = end, .ctx = ctx};
	o->easy = curl_easy_init();
	(void)snprintf(line, sizeof(line), "Last-Event-ID: %s",
		       last_id ? last_id : "");
	o->headers = headers(h->server, "text/event-stream", NULL,
			     last_id ? line : NULL);
	common(o->easy, h->server, path, &url);
	curl_easy_setopt(o->easy, CURLOPT_HTTPHEADER, o->headers);
	curl_easy_setopt(o->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(o->easy, CURLOPT_WRITEDATA, o);
	curl_easy_setopt(o->easy, CURLOPT_PRIVATE, o);
	if (curl_multi_add_handle(h->multi, o->easy) != CURLM_OK) {
		one_free(h, o);
		return err_set(e, ERR_INTERNAL, "libcurl");
	}
	h->list = o;
	h->n_open++;
	return 0;
}

static void finished(struct http_streams *h, CURL *easy)
{
	struct one *o = NULL;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&o);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	for (struct one **at = &h->list; *at; at = &(*at)->next)
		if (*at == o) {
			*at = o->next;
			break;
		}
	h->n_open--;
	o->end(o->ctx, status);
	one_free(h, o);
}

/* Some ended; their callbacks may have had news that opens more. */
static bool reap(struct http_streams *h)
{
	bool any = false;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		if (m->msg == CURLMSG_DONE)
			finished(h, m->easy_handle);
		any = true;
	}
	return any;
}

int http_streams_turn(struct http_streams *h, int timeout_ms, size_t *ret_open,
		      struct err *e)
{
	int running;

	if (curl_multi_perform(h->multi, &running) != CURLM_OK)
		return err_set(e, ERR_INTERNAL, "libcurl");
	/* What has ended would not wake a poll. */
	if (!reap(h) &&
	    curl_multi_poll(h->multi, NULL, 0, timeout_ms, NULL) != CURLM_OK)
		return err_set(e, ERR_INTERNAL, "libcurl");
	*ret_open = h->n_open;
	return 0;
}
