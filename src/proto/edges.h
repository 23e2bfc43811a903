/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Every message on every edge between roles, in one place.  Each role has a
 * gate table over these; what is not in it ends the sender.
 *
 *   server  <-> monitor   one channel, for the life of the server
 *   server  <-> keeper    one channel, for the life of both
 *   server's http thread <-> monitor    one, for what is read anew
 *   keeper, spawner, zygote <-> monitor    one channel each
 *   runner  <-> monitor, keeper, spawner   one each per attempt
 *   server  <-> fetcher   one channel, for the life of the monitor
 *
 * A role's program is executed by the monitor with argv[0] "nfo: ROLE", its
 * channel to the monitor as descriptor 3, and nothing else; the first message
 * there is MSG_INIT.
 */
#pragma once

#include "base/chan.h"
#include "proto/grant.h"
#include "proto/state.h"

enum {
	ROLE_FD = 3,
	FETCH_BODY_MAX = 256 * 1024 /* of one URL */
};

enum role {
	ROLE_MONITOR,
	ROLE_SERVER,
	ROLE_KEEPER,
	ROLE_SPAWNER,
	ROLE_ZYGOTE,
	ROLE_RUNNER,
	ROLE_FETCHER, /* only where there is something to fetch */
	N_ROLES,
};

const char *role_name(enum role r);

enum msg_type {
	/* monitor -> role: INIT, see struct role_init; role -> monitor: READY
	 * (no body) once it serves, or FAILED{text} and exit. */
	MSG_INIT = 1,
	MSG_READY,
	MSG_FAILED,
	/* monitor -> role: finish in order and exit; server -> monitor: nobody
	 * needs us any more */
	MSG_STOP,

	/* server -> monitor */
	MSG_LAUNCH = 16, /* grant; fds enum launch_fd (all present) */
	MSG_CANCEL,      /* attempt_id; ends it with CANCELLED */
	MSG_RELEASE,     /* workspace ulid, uid_slot u32: remove a shared one */
	/* monitor -> server */
	MSG_ALIVE,     /* attempt_id: runs; sent to a new server, and to a new
			keeper, then: */
	MSG_ALIVE_END, /* no body: what was not named is dead */
	MSG_STARTED,   /* attempt_id, real_us i64; relayed from the runner */
	MSG_ENDED,     /* struct ended */
	/* for the watchdog, on both channels of the server: does this thread
	 * live?  monitor -> server, and the same back */
	MSG_PING, /* u64 */
	MSG_PONG,

	/* monitor -> keeper, spawner: one attempt's channel end */
	MSG_GRANT = 32, /* grant; fd 0: the channel to the runner */
	MSG_SERVER,     /* to the keeper; fd 0: the channel to a new server */
	/* monitor -> zygote */
	MSG_FORK, /* grant, n_readers u8; fds enum fork_fd */
	/* zygote -> monitor */
	MSG_FORKED, /* attempt_id; fd 0: pidfd of the runner */
	/* monitor -> keeper, for one that did not hear its GRANT too */
	MSG_GONE, /* attempt_id: its runner has ended */

	/* runner -> monitor */
	MSG_RUN_STARTED = 48, /* attempt_id, real_us i64 */
	MSG_RUN_ENDED,        /* struct ended; result was synced before */
	/*
	 * A writer in a pipe group failed and still holds its pipes open.  The
	 * monitor ends the readers (RUN_CANCEL with KIND_UPSTREAM), waits for
	 * their RUN_ENDED, then says RUN_RELEASE to the writer.
	 */
	MSG_RUN_UPSTREAM, /* attempt_id */
	/* monitor -> runner */
	MSG_RUN_CANCEL, /* attempt_id, kind u8 (0: cancelled by somebody) */
	MSG_RUN_RELEASE,

	/*
	 * runner -> keeper: several at once, each with a tag of its own that is
	 * not used again; the answers, SECRET or SECRET_NO, come as they may.
	 */
	MSG_FETCH = 64, /* tag u8, canonical reference, str */
	MSG_SECRET,     /* tag u8, form u8 (enum secret_form), then str up to
			 SECRET_INLINE_MAX bytes, or fd 0: sealed memfd */
	MSG_SECRET_NO,  /* tag u8, code u8 (enum err_code), wait u8 (1: it is
			 away, a later attempt may have it), text str */
	MSG_SECRET_NEW, /* as SECRET, of one that was fetched with
			 GRANT_REF_REFRESH: what it is from now on */

