/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Exchanges by libcurl, its sockets and timer on our loop; see http.h. */
#include "vault/http.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "secrets/wipe.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct link exchanges;
};

/* Of one socket of libcurl's. */
struct socket_watch {
	struct http *h;
	struct loop_watch *watch;
};

struct http_exchange {
	struct link link;
	struct http *h;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	http_fn *fn;
	void *ctx;
	char *body; /* wipe.h */
	size_t body_len, body_cap;
	size_t header_len;
	bool too_long;
	char location[2048], index[256];
	int64_t retry_after_s;
	char why[CURL_ERROR_SIZE];
};

int http_begin(struct err *e)
{
	return curl_global_init_mem(CURL_GLOBAL_ALL, wipe_alloc, wipe_free,
				    wipe_realloc, wipe_strdup,
				    wipe_calloc) == CURLE_OK ?
		       0 :
		       err_set(e, ERR_INTERNAL, "libcurl did not start");
}

/* --- what comes in ------------------------------------------------------ */

static bool grow(struct http_exchange *x, size_t len)
{
	size_t want = x->body_len + len;

	if (want > HTTP_BODY_MAX) {
		x->too_long = true;
		return false;
	}
	if (want > x->body_cap) {
		x->body_cap = want < 4096 ? 8192 : want * 2;
		x->body = wipe_realloc(x->body, x->body_cap);
	}
	return x->body != NULL;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http_exchange *x = ctx;

	if (!grow(x, size * n))
		return 0;
	memcpy(x->body + x->body_len, p, size * n);
	x->body_len += size * n;
	return size * n;
}

static bool value_of(struct str line, const char *name, struct str *ret)
{
	struct str head = str_cut(&line, ':');

	if (!line.p || head.len != strlen(name) ||
	    strncasecmp(head.p, name, head.len) != 0)
		return false;
	*ret = str_trim(line);
	return true;
}

static void copy(char *to, size_t room, struct str s)
{
	if (s.len < room && !str_has(s, '\0'))
		(void)snprintf(to, room, STR_FMT, STR_ARG(s));
}

/* Also of an answer before the last one ("100 Continue"): the last counts. */
static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct http_exchange *x = ctx;
	struct str v, line = str_n(p, size * n);
	uint64_t seconds;

	x->header_len += line.len;
	if (x->header_len > HTTP_HEADERS_MAX) {
		x->too_long = true;
		return 0;
	}
	if (value_of(line, "Location", &v))
		copy(x->location, sizeof(x->location), v);
	else if (value_of(line, "X-Vault-Index", &v))
		copy(x->index, sizeof(x->index), v);
	else if (value_of(line, "Retry-After", &v) &&
		 !str_to_u64(v, INT32_MAX, &seconds))
		x->retry_after_s = (int64_t)seconds;
	return line.len;
}

/* --- the end of one ----------------------------------------------------- */

static void done(struct http_exchange *x)
{
	(void)curl_multi_remove_handle(x->h->multi, x->easy);
	curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	curl_slist_free_all(x->connect_to);
	wipe_free(x->body);
	list_del(&x->link);
	mem_free(x);
}

static bool is_tls(CURLcode rc)
{
	return rc == CURLE_SSL_CONNECT_ERROR ||
	       rc == CURLE_PEER_FAILED_VERIFICATION ||
	       rc == CURLE_SSL_CERTPROBLEM || rc == CURLE_SSL_CIPHER ||
	       rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_SSL_ISSUER_ERROR ||
	       rc == CURLE_SSL_INVALIDCERTSTATUS;
}

