/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files of text with secrets put in: made here, where the secrets are. */
#include "job/template.h"
#include "base/fd.h"
#include "runner/internal.h"

#include <errno.h>
#include <unistd.h>

static const struct given *find(const struct run *r,
				const struct job_template_part *p)
{
	size_t use = p->secret - 1;

	for (size_t i = 0; i < r->n_given; i++) {
		const struct given *g = &r->given[i];
		size_t skip = r->a->secrets[use].name.len + 1;

		if (g->use == use && g->field == (p->field.len > 0) &&
		    (!g->field || str_is(p->field, g->name + skip)))
			return g;
	}
	return NULL;
}

/* So much that the buffer never moves, and leaves no copy of what is in it. */
static size_t room_for(const struct run *r, const struct job_template *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_parts && n < TEMPLATE_MADE_MAX; i++) {
		const struct given *g =
			t->parts[i].secret ? find(r, &t->parts[i]) : NULL;

		n += t->parts[i].text.len +
		     (g ? 6 * secret_bytes(g->value).n_bytes + 2 : 0);
	}
	return n < TEMPLATE_MADE_MAX ? n : TEMPLATE_MADE_MAX;
}

static int put(const struct run *r, const struct job_template_part *p,
	       struct buf *b, struct err *e)
{
	const struct given *g;
	struct secret_view v;

	if (!p->secret) {
		buf_str(b, p->text);
		return 0;
	}
	g = find(r, p);
	if (!g)
		return err_set(e, ERR_NOT_FOUND,
			       p->field.len ? "it has no such field" :
					      "it has several fields");
	v = secret_bytes(g->value);
	return template_quote(p->quote, str_n((const char *)v.bytes, v.n_bytes),
			      b, e);
}

static int render(const struct run *r, const struct job_template *t,
		  struct buf *b, struct err *e)
{
	(void)buf_room(b, room_for(r, t));
	b->failed = false;
	for (size_t k = 0; k < t->n_parts && !b->failed; k++) {
		const struct job_template_part *p = &t->parts[k];

		if (put(r, p, b, e) && !b->failed)
			return err_wrap(
				e, "secret \"" STR_FMT "\"%s" STR_FMT,
				STR_ARG(r->a->secrets[p->secret - 1].name),
				p->field.len ? ", field " : "",
				STR_ARG(p->field));
	}
	return b->failed ? err_set(e, ERR_LIMIT, "over %d KiB",
				   TEMPLATE_MADE_MAX / 1024) :
			   0;
}

/* In its place: the task may have it open. */
static int write_file(const struct run *r, const struct job_template *t, int fd,
		      struct err *e)
{
	struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
	int bad = render(r, t, &b, e);

	if (!bad &&
	    ((b.len && pwrite(fd, b.data, b.len, 0) != (ssize_t)b.len) ||
	     ftruncate(fd, (off_t)b.len)))
		bad = err_sys(e, errno, "its file");
	buf_wipe(&b);
	return bad;
}

static bool changes(const struct run *r, const struct job_template *t)
{
	for (size_t i = 0; i < t->n_parts; i++)
		if (t->parts[i].secret &&
		    r->a->secrets[t->parts[i].secret - 1].refresh)
			return true;
	return false;
}

static bool uses(const struct job_template *t, size_t secret)
{
	for (size_t i = 0; i < t->n_parts; i++)
		if (t->parts[i].secret == secret + 1)
			return true;
	return false;
}

int template_file(struct run *r, size_t i, int *fd)
{
	const struct job_template *t = &r->a->templates[i];
	struct err e;

	if (write_file(r, t, *fd, &e))
		return run_fail(r, KIND_SECRET, "",
				"template \"" STR_FMT "\": %s",
				STR_ARG(t->file), e.text);
	r->templates[i] = -1;
	if (changes(r, t))
		r->templates[i] = fd_take(fd);
	fd_close(fd);
	return 0;
}

void template_anew(struct run *r, size_t secret)
{
	struct err e;

	for (size_t i = 0; i < r->n_templates; i++) {
		const struct job_template *t = &r->a->templates[i];

		if (r->templates[i] >= 0 && uses(t, secret) &&
		    write_file(r, t, r->templates[i], &e))
			run_say(r,
				"nfo: template \"" STR_FMT
				"\" is not written anew: %s",
				STR_ARG(t->file), e.text);
	}
}