	/* runner -> spawner: one MAKE, then KILL at any time */
	MSG_MAKE = 80, /* see sandbox_make */
	MSG_KILL,      /* no body: SIGKILL to everything in the sandbox */
	MSG_REAP,      /* no body: wait, tear down, answer USAGE */
	/* spawner -> runner */
	MSG_MADE,    /* struct made; fds enum made_fd */
	MSG_MAKE_NO, /* step str, sys u32, text str, kind u8 (fail_kind) */
	MSG_USAGE,   /* struct usage */

	/* server -> keeper; answers carry the same tag u64 first */
	MSG_PUT = 96, /* tag, project, name, expect u64, value (str <= 15,000 |
			 fd memfd); expect: what must be there, EXPECT_* */
	MSG_PUT_SEALED, /* tag, project, name, expect u64; fd 0: sealed memfd,
			   secrets/sealed.h: a PUT that we cannot read */
	MSG_LIST,       /* tag, project, after str (a name; "": the first),
			 limit u32 */
	MSG_REMOVE,     /* tag, project, name, expect u64 */
	MSG_SCAN,       /* tag, project, text str: YES when a secret is in it */
	MSG_STATUS,     /* tag */
	MSG_OK,         /* tag, number u64; PUT: version, made u8: there was
			 none, and str: how it is not redacted,
			 for people; "": in every way */
	MSG_NO,         /* tag, code u8, errno u32, text str */
	MSG_LISTED, /* tag, version u64 (LIST: 1 there are more); fd 0: sealed memfd, JSON
			 of metadata */
	MSG_SCANNED, /* tag, hit u8 */
	MSG_VERIFY, /* tag, struct verify; a MAC: fd 0, memfd: what is signed */
	MSG_VERIFIED, /* tag, yes u8; a missing secret is a no like any other */
	MSG_SHOW,     /* tag, project, name: LISTED, an object */
	MSG_VERSIONS, /* tag, project, name: LISTED, an array, newest first */
	/* of the keys of runs' private files; no tag, nobody waits */
	MSG_RUN_GONE, /* server -> keeper; ulid: its key goes, if there is one */
	MSG_RUN_KEYS,    /* server -> keeper, no body: which are there? */
	MSG_RUN_KEYS_OF, /* keeper -> server, no body; fd 0: sealed memfd, their
			    ULIDs, up to RUN_KEYS_MAX bytes */

	/* server's http thread <-> monitor, on a channel of their own */
	MSG_RELOAD = 224, /* no body: read everything anew; then: */
	MSG_RELOADED,     /* monitor -> server: ok u8, text str */
	/* monitor -> server: policies changed u8; fds: settings, policies, and
	 * certificates as in INIT; then: */
	MSG_ANEW,
	/* server -> monitor: ok u8, log format u8 and level u8 (base/log.h),
	 * text str */
	MSG_TAKEN,
	MSG_DOCTOR, /* server -> monitor, no body: what can this machine do? */
	MSG_DOCTORED, /* no body; fd 0: sealed memfd, JSON; none: it failed */

	/* server -> fetcher: only of URLs that the monitor gave it */
	MSG_FETCH_URL = 128, /* tag, SHA-256 of the URL */
	/* fetcher -> server */
	MSG_FETCHED_URL,  /* tag, max_age_s u32; fd 0: sealed memfd */
	MSG_FETCH_URL_NO, /* tag, text str */

	/* keeper -> monitor: open a file of the settings for me */
	MSG_CREDENTIAL = 136, /* tag u32, provider u16, which u8 */
	/* monitor -> keeper */
	MSG_CREDENTIAL_IS, /* tag u32, code u8, text str; code 0: fd 0, read
			    only */

	/* keeper -> server, of itself: at the start of their channel for all
	 * providers, the local store last, then at each change */
	MSG_PROVIDER_STATE = 144, /* name str ("": the local store), state u8,
				   text str */

