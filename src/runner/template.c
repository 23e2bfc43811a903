/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files of text with secrets put in: made here, where the secrets are. */
#include "job/template.h"
#include "base/fd.h"
#include "runner/internal.h"

#include <errno.h>
#include <string.h>

static int failed(struct run *r, const struct job_template *t,
		  const struct job_template_part *p, const char *why)
{
	return run_fail(r, KIND_SECRET, "",
			"template \"" STR_FMT "\": secret \"" STR_FMT
			"\"%s" STR_FMT ": %s",
			STR_ARG(t->file),
			STR_ARG(r->a->secrets[p->secret - 1].name),
			p->field.len ? ", field " : "", STR_ARG(p->field), why);
}

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

static int put(struct run *r, const struct job_template *t,
	       const struct job_template_part *p, struct buf *b)
{
	const struct given *g;
	struct secret_view v;
	struct err e;

	if (!p->secret) {
		buf_str(b, p->text);
		return 0;
	}
	g = find(r, p);
	if (!g)
		return failed(r, t, p,
			      p->field.len ? "it has no such field" :
					     "it has several fields");
	v = secret_bytes(g->value);
	if (template_quote(p->quote, str_n((const char *)v.bytes, v.n_bytes), b,
			   &e) &&
	    e.code != ERR_LIMIT) /* of the whole: said below */
		return failed(r, t, p, e.text);
	return 0;
}

static int write_file(struct run *r, const struct job_template *t,
		      const struct buf *b, int fd)
{
	if (b->failed)
		return run_fail(r, KIND_SECRET, "",
				"template \"" STR_FMT "\": over %d KiB",
				STR_ARG(t->file), TEMPLATE_MADE_MAX / 1024);
	if (fd_write_all(fd, b->data, b->len))
		return run_fail(r, KIND_SECRET, "",
				"template \"" STR_FMT "\": %s",
				STR_ARG(t->file), strerror(errno));
	return 0;
}

int template_file(struct run *r, size_t i, int fd)
{
	const struct job_template *t = &r->a->templates[i];
	struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
	int bad = 0;

	(void)buf_room(&b, room_for(r, t));
	b.failed = false;
	for (size_t k = 0; k < t->n_parts && !bad; k++)
		bad = put(r, t, &t->parts[k], &b);
	if (!bad)
		bad = write_file(r, t, &b, fd);
	buf_wipe(&b);
	return bad;
}
