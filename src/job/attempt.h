/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One attempt of one task instance, resolved: every expression evaluated, every
 * default filled in.  The engine makes it, policy decides over it (in the
 * server and again in the runner), the runner carries it out.  It travels as
 * JSON in a sealed memfd.  All text lives in one arena.
 */
#pragma once

#include "base/err.h"
#include "base/mem.h"
#include "doc/doc.h"
#include "proto/grant.h"

enum {
	ATTEMPT_JSON_MAX = 4 << 20 /* what decode takes */
};

struct job_pair {
	struct str name, value;
};

struct job_secret_use {
	struct str name;  /* as the task calls it */
	struct str ref;   /* canonical, see secrets/ref.h; opaque here */
	struct str field; /* "" : none */
	uint8_t deliver;  /* DELIVER_* bits; DELIVER_FILE by default */
	bool leak_fails;  /* on_leak: fail */
	bool refresh;     /* a new value is written into its file */
	bool keep;        /* its lease outlives the attempt */
};

/* A file of text with secrets put in; job/template.h. */
struct job_template {
	struct str file; /* below $NFO_SECRETS */
	struct job_template_part {
		struct str text; /* of a secret: "" */
		uint8_t secret;  /* of `secrets`, from 1; 0: it is text */
		uint8_t quote;   /* enum template_quote */
		struct str field;
	} * parts;
	size_t n_parts;
};

struct job_output {
	struct str name, pattern; /* pattern: POSIX ERE, "" for any */
	uint8_t type;             /* enum job_type */
	uint32_t max_bytes;       /* at most 64 KiB */
};

enum job_type {
	TYPE_STRING,
	TYPE_INT,
	TYPE_BOOL,
	TYPE_LIST,
	TYPE_JSON
};
enum job_when {
	WHEN_SUCCEEDED = 1,
	WHEN_FAILED = 2,
	WHEN_ALWAYS = 3
};

/* What is kept for later runs; key "" : nothing. */
struct job_cache {
	struct str key;
	struct str *paths; /* files and directories below the workspace */
	size_t n_paths;
	/* the engine's: what it starts from */
	struct str *restore_keys;
	size_t n_restore_keys;
	struct str hit; /* key of the one that is laid in; "" : none */
	bool exact;     /* it is the one of this key: not kept again */
	char sha256[HASH_HEX_LEN + 1]; /* "" : none */
};

struct job_artifact {
	struct str name;
	struct str *paths; /* globs below the workspace; several: one tar */
	size_t n_paths;
	bool many;    /* given as a list: becomes a tar also with one hit */
	uint8_t when; /* enum job_when */
	bool optional, allow_secret;
	bool is_private;    /* sealed with the run's key */
	uint64_t max_bytes; /* 0: the server's limit */
	uint64_t retain_us; /* 0: for ever */
};

/* An artifact of another task, laid in read-only as $NFO_FILES/TASK/FILE. */
struct job_file {
	struct str task, file;
	struct str staged; /* name in the LAUNCH_FILES directory */
	bool is_private;   /* sealed with the run's key */
	char sha256[HASH_HEX_LEN + 1];
};

enum job_log_mode {
	LOG_ALL,
	LOG_NONE,
	LOG_SIZE
};

struct job_attempt {
	struct arena *arena;
	/* who and what */
	struct str project, job, run_id, task; /* task: the instance's name */
	struct ulid attempt;
	uint32_t number; /* attempt 1, 2, ... */
	uint64_t fence;
	struct str submitter, trigger; /* "uid:1000", "api" */
	/* what runs: exactly one of script (with shell, args) and argv */
	bool has_script;
	struct str script; /* bytes */
	struct str *shell; /* e.g. /bin/sh -eu */
	size_t n_shell;
	struct str *args; /* behind the script, or the argv */
	size_t n_args;
	struct job_pair *env; /* the declared ones; runner adds the NFO_ ones */
	size_t n_env;
	struct job_pair *inputs, *matrix; /* become NFO_INPUT_*, NFO_MATRIX_* */
	size_t n_inputs, n_matrix;
	/* in and out */
	bool stdin_pipe;        /* stdin is another task's stdout */
	uint8_t n_readers;      /* tasks that read our stdout live */
	uint8_t log_mode;       /* enum job_log_mode, of stdout */
	uint64_t log_max_bytes; /* both streams; default 64 MiB */
	struct str stdout_artifact, stdout_file; /* "" : none */
	struct job_output *outputs;
	size_t n_outputs;
	struct job_artifact *artifacts;
	size_t n_artifacts;
	struct job_file *files;
	size_t n_files;
	struct job_cache cache;
	struct job_secret_use *secrets;
	size_t n_secrets;
	struct job_template *templates;
	size_t n_templates;
	/* where */
	struct str profile, network; /* network: none | host */
	struct grant_limits limits;
	uint8_t workspace_kind; /* enum grant_workspace */
	bool has_source;
	/* "" : it fetches no source.  Else the URL, which policy is asked about
	 * instead of the network. */
	struct str fetches;
	uint64_t timeout_us, grace_us;
};

/* Does it make or take in what is sealed with the run's key? */
bool job_attempt_private(const struct job_attempt *a);

/* JSON out; the writer of the memfd. */
bool job_attempt_encode(const struct job_attempt *a, struct buf *b);
/* JSON in, every field checked; the caller frees. */
MUST_USE int job_attempt_decode(struct str json, struct job_attempt **ret,
				struct err *e);
void job_attempt_free(struct job_attempt *a);