	/* server -> keeper, answered as MSG_PUT and the like are; what opens
	 * the store (secrets/store.h) */
	MSG_SEAL_STATUS = 160, /* tag: LISTED, an object */
	MSG_SEAL,              /* tag */
	MSG_UNSEAL,      /* tag, accept an older database u8, passphrase str
			  ("": by what needs nobody) */
	MSG_SLOTS,       /* tag: LISTED, an array */
	MSG_SLOT_ADD,    /* tag, kind u8 (enum secret_slot_kind), log2 of N u8,
			  str: the passphrase, or PROVIDER[/MOUNT]/KEY of
			  a transit one: OK with its number */
	MSG_SLOT_REMOVE, /* tag, number u64 */
	MSG_ROTATE,      /* tag: OK with the term */
	MSG_REKEY,       /* tag, n u8, passphrases str: OK with the term */
	MSG_VERSION,     /* tag, project, name, version u64 (0: the newest),
			  enum version_change u8 */
	MSG_RECIPIENT,   /* tag: LISTED, an object */
	MSG_EXPORT,      /* tag, project, recipient of age str, one that INIT
			  named or our own: LISTED, a file of age, up to
			  SECRET_FILE_MAX bytes */
	MSG_IMPORT,   /* tag, project; fd 0: sealed memfd, such a file: OK with
			  how many were stored */
	MSG_DESCRIBE, /* tag, project, name, description str, versions u8 */
	/* keeper -> server, when it is new and when they change: the public
	 * halves of its own keys.  No tag: nobody asked. */
	MSG_PUBLIC_KEYS, /* struct public_keys */
	/* keeper -> server, when it is new and when it changes */
	MSG_LEASE_COUNT, /* u32: leases that are open */

	/* server -> keeper; tag u64 first, the answers are LISTED and NO */
	MSG_PROVIDERS = 152, /* tag, name str ("": all): an array, or one */
	MSG_PROVIDER_CHECK,  /* tag, name str; fd 0: sealed memfd, "KIND PATH\n"
			      for each path that jobs read: an object */

	/* server -> keeper; answered as those above with a tag */
	MSG_LEASES = 208, /* tag, provider, project, run (ULID), each "" for
			   any, after (ULID; "": the first), limit u32: LISTED */
	MSG_LEASE_REVOKE, /* tag, id (ULID): OK, it is being revoked */
};

/* MSG_FETCH with this tag and no reference is for the key of the run's private
 * files; the answer is a value of 32 bytes. */
enum {
	FETCH_RUN_KEY = 255
};

/*
 * Helpers that give secrets (`secret_helpers` of the settings), which only the
 * monitor knows: the keeper asks for one by name, for nobody else.
 */
enum {
	MSG_HELPER = 232, /* keeper -> monitor: tag u32, name str; fds enum
			    * helper_fd from HELPER_STDIN to HELPER_STDERR */
	MSG_HELPER_ENDED, /* monitor -> keeper: tag u32, struct helper_end */
	MSG_FORK_HELPER,  /* monitor -> zygote: grant, n u8, str each; fds enum
			    * helper_fd; answered as FORK */
	MSG_HELPER_DONE,  /* who carries it out -> monitor: struct helper_end */
};

enum helper_fd {
	HELPER_MONITOR, /* the channels of who carries it out */
	HELPER_SPAWNER,
	HELPER_STDIN, /* sealed memfd */
	HELPER_STDOUT,
	HELPER_STDERR,
	HELPER_PROGRAM, /* its file; /dev/null: below /usr */
	N_HELPER_FDS,
};

enum {
	HELPERS_MAX = 16, /* of the settings, and at once */
	HELPER_ARGS_MAX = 32,
	HELPER_NAME_MAX = 63,
	/* Uids that no attempt of the server's gets. */
	HELPER_UID_FIRST = GRANT_UID_SLOT_MAX - HELPERS_MAX + 1,
};

struct helper_end {
	uint8_t code;    /* enum err_code; ERR_NONE: it ran */
	uint32_t status; /* of wait(2) */
	bool timed_out;
	char text[ERR_TEXT_MAX]; /* with a code: why it did not run */
};

/* What a fetched secret is. */
enum secret_form {
	SECRET_VALUE,  /* bytes */
	SECRET_FIELDS, /* several values with names: secrets/fields.h */
	N_SECRET_FORMS,
};

enum {
	SECRET_INLINE_MAX = 15000, /* bytes of a value in a message's body */
	RUN_KEYS_MAX = 4 << 20,
	SECRET_FILE_MAX = 16
			  << 20, /* of what is exported or imported at once */
};

/* Files that the settings of a provider may name. */
enum credential {
	CREDENTIAL_CA,          /* PEM; may be read by all */
	CREDENTIAL_CLIENT_CERT, /* PEM; likewise */
	CREDENTIAL_CLIENT_KEY,
	CREDENTIAL_TOKEN,
	CREDENTIAL_SECRET_ID,
	CREDENTIAL_JWT,
	N_CREDENTIALS,
};
enum {
	CREDENTIAL_MAX = 256 * 1024, /* bytes of one */
};
/* "ca_file", ...: the key of the settings. */
const char *credential_name(enum credential c);

