/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tar reader; see tar.h.  The writer is tar_write.c. */
#include "base/tar.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/tar_header.h"
#include "base/tar_name.h"

#include <stdio.h>
#include <string.h>

enum {
	EXTRA_MAX = 16384,    /* a pax header or a long name */
	LINKS_MAX = 8 << 20,  /* bytes of the names of all links */
	BEHIND_MAX = 1 << 20, /* padding after the end; GNU tar: 10 KiB */
};

enum phase {
	PHASE_HEADER,
	PHASE_DATA,
	PHASE_EXTRA,
	PHASE_PAD,
	PHASE_END
};

struct tar_reader {
	struct tar_limits limits;
	const struct tar_ops *ops;
	void *ctx;
	enum phase phase;
	unsigned char block[TAR_BLOCK];
	size_t have;   /* bytes of block */
	uint64_t left; /* bytes of content or padding to come */
	uint64_t pad;  /* padding behind it */
	char extra_type;
	struct buf extra;      /* the pax or long-name content */
	struct buf path, link; /* as overridden by it */
	bool has_path, has_link, has_size;
	uint64_t size;
	uint64_t n_entries, bytes;
	struct map *links; /* symlinks seen: nothing may lie below one */
	size_t links_len;  /* of their names */
	size_t behind;     /* bytes after the end */
};

struct tar_reader *tar_reader_new(const struct tar_limits *limits,
				  const struct tar_ops *ops, void *ctx)
{
	struct tar_reader *r = mem_alloc(sizeof(*r));

	r->limits = *limits;
	r->ops = ops;
	r->ctx = ctx;
	r->extra = BUF_INIT(EXTRA_MAX);
	r->path = BUF_INIT(TAR_PATH_MAX);
	r->link = BUF_INIT(TAR_PATH_MAX);
	r->links = map_new();
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	buf_done(&r->extra);
	buf_done(&r->path);
	buf_done(&r->link);
	map_free(r->links, NULL);
	mem_free(r);
}

uint64_t tar_n_entries(const struct tar_reader *r)
{
	return r->n_entries;
}

static bool below_link(const struct tar_reader *r, struct str path)
{
	for (size_t i = 0; i < path.len; i++)
		if (path.p[i] == '/' && map_get(r->links, str_n(path.p, i)))
			return true;
	return map_get(r->links, path) != NULL;
}

static int too_large(const struct tar_reader *r, struct str raw, struct err *e)
{
	char why[80];

	(void)snprintf(why, sizeof(why),
		       "brings the tar's files to more than %llu bytes",
		       (unsigned long long)r->limits.max_bytes);
	(void)tar_name_refuse(e, raw, why);
	e->code = ERR_LIMIT;
	return -1;
}

static int check_entry(struct tar_reader *r, struct str raw,
		       const struct tar_entry *t, struct err *e)
{
	if (!tar_name_printable(t->path) || !tar_name_printable(t->link))
		return tar_name_refuse(e, raw,
				       "a control character or no UTF-8 in the "
				       "name");
	if (below_link(r, t->path))
		return tar_name_refuse(e, raw, "lies behind a symbolic link");
	if (t->type == TAR_SYMLINK && !tar_name_link_stays(t->path, t->link))
		return tar_name_refuse(e, raw,
				       "a link that leads out of the tree");
	if (r->n_entries >= r->limits.max_entries)
		return err_set(e, ERR_LIMIT, "more than %llu files in the tar",
			       (unsigned long long)r->limits.max_entries);
	if (t->size > r->limits.max_bytes - r->bytes)
		return too_large(r, raw, e);
	return 0;
}

static int keep_link(struct tar_reader *r, struct str path, struct err *e)
{
	r->links_len += path.len;
	if (r->links_len > LINKS_MAX)
		return err_set(e, ERR_LIMIT,
			       "symbolic links with names of over %d bytes in "
			       "the tar",
			       LINKS_MAX);
	(void)map_put(r->links, path, r);
	return 0;
}

/* A header that stands for a file, a directory or a link. */
static int entry(struct tar_reader *r, const struct ustar *h, uint64_t size,
		 struct err *e)
{
	CLEANUP_BUF struct buf name = BUF_INIT(TAR_PATH_MAX),
			       clean = BUF_INIT(TAR_PATH_MAX);
	struct tar_entry t = {.type = TAR_FILE};
	const char *why = NULL;
	uint64_t mode;

