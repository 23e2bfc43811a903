/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Answers made piece by piece; see stream.h. */
#include "api/stream.h"
#include "api/internal.h"
#include "api/route.h"
#include "api/squeeze.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <microhttpd.h>
#include <string.h>

enum {
	SOON_US = 100000,
	PIECE = 65536,
	BLOCK = 32768,
	WORTH_BYTES = 1024,
	PIECES_MAX = 16,  /* a turn, of what gives next to nothing */
	SQUEEZED_MAX = 64 /* at once; the others go as they are */
};

struct stream {
	struct api *api;
	struct request *r; /* not for stream_free(): it is gone by then */
	reply_more_fn *more;
	void *ctx;
	void (*free_ctx)(void *);
	struct buf b, squeezed;
	struct squeeze *squeeze;
	struct loop_timer *timer; /* of who is asked again */
	bool ended, failed;
};

static void on_again(void *cls)
{
	request_resume(((struct stream *)cls)->r);
}

static void ask_again(struct stream *s, int64_t in_us)
{
	if (!s->timer)
		s->timer = loop_timer_new(s->r->api->loop, on_again, s);
	loop_timer_set(s->timer, clock_mono_us() + in_us);
}

/* What is ready to go out. */
static struct buf *ready(struct stream *s)
{
	return s->squeeze ? &s->squeezed : &s->b;
}

/* Ask for more; what more() said. */
static int fill(struct stream *s)
{
	int more = s->more(s->ctx, &s->b);
	enum squeeze_flush flush = SQUEEZE_MORE;

	s->ended = more < 0 || s->b.failed ||
		   /* the server ends; whoever follows comes again */
		   (more == 0 && s->r->api->draining);
	if (!s->squeeze)
		return more;
	if (s->ended)
		flush = SQUEEZE_END;
	else if (more == 0 || more == STREAM_SOON)
		flush = SQUEEZE_FLUSH; /* who waits for it has it now */
	if (squeeze_put(s->squeeze, buf_view(&s->b), flush, &s->squeezed))
		s->ended = s->failed = true;
	buf_reset(&s->b);
	return more;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *to, size_t max)
{
	struct stream *s = cls;
	struct buf *out = ready(s);
	int more = 1;
	size_t n;

	(void)pos;
	if (s->failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!auth_still(s->r)) /* revoked meanwhile */
		return MHD_CONTENT_READER_END_WITH_ERROR;
	for (int i = 0; i < PIECES_MAX && more == 1; i++)
		if (!out->len && !s->ended)
			more = fill(s);
	if (!out->len && more == 1)
		more = STREAM_AGAIN;
	if (!out->len && s->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!out->len) { /* sleeps until request_resume() */
		if (more >= STREAM_AGAIN)
			ask_again(s, more == STREAM_SOON ? SOON_US : 0);
		s->r->suspended = true;
		MHD_suspend_connection(s->r->conn);
		return 0;
	}
	n = out->len < max ? out->len : max;
	memcpy(to, out->data, n);
	buf_drop_front(out, n);
	s->r->sent_bytes += n;
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *s = cls;

	if (s->free_ctx)
		s->free_ctx(s->ctx);
	if (s->squeeze)
		s->api->n_squeezed--;
	squeeze_free(s->squeeze);
	loop_timer_free(s->timer);
	buf_done(&s->b);
	buf_done(&s->squeezed);
	mem_free(s);
}

struct MHD_Response *stream_new(struct request *r, enum coding coding,
				reply_more_fn *more, void *ctx,
				void (*free_ctx)(void *))
{
	struct stream *s = mem_alloc(sizeof(*s));

	*s = (struct stream){.api = r->api,
			     .r = r,
			     .more = more,
			     .ctx = ctx,
			     .free_ctx = free_ctx,
			     .b = BUF_INIT(1 << 20),
			     .squeezed = BUF_INIT(4 << 20)};
	if (coding != CODING_NONE) {
		s->squeeze = squeeze_new(coding);
		r->api->n_squeezed += s->squeeze != NULL;
		s->failed = !s->squeeze;
	}
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK,
						 stream_read, s, stream_free);
}

/* --- what is there already ---------------------------------------------- */

struct source {
	char *bytes; /* or a file */
	size_t len, at;
	int fd;
};

static void source_free(void *ctx)
{
	struct source *s = ctx;

	fd_close(&s->fd);
	mem_free(s->bytes);
	mem_free(s);
}

static int more_bytes(void *ctx, struct buf *b)
{
	struct source *s = ctx;
	size_t n = s->len - s->at < PIECE ? s->len - s->at : PIECE;

	buf_put(b, s->bytes + s->at, n);
	s->at += n;
	return n ? 1 : -1;
}

static int more_file(void *ctx, struct buf *b)
{
	struct source *s = ctx;
	char *room = buf_room(b, PIECE);
	ssize_t n = room ? fd_read(s->fd, room, PIECE) : -1;

	if (n > 0)
		buf_commit(b, (size_t)n);
	return n > 0 ? 1 : -1;
}

struct MHD_Response *stream_of_buf(struct request *r, enum coding coding,
				   struct buf *b)
{
	struct source *s = mem_alloc(sizeof(*s));

	s->fd = -1;
	s->len = b->len;
	s->bytes = buf_take(b);
	return stream_new(r, coding, more_bytes, s, source_free);
}

struct MHD_Response *stream_of_file(struct request *r, enum coding coding,
				    int fd)
{
	struct source *s = mem_alloc(sizeof(*s));

	s->fd = fd;
	return stream_new(r, coding, more_file, s, source_free);
}

/* --- whether ------------------------------------------------------------ */

static bool is_text(const char *type)
{
	static const char *const texts[] = {
		"application/json", "application/yaml", "application/toml",
		"application/x-ndjson", "application/schema+json"};

	if (!strncmp(type, "text/", 5)) /* of events each goes at once */
		return strcmp(type, "text/event-stream") != 0;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!strcmp(type, texts[i]))
			return true;
	return false;
}

enum coding stream_coding(struct request *r, unsigned status, const char *type,
			  uint64_t bytes, bool *worth)
{
	*worth = r->route && !r->route->secret && status == 200 &&
		 bytes >= WORTH_BYTES && is_text(type);
	if (!*worth || r->head || request_header(r, "Range").p ||
	    r->api->n_squeezed >= SQUEEZED_MAX)
		return CODING_NONE;
	return coding_pick(request_header(r, "Accept-Encoding"));
}
