/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One HTTP request from its first header to its answer.  Handlers see this
 * and reply.h, never libmicrohttpd.
 */
#pragma once

#include "api/forwarded.h"
#include "api/headers.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"
#include "doc/problem.h"

struct MHD_Connection;
struct MHD_Response;
struct MHD_PostProcessor;
struct api;
struct peer;
struct route;
struct once;
struct upload;

enum who_kind {
	WHO_NOBODY,
	WHO_UID,
	WHO_TOKEN,
	WHO_CERT
};

enum {
	WHO_NAME_MAX = 351
};

struct who {
	enum who_kind kind;
	uint32_t uid;
	/* the subject: "user:ann", "uid:1000", "token:local", "oidc:corp:ann";
	 * who is nobody but has a certificate: "sha256:..." */
	char name[WHO_NAME_MAX + 1];
	char token[27];     /* ULID of the token that was shown, or login; "" */
	int64_t expires_us; /* 0: never */
};

/* An answer that waits; slow.h. */
enum {
	CLIENT_MAX = 64
};

struct slow_wait {
	struct link link;
	int64_t until_us; /* 0: it does not */
	char client[CLIENT_MAX];
};

/* Who waits for a provider's keys; oidc.h. */
struct keys_wait {
	struct link link;
	bool asked; /* once is enough */
};

enum {
	REQUEST_PARAMS_MAX = 4,
	REQUEST_BODY_MAX = 1 << 20
};

enum request_phase {
	REQUEST_NEW,     /* who asks is not known yet */
	REQUEST_BODY,    /* content is coming */
	REQUEST_WAITING, /* suspended: somebody else will answer */
	REQUEST_ANSWERED,
};

struct request {
	struct api *api;
	struct MHD_Connection *conn;
	struct peer *peer; /* who sent it; door.h */
	const struct route *route;
	size_t route_index; /* in the table; with a route */
	unsigned found;     /* what route_find() said */
	struct buf allow;   /* and the methods that there are */
	char *path;         /* decoded; params point in */
	struct str params[REQUEST_PARAMS_MAX]; /* what {x} stood for */
	struct arena *decoded;                 /* values of the query */
	struct who who;
	struct forwarded from; /* the client, as far as proxies are trusted */
	char method[16];       /* cut; this and the next for the log */
	char *asked;           /* the path as it came; NULL: nobody wants it */
	int64_t began_us;      /* monotonic */
	uint64_t sent_bytes;   /* of the answer's body, so far */
	char project[64]; /* whose role counted; "" : the server's, or any */
	uint64_t decided; /* by this snapshot of who is known */
	struct ulid id;
	char shown_id[REQUEST_ID_MAX + 1]; /* the client's, or that */
	int64_t begun_us;                  /* monotonic */
	enum request_phase phase;
	bool closes;         /* nothing is read after it */
	bool head;           /* HEAD: the headers of GET */
	struct buf body;     /* up to the route's limit */
	uint64_t body_bytes; /* seen so far, also of an upload */
	uint64_t discarded;  /* of a body that came after the answer */
	int64_t discard_until_us;
	/* takes the body in parts, where a route's begin has set it */
	void (*feed)(struct request *r, const char *data, size_t len);
	struct upload *upload; /* multipart, where the route takes one */
	/* the answer */
	struct MHD_Response *reply;
	unsigned status;
	struct slow_wait slow;
	struct link under_way; /* with its Idempotency-Key: once.h */
	struct once *once;
	struct keys_wait keys;
	/* what a handler keeps while it waits; freed with the request */
	void *state;
	void (*state_free)(void *state);
	bool suspended;
	bool gone; /* the client left while we waited */
};

/* A header's value, or {NULL, 0}. */
struct str request_header(const struct request *r, const char *name);
/* A query parameter, decoded; repeated ones by index.  False when absent. */
bool request_query(struct request *r, const char *name, unsigned index,
		   struct str *ret);
/* Those whose name begins so, "label.": what follows, and the value. */
bool request_query_prefixed(struct request *r, const char *prefix,
			    unsigned index, struct str *ret_key,
			    struct str *ret_value);
/* Is parameter i of the path equal to this? */
struct str request_param(const struct request *r, unsigned i);
/* Only parameters that the route names were given, well escaped; the
 * dispatcher asks, before a body is read. */
MUST_USE int request_query_check(struct request *r);
/* A duration such as 30s from the query, at most max_us; 0 when absent. */
MUST_USE int request_query_duration(struct request *r, const char *name,
				    int64_t max_us, int64_t *ret_us);
/* A number from min to max; the fallback when absent. */
MUST_USE int request_query_u64(struct request *r, const char *name,
			       uint64_t min, uint64_t max, uint64_t fallback,
			       uint64_t *ret);
