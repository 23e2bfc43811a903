/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Servers by name, in a file of the user's: $NFO_CONFIG, or nfo/config.yaml in
 * $XDG_CONFIG_HOME or ~/.config.
 *
 *   current: prod
 *   contexts:
 *     prod:
 *       server: https://nfo.example.com
 *       token_file: /home/ann/.config/nfo/prod.token
 *
 * A token's text is never in it, only the path of a file that nobody else may
 * read.  What the file says wrong is told with its place.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "cli/http.h"

/* Always there: the private server. */
#define CONTEXT_PRIVATE "private"

enum {
	CONTEXTS_MAX = 64,
	CONTEXT_FILE_MAX = 256 * 1024
};

/* Texts are "" where the file says nothing. */
struct context {
	char name[64], server[256], project[64];
	char token_file[SERVER_PATH_MAX], ca[SERVER_PATH_MAX];
	char cert[SERVER_PATH_MAX], key[SERVER_PATH_MAX];
};

struct contexts {
	char current[64]; /* "": none */
	struct context items[CONTEXTS_MAX];
	size_t n;
};

/* The file's path; ERR_INVALID when there is no home. */
MUST_USE int context_path(struct buf *out, struct err *e);
/* *ret is the caller's (mem_free); no file is no context. */
MUST_USE int context_read(struct contexts **ret, struct err *e);
MUST_USE int context_write(const struct contexts *all, struct err *e);
struct context *context_find(struct contexts *all, const char *name);
/* One text of it by the name that the file and `nfo context set` use; NULL:
 * there is no such.  *ret_max is the room. */
char *context_field(struct context *c, const char *key, size_t *ret_max);

/*
 * The one that counts: --context, NFO_CONTEXT, `current`; *ret stays NULL where
 * none is chosen, or --server or NFO_SERVER names a server by itself.  Owned
 * by this module.
 */
MUST_USE int context_chosen(const struct context **ret, struct err *e);
/* What --project said, else NFO_PROJECT, else the context's, else "default". */
const char *context_project(const char *given);
/* The first line of a file that nobody else may read. */
MUST_USE int context_token(const char *path, struct server *s, struct err *e);
