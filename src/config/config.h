/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The settings of a server: a file in YAML, JSON or TOML, checked like a job
 * against one table of keys (table.c), and options that win over it.
 *
 * How a setting gets to who needs it:
 *
 *   nfo serve     reads and checks the file (all mistakes, each with its
 *                 place), overlays its options, and makes of it what the
 *                 monitor takes as options
 *   nfo-monitor   opens the file again, hands the bytes on as they are
 *   nfo-server    config_decode(): reads them again, the same code; the API
 *                 has the result as `config` (src/api/internal.h)
 *
 * To add a key: a member of `struct config` and a row in table.c.  To add a
 * section: a struct here, a row of CONFIG_MAP (or CONFIG_MAPS, for a list of
 * maps) and rows whose `where` is its name.  What is true of several keys
 * together goes into the list of checks in check.c.  `nfo config`, the messages
 * and docs/operations.md follow from the rows, and a test holds them to it.
 *
 * A setting that a reload changes is read from the struct each time it is
 * needed, and never kept beyond a turn of the loop: the struct is replaced and
 * freed by the next reload.
 */
#pragma once

#include "doc/doc.h"

enum {
	CONFIG_KEYS_MAX = 160,
	CONFIG_LIST_MAX = 64,   /* entries of a list */
	CONFIG_TEXT_MAX = 4000, /* one text */
	CONFIG_ARENA_MAX = 4 << 20,
	/* What passes the monitor: the file and the options. */
	CONFIG_BUNDLE_MAX = DOC_TEXT_MAX + (256 << 10) + (1 << 20),
	CONFIG_ATTACHED_MAX = 8,
};

/* Each text ends with a NUL behind its length. */
struct config_texts {
	struct str *items;
	size_t n;
};

struct config_pairs { /* in the order of the file */
	struct {
		struct str name, value;
	} * items;
	size_t n;
};

/* CONFIG_MAPS: entries of the row's `size`, one after another. */
struct config_list {
	void *items;
	size_t n;
};

enum config_cgroups {
	CONFIG_CGROUPS_REQUIRE,
	CONFIG_CGROUPS_PREFER
};

enum config_log_format {
	CONFIG_LOG_KV,
	CONFIG_LOG_JSON
};

struct config_log {
	unsigned format; /* enum config_log_format */
	unsigned level;  /* enum log_level */
	bool requests;
};

enum config_client {
	CONFIG_CLIENT_OPTIONAL,
	CONFIG_CLIENT_REQUIRED
};

struct config_tls {
	struct str cert, key, client_ca;
	unsigned client; /* enum config_client */
};

struct config_limits {
	int64_t connections, connections_per_client; /* 0: usual */
};

struct config_timeouts {
	int64_t header_us; /* for a request's line and headers */
	int64_t body_us;   /* a body; after that a least rate counts */
	int64_t idle_us;   /* a connection on which nothing comes or goes */
	int64_t stop_us;   /* from SIGTERM to the end of open answers */
};

/* What a token of a provider gives where all of `when` is true of it. */
struct config_oidc_role {
	struct config_pairs when; /* claim, what it is like */
	unsigned role;            /* from 0: viewer, as in `choices` */
	struct config_texts projects;
};

/* Whose tokens are logins (src/oidc). */
struct config_oidc {
	struct str name, issuer;
	struct config_texts audience;
	struct str jwks_uri, jwks_file; /* one of them */
	struct str ca_file;             /* "": whom the system trusts */
	struct config_texts algorithms;
	int64_t skew_us;
	struct config_pairs require;
	struct str subject_claim, user_claim, groups_claim; /* "": none */
	struct config_list roles; /* struct config_oidc_role */
};

/* In the order of `choices`; src/vault/provider.h has the same. */
enum config_auth {
	CONFIG_AUTH_TOKEN,
	CONFIG_AUTH_APPROLE,
	CONFIG_AUTH_JWT,
	CONFIG_AUTH_KUBERNETES,
	CONFIG_AUTH_CERT,
	CONFIG_AUTH_IDENTITY,
	N_CONFIG_AUTHS
};

/* Where secrets are besides the local store (src/vault). */
struct config_provider {
	struct str name, address, vault_namespace, tls_server_name;
	struct str ca_file, client_cert, client_key;
	unsigned auth; /* enum config_auth */
	struct str auth_mount, auth_role, audience, role_id;
	struct str token_file, secret_id_file, jwt_file;
	bool secret_id_wrapped;
	struct config_pairs kv; /* mount, version */
	struct config_texts redirects;
	int64_t timeout_us;
};

enum config_network {
	CONFIG_HELPER_NONE,
	CONFIG_HELPER_HOST
};

/* A program that gives secrets: `exec` of a job. */
struct config_helper {
	struct str name;
	struct config_texts argv;
	unsigned network; /* enum config_network */
	int64_t timeout_us;
};

/* As src/engine/retention.h has it. */
struct config_retention {
	int64_t keep_days, keep_failed_days, keep_runs, keep_log_days;
	int64_t artifact_days, audit_days;
	bool keep_last_success;
};

/* Tokens of attempts (src/identity). */
struct config_identity {
	struct str issuer; /* "": config_issuer() makes one */
	int64_t rotate_us;
};

/* Where a value is from. */
enum config_source {
	CONFIG_DEFAULT,
	CONFIG_FILE,
	CONFIG_OPTION
};

