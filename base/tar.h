/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Plain tar, in and out.  The reader is fed bytes as they come, keeps no
 * content and refuses what a source tree has no need of: absolute names and
 * "..", links that leave the tree, names below a link, devices, FIFOs, hard
 * links, and more entries or bytes than allowed.  Formats: ustar (POSIX.1-1988)
 * with pax records path, linkpath and size (POSIX.1-2001), and GNU long names
 * ('L', 'K'; tar(5) of libarchive).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
	TAR_BLOCK = 512,
	TAR_PATH_MAX = 1024
};

enum tar_type {
	TAR_FILE,
	TAR_DIR,
	TAR_SYMLINK
};

struct tar_entry {
	enum tar_type type;
	struct str path; /* relative, clean: no ".", "..", "//"; no end slash */
	struct str link; /* of a symlink */
	uint32_t mode;   /* permission bits; set-id and sticky are dropped */
	uint64_t size;   /* of a file */
};

struct tar_limits {
	uint64_t max_entries, max_bytes; /* bytes: sum of file sizes */
};

/* Each may be NULL; -1 with *e set ends the reading. */
struct tar_ops {
	int (*entry)(void *ctx, const struct tar_entry *t, struct err *e);
	int (*data)(void *ctx, const void *p, size_t len, struct err *e);
	int (*entry_end)(void *ctx, struct err *e); /* after each file */
};

/* What the reader would take: a clean relative path, a link that stays. */
bool tar_path_ok(struct str path);
bool tar_link_stays(struct str path, struct str target);

struct tar_reader;
struct tar_reader *tar_reader_new(const struct tar_limits *limits,
				  const struct tar_ops *ops, void *ctx);
void tar_reader_free(struct tar_reader *r);
/* Errors name the entry.  After one the reader may only be freed. */
MUST_USE int tar_feed(struct tar_reader *r, const void *p, size_t len,
		      struct err *e);
/* The input is at its end; ERR_INVALID when it was cut off. */
MUST_USE int tar_finish(struct tar_reader *r, struct err *e);
uint64_t tar_n_entries(const struct tar_reader *r);

/*
 * Append a header to b (with a pax record in front where the path is long);
 * owner, group and times are zero, so that equal trees make equal archives.
 * The caller appends size bytes and tar_pad().
 */
bool tar_header(struct buf *b, const struct tar_entry *t);
/* Zeros up to the next block boundary behind size bytes of content. */
bool tar_pad(struct buf *b, uint64_t size);
bool tar_end(struct buf *b); /* the two empty blocks */