	if (r->has_path) {
		buf_str(&name, buf_view(&r->path));
	} else {
		if (!memcmp(h->magic, "ustar", 6) && h->prefix[0]) {
			buf_str(&name, tar_field(h->prefix, sizeof(h->prefix)));
			buf_putc(&name, '/');
		}
		buf_str(&name, tar_field(h->name, sizeof(h->name)));
	}
	if (name.failed || tar_name_clean(buf_view(&name), &clean))
		return tar_name_refuse(
			e, buf_view(&name),
			"absolute, too long, or with \"..\" in it");
	if (tar_type_of(h->typeflag, &t.type, &why))
		return tar_name_refuse(e, buf_view(&name), why);
	if (h->typeflag == '0' && str_ends(buf_view(&name), STR("/")))
		t.type = TAR_DIR; /* old writers */
	if (tar_number(h->mode, sizeof(h->mode), &mode))
		return tar_name_refuse(e, buf_view(&name),
				       "a mode that is no number");
	t.path = buf_view(&clean);
	t.mode = (uint32_t)mode & 0777;
	t.size = t.type == TAR_FILE ? size : 0;
	if (t.type == TAR_SYMLINK)
		t.link = r->has_link ?
				 buf_view(&r->link) :
				 tar_field(h->linkname, sizeof(h->linkname));
	r->has_path = r->has_link = r->has_size = false;
	r->left = t.size;
	r->pad = (TAR_BLOCK - t.size % TAR_BLOCK) % TAR_BLOCK;
	r->phase = PHASE_DATA;
	if (!t.path.len) /* "./" itself */
		return t.size ? tar_name_refuse(e, STR("."), "has content") : 0;
	if (check_entry(r, buf_view(&name), &t, e))
		return -1;
	r->n_entries++;
	r->bytes += t.size;
	if (t.type == TAR_SYMLINK && keep_link(r, t.path, e))
		return -1;
	if (r->ops->entry && r->ops->entry(r->ctx, &t, e))
		return -1;
	if (!t.size && t.type == TAR_FILE && r->ops->entry_end)
		return r->ops->entry_end(r->ctx, e);
	return 0;
}

static int header(struct tar_reader *r, struct err *e)
{
	const struct ustar *h = (const void *)r->block;
	static const unsigned char zero[TAR_BLOCK];
	uint64_t size;

	if (!memcmp(r->block, zero, TAR_BLOCK)) {
		r->phase = PHASE_END;
		return 0;
	}
	if (!tar_checksum_ok(h) || tar_number(h->size, sizeof(h->size), &size))
		return err_set(e, ERR_INVALID,
			       "not a tar, or damaged behind entry %llu",
			       (unsigned long long)r->n_entries);
	if (h->typeflag == 'x' || h->typeflag == 'g' || h->typeflag == 'L' ||
	    h->typeflag == 'K') {
		if (size > EXTRA_MAX)
			return err_set(e, ERR_LIMIT,
				       "a tar header record of over %d bytes",
				       EXTRA_MAX);
		buf_reset(&r->extra);
		r->extra_type = h->typeflag;
		r->left = size;
		r->pad = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
		r->phase = PHASE_EXTRA;
		return 0;
	}
	return entry(r, h, r->has_size ? r->size : size, e);
}