static void finish(struct http_exchange *x, CURLcode rc)
{
	struct http_answer a = {
		.location = x->location,
		.index = x->index,
		.retry_after_s = x->retry_after_s,
		.too_long = x->too_long,
		.tls_failed = is_tls(rc),
	};
	struct err why;
	long status = 0, sent = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	a.sent = sent > 0;
	if (x->too_long) {
		err_set(&why, ERR_LIMIT, "the answer is over %d bytes",
			HTTP_BODY_MAX);
		a.why = &why;
	} else if (rc != CURLE_OK || status < 200 || status > 599) {
		err_set(&why, ERR_UNAVAILABLE, "%s",
			rc == CURLE_OK ? "no answer of HTTP" :
			x->why[0]      ? x->why :
					 curl_easy_strerror(rc));
		a.why = &why;
	} else {
		a.status = (int)status;
		a.body = str_n(x->body ? x->body : "", x->body_len);
	}
	x->fn(x->ctx, &a);
	done(x);
}

static void finish_all(struct http *h)
{
	struct http_exchange *x;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
					(char **)&x);
		finish(x, rc);
	}
}

/* --- the loop ----------------------------------------------------------- */

static void on_fd(void *ctx, int fd, uint32_t events)
{
	struct http *h = ((struct socket_watch *)ctx)->h;
	int bits = (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
		   (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & EPOLLERR ? CURL_CSELECT_ERR : 0);
	int running;

	(void)curl_multi_socket_action(h->multi, fd, bits, &running);
	finish_all(h);
}

static void on_timer(void *ctx)
{
	struct http *h = ctx;
	int running;

	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0,
				       &running);
	finish_all(h);
}

static int on_curl_timer(CURLM *multi, long ms, void *ctx)
{
	struct http *h = ctx;

	(void)multi;
	loop_timer_set(h->timer, ms < 0 ? -1 : clock_mono_us() + ms * 1000);
	return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx,
			  void *sock)
{
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
			  (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	struct socket_watch *w = sock;
	struct http *h = ctx;
	struct err e;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			loop_watch_free(w->watch);
		mem_free(w);
		(void)curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (w) {
		loop_watch_events(w->watch, events);
		return 0;
	}
	w = mem_alloc(sizeof(*w));
	w->h = h;
	if (loop_add_fd(h->loop, fd, events, on_fd, w, &w->watch, &e)) {
		mem_free(w);
		return -1;
	}
	(void)curl_multi_assign(h->multi, fd, w);
	return 0;
}

int http_new(struct loop *l, struct http **ret, struct err *e)
{
	struct http *h = mem_alloc(sizeof(*h));

	h->loop = l;
	list_init(&h->exchanges);
	h->multi = curl_multi_init();
	if (!h->multi) {
		mem_free(h);
		return err_set(e, ERR_INTERNAL, "libcurl did not start");
	}
	h->timer = loop_timer_new(l, on_timer, h);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_KEEP_MAX);
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	LIST_FOR(l, &h->exchanges)
	done(LIST_ENTRY(l, struct http_exchange, link));
	(void)curl_multi_cleanup(h->multi);
	loop_timer_free(h->timer);
	mem_free(h);
}

/* --- what goes out ------------------------------------------------------ */

/* "NAME: VALUE", wiped here; libcurl keeps its copy, and wipes that. */
static void header(struct http_exchange *x, const char *name, const char *value,
		   size_t len)
{
	size_t room = strlen(name) + len + 3;
	char *line = wipe_alloc(room);

	if (!line)
		abort();
	(void)snprintf(line, room, "%s: %.*s", name, (int)len, value);
	x->headers = curl_slist_append(x->headers, line);
	wipe_free(line);
}

