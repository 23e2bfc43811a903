/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Transfers by libcurl; see fetch.h. */
#include "fetch/fetch.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <string.h>

struct transfer {
	CURL *easy; /* NULL: free */
	uint64_t tag;
	struct buf body;
	char why[CURL_ERROR_SIZE];
};

struct fetches {
	CURLM *multi;
	size_t body_max;
	fetch_fn *fn;
	void *ctx;
	struct transfer all[FETCH_AT_ONCE];
};

int fetch_begin(struct err *e)
{
	return curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ?
		       0 :
		       err_set(e, ERR_INTERNAL, "libcurl did not start");
}

int fetches_new(size_t body_max, fetch_fn *fn, void *ctx, struct fetches **ret,
		struct err *e)
{
	struct fetches *f = mem_alloc(sizeof(*f));

	*f = (struct fetches){.body_max = body_max, .fn = fn, .ctx = ctx};
	f->multi = curl_multi_init();
	if (!f->multi) {
		mem_free(f);
		return err_set(e, ERR_INTERNAL, "libcurl did not start");
	}
	*ret = f;
	return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;

	return buf_put(&t->body, p, size * n) ? n : 0;
}

/* All that a server could make us do, and is not to. */
static void set_up(CURL *c, struct transfer *t, const char *url, struct str ca)
{
	bool plain = !strncmp(url, "http://", 7);
	struct curl_blob pem = {.data = (void *)(uintptr_t)ca.p,
				.len = ca.len,
				.flags = CURL_BLOB_COPY};

	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)FETCH_CONNECT_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)FETCH_TOTAL_S);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "NotForOil");
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (ca.len)
		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &pem);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
}

int fetches_add(struct fetches *f, const char *url, struct str ca, uint64_t tag,
		struct err *e)
{
	struct transfer *t = NULL;

	for (size_t i = 0; !t && i < FETCH_AT_ONCE; i++)
		if (!f->all[i].easy)
			t = &f->all[i];
	if (!t)
		return err_set(e, ERR_LIMIT, "too many at once");
	*t = (struct transfer){.easy = curl_easy_init(),
			       .tag = tag,
			       .body = BUF_INIT(f->body_max)};
	if (!t->easy)
		return err_set(e, ERR_INTERNAL, "libcurl did not start");
	set_up(t->easy, t, url, ca);
	if (curl_multi_add_handle(f->multi, t->easy) == CURLM_OK)
		return 0;
	curl_easy_cleanup(t->easy);
	t->easy = NULL;
	return err_set(e, ERR_INTERNAL, "libcurl took it not");
}

static uint32_t max_age(CURL *easy)
{
	struct curl_header *h;

	if (curl_easy_header(easy, "Cache-Control", 0, CURLH_HEADER, -1, &h) !=
	    CURLHE_OK)
		return 0;
	return fetch_max_age(str_from(h->value));
}

static void finish(struct fetches *f, struct transfer *t, CURLcode rc)
{
	struct err why = {.code = ERR_NONE};
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->body.failed)
		err_set(&why, ERR_LIMIT, "it is over %zu bytes", f->body_max);
	else if (rc != CURLE_OK)
		err_set(&why, ERR_UNAVAILABLE, "%s",
			t->why[0] ? t->why : curl_easy_strerror(rc));
	else if (status != 200)
		err_set(&why, ERR_UNAVAILABLE, "the answer is %ld", status);
	f->fn(f->ctx, t->tag, why.code ? STR("") : buf_view(&t->body),
	      why.code ? 0 : max_age(t->easy), why.code ? &why : NULL);
	(void)curl_multi_remove_handle(f->multi, t->easy);
	curl_easy_cleanup(t->easy);
	buf_done(&t->body);
	t->easy = NULL;
}

static void finish_all(struct fetches *f)
{
	struct transfer *t;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left))) {
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
				  (char **)&t);
		finish(f, t, rc);
	}
}

int fetches_turn(struct fetches *f, struct pollfd *others, size_t n,
		 struct err *e)
{
	struct curl_waitfd more[8];
	int running;

	for (size_t i = 0; i < n && i < ARRAY_LEN(more); i++)
		more[i] = (struct curl_waitfd){.fd = others[i].fd,
					       .events = CURL_WAIT_POLLIN};
	if (curl_multi_perform(f->multi, &running) != CURLM_OK)
		return err_set(e, ERR_INTERNAL, "libcurl failed");
	finish_all(f);
	if (curl_multi_poll(f->multi, more, (unsigned)n, 60000, NULL) !=
	    CURLM_OK)
		return err_set(e, ERR_INTERNAL, "libcurl failed");
	for (size_t i = 0; i < n && i < ARRAY_LEN(more); i++)
		others[i].revents = more[i].revents;
	return 0;
}