/* "LEN KEY=VALUE\n" repeated; only three keys matter. */
static int pax(struct tar_reader *r, struct err *e)
{
	struct str all = buf_view(&r->extra);

	while (all.len) {
		struct str rest = all, rec, key;
		uint64_t len;

		rec = str_cut(&rest, ' ');
		if (str_to_u64(rec, all.len, &len) || len < rec.len + 3 ||
		    all.p[len - 1] != '\n')
			return err_set(e, ERR_INVALID, "a damaged pax record");
		rec = str_n(all.p + rec.len + 1, len - rec.len - 2);
		all = str_from_at(all, len);
		key = str_cut(&rec, '=');
		if (r->extra_type == 'g')
			continue; /* global: comments and times */
		if (str_is(key, "path")) {
			buf_reset(&r->path);
			r->has_path = true;
			if (!buf_str(&r->path, rec))
				return tar_name_refuse(e, rec, "too long");
		} else if (str_is(key, "linkpath")) {
			buf_reset(&r->link);
			r->has_link = true;
			if (!buf_str(&r->link, rec))
				return tar_name_refuse(e, rec, "too long");
		} else if (str_is(key, "size")) {
			r->has_size = true;
			if (str_to_u64(rec, INT64_MAX, &r->size))
				return err_set(e, ERR_INVALID,
					       "a pax size "
					       "that is none");
		} else if (str_starts(key, STR("GNU.sparse"))) {
			return err_set(e, ERR_INVALID,
				       "a sparse file in the tar (make it "
				       "without --sparse)");
		}
	}
	return 0;
}

static int extra_end(struct tar_reader *r, struct err *e)
{
	struct buf *to = r->extra_type == 'L' ? &r->path : &r->link;
	struct str text = buf_view(&r->extra);

	if (r->extra_type == 'x' || r->extra_type == 'g')
		return pax(r, e);
	text = str_n(text.p, text.p ? strnlen(text.p, text.len) : 0);
	buf_reset(to);
	if (!buf_str(to, text))
		return tar_name_refuse(e, text, "too long");
	if (r->extra_type == 'L')
		r->has_path = true;
	else
		r->has_link = true;
	return 0;
}

static int content_end(struct tar_reader *r, bool any, struct err *e)
{
	if (r->phase == PHASE_EXTRA && extra_end(r, e))
		return -1;
	if (r->phase == PHASE_DATA && any && r->ops->entry_end &&
	    r->ops->entry_end(r->ctx, e))
		return -1;
	r->left = r->pad;
	r->phase = r->left ? PHASE_PAD : PHASE_HEADER;
	return 0;
}

/* Content or padding: as much of [p, p + len) as belongs to it. */
static int content(struct tar_reader *r, const unsigned char **p, size_t *len,
		   struct err *e)
{
	size_t n = r->left < *len ? (size_t)r->left : *len;
	bool any = r->left > 0;

	if (n && r->phase == PHASE_EXTRA)
		buf_put(&r->extra, *p, n);
	if (n && r->phase == PHASE_DATA && r->ops->data &&
	    r->ops->data(r->ctx, *p, n, e))
		return -1;
	*p += n;
	*len -= n;
	r->left -= n;
	if (r->left)
		return 0;
	if (r->phase == PHASE_PAD) {
		r->phase = PHASE_HEADER;
		return 0;
	}
	return content_end(r, any, e);
}

/* What follows the end is padding. */
static int behind(struct tar_reader *r, size_t len, struct err *e)
{
	r->behind += len < BEHIND_MAX ? len : BEHIND_MAX + 1;
	return r->behind <= BEHIND_MAX ?
		       0 :
		       err_set(e, ERR_INVALID,
			       "more than %d bytes behind the end of the tar",
			       BEHIND_MAX);
}

int tar_feed(struct tar_reader *r, const void *data, size_t len, struct err *e)
{
	const unsigned char *p = data;

	while (len || (r->phase != PHASE_HEADER && r->phase != PHASE_END &&
		       !r->left)) {
		size_t n;

		if (r->phase == PHASE_END)
			return behind(r, len, e);
		if (r->phase != PHASE_HEADER) {
			if (content(r, &p, &len, e))
				return -1;
			continue;
		}
		n = TAR_BLOCK - r->have < len ? TAR_BLOCK - r->have : len;
		memcpy(r->block + r->have, p, n);
		r->have += n;
		p += n;
		len -= n;
		if (r->have < TAR_BLOCK)
			continue;
		r->have = 0;
		if (header(r, e))
			return -1;
	}
	return 0;
}

int tar_finish(struct tar_reader *r, struct err *e)
{
	if (r->phase == PHASE_END ||
	    (r->phase == PHASE_HEADER && !r->have && r->n_entries))
		return 0;
	return err_set(e, ERR_INVALID, "the tar is cut off behind entry %llu",
		       (unsigned long long)r->n_entries);
}
