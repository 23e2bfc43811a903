/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One level of unpacking, and what the formats share. */
#pragma once

#include "unpack/unpack.h"

enum {
	SNIFF_MAX = 512, /* bytes from which a format is known */
};

enum kind {
	KIND_UNKNOWN, /* of which there are too few bytes yet */
	KIND_PLAIN,
	KIND_GZIP,
	KIND_TAR,
	KIND_ZIP,
};

/* A zip goes from header to header; where the next one is, is looked for. */
enum zip_state {
	ZIP_SEEK,    /* "PK\3\4" */
	ZIP_HEADER,  /* the rest of its 30 bytes */
	ZIP_NAME,    /* name and extra fields */
	ZIP_STORED,  /* as it is, of a known length */
	ZIP_DEFLATED /* to its own end */
};

struct flate; /* one deflate stream, see flate.c */

struct level {
	struct unpack *u;
	unsigned number; /* 0: the bytes that are fed */
	enum kind kind;
	uint8_t head[SNIFF_MAX];
	size_t n_head;
	struct flate *flate;
	uint64_t left, pad; /* bytes of a member, and behind it */
	bool known;         /* what told the format went on to it */
	bool fresh;         /* the next unpacked bytes are of another member */
	enum zip_state zip;
	bool stored;
};

/* Bytes that are known to be of this level's format; -1 when it ends. */
int level_feed(struct level *l, const uint8_t *p, size_t n);
int tar_level(struct level *l, const uint8_t *p, size_t n);
int zip_level(struct level *l, const uint8_t *p, size_t n);
int gzip_level(struct level *l, const uint8_t *p, size_t n);
bool tar_is(const uint8_t *p, size_t n);
/* Move bytes to l->head until there are `want`; true when there are. */
bool level_gather(struct level *l, const uint8_t **p, size_t *n, size_t want);

/* A member, packed or as it is in the level's bytes. */
int member_data(struct level *l, bool packed, const uint8_t *p, size_t n);
void member_begin(struct level *l);

/* raw: without a header, else gzip. */
struct flate *flate_new(bool raw);
void flate_free(struct flate *f);
enum flate_end {
	FLATE_MORE,
	FLATE_DONE,
	FLATE_BAD,
	FLATE_STOP /* the sink ended it */
};
/* Unpack into member_data(); *p and *n go on to what was not taken. */
enum flate_end flate_feed(struct flate *f, struct level *l, const uint8_t **p,
			  size_t *n);