enum version_change {
	VERSION_DELETE,
	VERSION_UNDELETE,
	VERSION_DESTROY,
	N_VERSION_CHANGES,
};

enum provider_state {
	PROVIDER_UP,
	PROVIDER_DOWN,   /* does not answer, or answers nonsense */
	PROVIDER_SEALED, /* has to be unsealed by somebody */
	N_PROVIDER_STATES,
};
const char *provider_state_name(enum provider_state s);

/* What must be there for a PUT or REMOVE: a version, or one of these. */
#define EXPECT_NONE 0ULL
#define EXPECT_ANY  UINT64_MAX

/* Both, so that a stale message about an earlier holder is seen as such. */
struct attempt_id {
	struct ulid attempt;
	uint64_t fence;
};

struct ended {
	struct attempt_id id;
	uint8_t state;     /* enum run_state */
	uint8_t kind;      /* enum fail_kind */
	int32_t exit_code; /* -1: none */
	uint8_t signo;     /* 0: none */
};

/* The descriptors of LAUNCH, in this order; then of FORK behind its own. */
enum launch_fd {
	LAUNCH_JOB,     /* sealed memfd: job/attempt.h as JSON */
	LAUNCH_LOG,     /* log.data, append */
	LAUNCH_INDEX,   /* log.idx, append */
	LAUNCH_RESULT,  /* result, write */
	LAUNCH_STAGING, /* directory for artifacts, write */
	LAUNCH_FILES,   /* directory of files to lay in, read */
	LAUNCH_SOURCE,  /* plain tar, read; empty file: no source */
	N_LAUNCH_FDS,
};

enum fork_fd {
	FORK_MONITOR = N_LAUNCH_FDS, /* the runner's channel ends */
	FORK_KEEPER,
	FORK_SPAWNER,
	FORK_STDIN,   /* read end of the pipe, or /dev/null */
	FORK_READERS, /* n_readers write ends follow */
	FORK_READERS_MAX = 4,
};

/* runner -> spawner: only names and counts; all authority is in the grant.
 * Each secret becomes an empty file of mode 0400 owned by the task on the
 * secrets tmpfs; each file one under $NFO_FILES.  Writable descriptors of
 * them come back in MADE, in order: control socket, script, secrets..., in
 * several messages when there are many (see made.more). */
enum {
	MAKE_SECRETS_MAX = 64,
	MAKE_SECRET_NAME_MAX = 127
};

struct make {
	uint8_t n_secrets;
	char secrets[MAKE_SECRETS_MAX][MAKE_SECRET_NAME_MAX + 1];
	/* a name or NAME/FIELD, each part [A-Za-z0-9._-]+, no leading dot */
};

struct usage {
	uint64_t cpu_us, memory_peak_bytes;
	uint32_t pids_peak;
	uint8_t oom;           /* the memory limit killed something */
	uint8_t disk_full;     /* the disk limit was reached */
	uint32_t not_enforced; /* bits of enum not_enforced */
};

enum not_enforced {
	NOT_ENFORCED_MEMORY = 1,
	NOT_ENFORCED_PIDS = 2,
	NOT_ENFORCED_CPU = 4,
	NOT_ENFORCED_DISK = 8,
	NOT_ENFORCED_SWAP = 16,
};

/*
 * Was something signed with a secret of the project?  What was signed comes
 * from strangers and is not looked into.
 */
enum verify_how {
	VERIFY_HMAC,       /* HMAC-SHA256 under the secret */
	VERIFY_HMAC_WHSEC, /* the same; after "whsec_" the key is base64 */
	VERIFY_TOKEN,      /* the secret itself was presented */
	N_VERIFY_HOWS,
};

enum {
	VERIFY_MACS_MAX = 8,
	VERIFY_TOKEN_MAX = 1024,
	VERIFY_REF_MAX = 256,
	VERIFY_CONTENT_MAX = (1 << 20) + 1024
};

struct verify {
	struct str project; /* 63 bytes; borrowed from the message */
	struct str ref;     /* canonical; "": nobody's, the answer is no */
	uint8_t how;        /* enum verify_how */
	uint8_t n_macs;
	struct hash macs[VERIFY_MACS_MAX]; /* one of them must be it */
	struct str token;                  /* VERIFY_TOKEN */
};