static void set_headers(struct http_exchange *x, const struct http_request *r)
{
	char number[24];

	header(x, "X-Vault-Request", "true", 4);
	if (r->token) {
		struct secret_view v = secret_bytes(r->token);

		header(x, "X-Vault-Token", (const char *)v.bytes, v.n_bytes);
	}
	if (r->vault_namespace && *r->vault_namespace)
		header(x, "X-Vault-Namespace", r->vault_namespace,
		       strlen(r->vault_namespace));
	if (r->index && *r->index)
		header(x, "X-Vault-Index", r->index, strlen(r->index));
	if (r->wrap_ttl_s) {
		(void)snprintf(number, sizeof(number), "%us", r->wrap_ttl_s);
		header(x, "X-Vault-Wrap-TTL", number, strlen(number));
	}
	if (r->body.p)
		header(x, "Content-Type", "application/json", 16);
	/* no "Expect: 100-continue", and the wait for it */
	x->headers = curl_slist_append(x->headers, "Expect:");
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void set_blob(CURL *c, CURLoption option, const void *p, size_t len)
{
	struct curl_blob b = {.data = (void *)(uintptr_t)p,
			      .len = len,
			      .flags = CURL_BLOB_NOCOPY};

	curl_easy_setopt(c, option, &b);
}

/* The certificate is of another name than the address: connect to the one and
 * speak to the other. */
static const char *other_name(struct http_exchange *x,
			      const struct http_request *r, char url[4096])
{
	const char *name = r->tls->server_name, *at = strstr(r->url, "://");
	const char *host = at ? at + 3 : r->url;
	size_t len = strcspn(host, "/?"), host_len = len;
	const char *colon = memrchr(host, ':', len);
	char to[1024];

	if (colon && !memchr(colon, ']', (size_t)(host + len - colon)))
		host_len = (size_t)(colon - host);
	(void)snprintf(to, sizeof(to), "::%.*s:", (int)host_len, host);
	x->connect_to = curl_slist_append(NULL, to);
	curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to);
	(void)snprintf(to, sizeof(to), "%.*s", (int)len, host);
	header(x, "Host", to, strlen(to));
	(void)snprintf(url, 4096, "https://%s%s", name, host + host_len);
	return url;
}

static void set_tls(struct http_exchange *x, const struct http_request *r)
{
	const struct http_tls *t = r->tls;
	CURL *c = x->easy;

	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (t->ca.len)
		set_blob(c, CURLOPT_CAINFO_BLOB, t->ca.p, t->ca.len);
	if (t->cert.len)
		set_blob(c, CURLOPT_SSLCERT_BLOB, t->cert.p, t->cert.len);
	if (t->key)
		set_blob(c, CURLOPT_SSLKEY_BLOB, secret_bytes(t->key).bytes,
			 secret_bytes(t->key).n_bytes);
}

static void set_method(CURL *c, const struct http_request *r)
{
	if (r->body.p) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)r->body.len);
		curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, r->body.p);
	} else if (!strcmp(r->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
		return;
	} else if (!strcmp(r->method, "POST") || !strcmp(r->method, "PUT")) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, "");
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_up(struct http_exchange *x, const struct http_request *r)
{
	bool plain = !strncmp(r->url, "http://", 7);
	const char *url = r->url;
	CURL *c = x->easy;
	char other[4096];

	if (!plain && r->tls->server_name && *r->tls->server_name)
		url = other_name(x, r, other);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "NotForOil");
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	/* On a connection that the other end has closed libcurl sends it again
	 * by itself. */
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, r->once ? 1L : 0L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->why);
	curl_easy_setopt(c, CURLOPT_PRIVATE, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	set_method(c, r);
	if (!plain)
		set_tls(x, r);
	set_headers(x, r);
}

struct http_exchange *http_send(struct http *h, const struct http_request *r,
				http_fn *fn, void *ctx)
{
	struct http_exchange *x = mem_alloc(sizeof(*x));

	*x = (struct http_exchange){
		.h = h, .fn = fn, .ctx = ctx, .retry_after_s = -1};
	list_push(&h->exchanges, &x->link);
	x->easy = curl_easy_init();
	if (!x->easy)
		abort(); /* no memory */
	set_up(x, r);
	if (curl_multi_add_handle(h->multi, x->easy) != CURLM_OK)
		abort();
	return x;
}

void http_cancel(struct http_exchange *x)
{
	if (x)
		done(x);
}
