/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What one attempt may do: fixed in size, made by the server at LAUNCH,
 * checked by the monitor, handed unchanged to keeper and spawner.  A channel
 * is its attempt; ids in later messages are only compared.
 */
#pragma once

#include "base/hash.h"
#include "base/id.h"
#include "base/wire.h"

enum {
	GRANT_UID_SLOT_MAX = 65535
};
#define GRANT_TIME_MAX_US ((uint64_t)400 * 86400 * 1000000)

enum {
	GRANT_REFS_MAX = 64,
	GRANT_GROUP_MAX = 16,
	GRANT_NAME_MAX = 63,
	GRANT_SUBMITTER_MAX = 511,
	GRANT_URL_MAX = 2048,
	GRANT_GITREF_MAX = 255,
	GRANT_COMMIT_MAX = 64,
	GRANT_AUDIENCE_MAX = 255
};

enum grant_workspace {
	WORKSPACE_DISK,   /* a directory of its own, removed at the end */
	WORKSPACE_SHARED, /* one directory for a run; RELEASE removes it */
	WORKSPACE_MEMORY, /* tmpfs, counts as memory */
};

enum grant_network {
	NETWORK_NONE,
	NETWORK_HOST
};

/* How a secret may reach the task: bits. */
enum {
	DELIVER_FILE = 1,
	DELIVER_FD = 2,
	DELIVER_STDIN = 4,
	DELIVER_ENV = 8
};

/* What is to become of it: bits. */
enum {
	GRANT_REF_KEEP = 1,   /* its lease is not ended with the attempt */
	GRANT_REF_REFRESH = 2 /* new values are handed on while it runs */
};

/* Bytes, counts, thousandths of a CPU, microseconds; 0: no limit asked. */
struct grant_limits {
	uint64_t memory_bytes, disk_bytes, log_bytes;
	uint32_t pids, cpu_milli, open_files;
};

/* Where the definition is from. */
enum grant_from {
	GRANT_SENT,  /* whoever made the run sent it along */
	GRANT_STORED /* a revision that the project keeps under that name */
};

/* What its files are from. */
enum grant_source {
	GRANT_SOURCE_NONE,
	GRANT_SOURCE_UPLOAD,
	GRANT_SOURCE_GIT
};

/* Who it is: all that a token of its own may say, and what an author of a job
 * cannot choose freely but for the names, which policy binds. */
struct grant_who {
	char job[GRANT_NAME_MAX + 1];
	char task[GRANT_NAME_MAX + 1]; /* of the job's; not the instance */
	struct ulid run;
	struct hash definition;  /* of the canonical job */
	uint8_t definition_from; /* enum grant_from */
	char submitter[GRANT_SUBMITTER_MAX + 1];
	char trigger[GRANT_NAME_MAX + 1]; /* "api", "schedule", ... */
	uint8_t source;                   /* enum grant_source */
	struct hash source_digest;        /* of an upload */
	/* of git; the commit is what was fetched */
	char url[GRANT_URL_MAX + 1];
	char ref[GRANT_GITREF_MAX + 1];
	char commit[GRANT_COMMIT_MAX + 1];
};

struct grant {
	struct ulid attempt;
	uint64_t fence;
	char project[GRANT_NAME_MAX + 1];
	struct hash run_digest, policy_digest;
	struct {
		struct hash ref; /* SHA-256 of the canonical reference */
		uint8_t deliver; /* DELIVER_* bits */
		uint8_t flags;   /* GRANT_REF_* bits */
	} refs[GRANT_REFS_MAX];
	uint8_t n_refs;
	char profile[GRANT_NAME_MAX + 1]; /* a name the spawner has loaded */
	uint32_t uid_slot;                /* belongs to the workspace */
	struct ulid workspace;            /* the attempt's id, or the run's */
	uint8_t workspace_kind;           /* enum grant_workspace */
	uint8_t network;                  /* enum grant_network */
	uint8_t cgroups_required;         /* 0: goes on without, and says so */
	struct grant_limits limits;
	uint64_t timeout_us, grace_us;
	/*
	 * A pipe group is launched together: the monitor waits until all
	 * group_size members came, then makes the pipes.
	 */
	struct ulid group; /* of a lone attempt: its own id */
	uint8_t group_size, group_index;
	uint8_t stdin_from; /* index of the writer in the group; 255: none */
	uint8_t run_key;    /* 1: may have the key of the run's private files */
	struct grant_who who;
};

enum {
	GRANT_NO_STDIN = 255
};

/* Whom a token may be for: 1 to GRANT_AUDIENCE_MAX bytes of printable ASCII
 * without space, quotes and backslash. */
bool grant_audience_ok(struct str s);

void grant_encode(const struct grant *g, struct wire_writer *w);
/* Checks every range and name; -1 when anything is out of bounds. */
MUST_USE int grant_decode(struct wire_reader *r, struct grant *ret);