enum {
	ISSUER_MAX = 255,
	PUBLIC_KEYS_MAX = 4096
};

struct public_keys {
	struct str issuer; /* of the tokens; borrowed from the message */
	struct str jwks;   /* JSON: what they are signed with */
	/* what secrets on their way are sealed to: members of a JSON object */
	struct str sealing;
};

/*
 * MSG_INIT.  Every role gets the same body and takes what is its own; the
 * descriptors, in this order:
 *
 *   keeper            its providers, where there are any (sealed memfd, see
 *                     src/vault/provider.h), and last, if unseal_credential,
 *                     what unseals the store (a file, as a key file is)
 *   spawner           none
 *   zygote            policies (sealed memfd, policy_set_encode)
 *   fetcher           its list (sealed memfd: "URL LENGTH\n", so many bytes of
 *                     PEM, "\n"), channel to the server
 *   server            enum init_fd; where it serves TLS a certificate and its
 *                     key, and for clients' certificates their CAs (sealed
 *                     memfds, PEM); then the listening sockets
 */
enum {
	INIT_PATH_MAX = 4000,
	INIT_LISTENERS_MAX = 16,
	EXPORT_TO_MAX = 8,
	EXPORT_TO_LEN = 62,
};

enum init_fd {
	INIT_POLICIES,
	INIT_KEEPER,  /* channel to the keeper */
	INIT_CONFIG,  /* settings (sealed memfd, config_decode) */
	INIT_CONTROL, /* channel to the monitor, of the http thread */
	INIT_FETCHER, /* channel to the fetcher, which may not be there */
	N_INIT_FDS,
};

enum tls_fd {
	TLS_CERT,
	TLS_KEY,
	TLS_CLIENT_CA,
	N_TLS_FDS
};

/* How large each may be. */
enum {
	TLS_CERT_MAX = 256 * 1024,
	TLS_KEY_MAX = 64 * 1024,
	TLS_CLIENT_CA_MAX = 4 << 20
};

struct role_init {
	char state[INIT_PATH_MAX + 1]; /* absolute; the role's own part of it */
	uint32_t owner_uid;            /* who may do everything */
	uint32_t max_attempts;
	uint32_t idle_exit_s; /* server: asks to STOP after so long; 0 never */
	uint8_t cgroups_required;
	uint8_t first_start;         /* server: nothing can be alive */
	uint8_t landlock_optional;   /* goes on where the kernel has none */
	uint8_t unseal_credential;   /* keeper: there is one */
	char issuer[ISSUER_MAX + 1]; /* keeper: of the tokens it signs */
	uint32_t identity_rotate_s;  /* keeper: how long with one key */
	/* keeper: of age, whom it may seal an export to besides itself */
	uint8_t n_export_to;
	char export_to[EXPORT_TO_MAX][EXPORT_TO_LEN + 1];
	/* what follows is the server's */
	uint32_t tls_listeners; /* bit i: the i-th listening socket is TLS */
	uint8_t n_tls_fds;      /* 0, 2 or, with a client CA, 3 */
	uint8_t log_format, log_level, log_journal; /* base/log.h */
};

void role_init_encode(const struct role_init *m, struct wire_writer *w);
MUST_USE int role_init_decode(struct wire_reader *r, struct role_init *ret);

void attempt_id_encode(const struct attempt_id *id, struct wire_writer *w);
MUST_USE int attempt_id_decode(struct wire_reader *r, struct attempt_id *ret);
void ended_encode(const struct ended *m, struct wire_writer *w);
MUST_USE int ended_decode(struct wire_reader *r, struct ended *ret);
void make_encode(const struct make *m, struct wire_writer *w);
MUST_USE int make_decode(struct wire_reader *r, struct make *ret);
void verify_encode(const struct verify *m, struct wire_writer *w);
MUST_USE int verify_decode(struct wire_reader *r, struct verify *ret);
void public_keys_encode(const struct public_keys *m, struct wire_writer *w);
MUST_USE int public_keys_decode(struct wire_reader *r, struct public_keys *ret);
void helper_end_encode(const struct helper_end *m, struct wire_writer *w);
MUST_USE int helper_end_decode(struct wire_reader *r, struct helper_end *ret);
void usage_encode(const struct usage *m, struct wire_writer *w);
MUST_USE int usage_decode(struct wire_reader *r, struct usage *ret);