struct config {
	struct str state, policy; /* "": the command line's, or its default */
	struct config_texts listen, tls_listen, sockets;
	bool plain_listen_anywhere;
	struct config_texts hosts; /* names it has besides localhost */
	struct config_tls tls;
	unsigned cgroups; /* enum config_cgroups */
	bool allow_no_landlock;
	int64_t max_attempts;
	struct str base_path; /* "" or "/a/b": no slash at its end */
	struct config_texts trusted_proxies;
	struct config_log log;
	struct config_limits limits;
	struct config_timeouts timeouts;
	struct config_list oidc;              /* struct config_oidc */
	struct config_list secret_providers;  /* struct config_provider */
	struct config_list secret_helpers;    /* struct config_helper */
	struct config_texts secret_export_to; /* recipients of age */
	/* Not a setting: files that it names, as they were when it was read. */
	struct config_pairs attached;
	struct config_retention retention;
	struct config_identity identity;

	/* By row of the table: where its value is from, and its place. */
	unsigned char source[CONFIG_KEYS_MAX];
	struct doc_place at[CONFIG_KEYS_MAX];
	struct str file; /* where it was read from; "": nowhere */
	struct arena *arena;
};

/* --- the table ---------------------------------------------------------- */

enum config_form {
	CONFIG_TEXT,  /* struct str */
	CONFIG_TEXTS, /* struct config_texts: a list; one text is one entry */
	CONFIG_INT,   /* int64_t */
	CONFIG_BOOL,  /* bool */
	CONFIG_DURATION, /* int64_t, microseconds; min and max too */
	CONFIG_SIZE,     /* int64_t, bytes; min and max too */
	CONFIG_CHOICE,   /* unsigned: which of `choices` */
	CONFIG_PAIRS,    /* struct config_pairs: a map of texts */
	CONFIG_MAP,  /* a map: its keys are the rows of `where` == its path */
	CONFIG_MAPS, /* struct config_list: a list of such maps */
};

struct config_key {
	const char *where; /* "": the top; "log" */
	const char *name;
	enum config_form form;
	size_t at;            /* its place in struct config; below a row of
				  * CONFIG_MAPS in that row's struct */
	size_t size;          /* CONFIG_MAPS: of that struct */
	const char *fallback; /* as one would write it; NULL: none */
	const char *choices;  /* "a|b" */
	int64_t min, max;
	/* What a text has to be; NULL: it is. */
	const char *(*wrong)(struct str);
	bool required;      /* within a map of CONFIG_MAPS */
	bool restart;       /* a reload does not change it */
	const char *option; /* of `nfo serve`: "listen"; NULL: none */
	const char *help, *example;
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* "log.format", of a row. */
void config_key_path(const struct config_key *k, char out[80]);
/* By "log.format"; NULL. */
const struct config_key *config_key_find(struct str path);
/* What it is now, as JSON: durations and sizes as text, "5s". */
bool config_value_json(const struct config *c, const struct config_key *k,
		       struct buf *b);

/* A setting of its own: no map, and not within a list. */
bool config_key_is_told(const struct config_key *k);

/* The `iss` of attempts' tokens, where the API is: the setting, else of hosts,
 * tls_listen and base_path. */
bool config_issuer(const struct config *c, struct buf *b);

/* Is it one, as base_path of the file? */
bool config_base_path_ok(struct str s);

/* --- reading ------------------------------------------------------------ */

/* The defaults. */
struct config *config_new(void) MUST_USE;
void config_free(struct config *c);
/* All that is wrong is in ps then. */
MUST_USE int config_read(struct config *c, struct str text,
			 enum doc_syntax syntax, struct problems *ps);
/* An option, "log.format" and "json"; several of a list's are its entries,
 * and take the place of the file's. */
MUST_USE int config_set(struct config *c, struct str path, struct str value,
			struct err *e);
/* What is true of several keys together; after the above. */
MUST_USE int config_check(const struct config *c, struct problems *ps);

/*
 * What the monitor hands on: "NAME LENGTH\n" of the file and its bytes, then
 * each option as "- LENGTH\nPATH=VALUE", and each file that a setting names as
 * "+PATH LENGTH\n" and its bytes; everything ends with "\n".
 * ret_name (may be NULL) gets the file's name, "" when there is none.
 */
MUST_USE int config_decode(struct str bundle, struct config **ret,
			   char ret_name[CONFIG_TEXT_MAX], struct problems *ps);

/* --- for the keeper ------------------------------------------------------ */

/*
 * What `nfo serve` gives the monitor, framed as above: "list" is the JSON that
 * the keeper reads (src/vault/provider.h), then "N KEY" for each file that the
 * N-th provider names, from 0, its content the path.  Empty: no providers.
 */
bool config_providers(const struct config *c, struct buf *b);
/* Behind it: "helper LENGTH\n" frames, each of frames `name`, `network`,
 * `timeout` (seconds) and `arg`, as often as there are. */
bool config_helpers(const struct config *c, struct buf *b);

/* --- telling ------------------------------------------------------------ */

/* "10s to 1h", "a list", ...: what a value may be, for people. */
bool config_key_takes(const struct config_key *k, struct buf *b);
/* All keys (path ""), or what is at or below one: for people. False: none. */
bool config_explain(struct str path, struct buf *b);
/* [{"key","type","default","reload","option","help"}] of the table. */
bool config_table_json(struct buf *b);
/* [{"key","value","source","reload"}] of what is in force; of what needs a
 * restart that is what was at the start, and beside it "after_restart". */
bool config_json(const struct config *start, const struct config *c,
		 struct buf *b);
/* What is wrong, to the log. */
void config_tell(const struct problems *ps, const char *file);
