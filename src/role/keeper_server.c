/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the keeper does for the server: put, remove, and say whether a text holds
 * a secret (keeper_verify.c: or was signed with one; keeper_tell.c: which there
 * are).  Nothing here sends a value.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "secrets/redact.h"
#include "secrets/scanner.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
	SCAN_TEXT_MAX = 15000,
	SCANS_PER_S = 200,
};

int keeper_answer(struct keeper *k, uint64_t tag, int bad, uint64_t number,
		  const struct err *e)
{
	struct wire_writer w = {.len = 0};
	struct err ignored;

	wire_u64(&w, tag);
	if (!bad) {
		wire_u64(&w, number);
		return chan_post(k->server, MSG_OK, &w, NULL, 0, &ignored);
	}
	wire_u8(&w, (uint8_t)e->code);
	wire_u32(&w, (uint32_t)e->sys);
	wire_str(&w, str_from(e->text));
	return chan_post(k->server, MSG_NO, &w, NULL, 0, &ignored);
}

/* One thread, one process: what is so now is so when it is done. */
static int check_expected(struct keeper *k, struct str project, struct str name,
			  uint64_t expect, bool *ret_there, struct err *e)
{
	struct secret_meta m = {.current = 0};

	*ret_there = !secret_store_stat(k->store, project, name, &m, e);
	if (!*ret_there && e->code != ERR_NOT_FOUND)
		return -1;
	if (expect == EXPECT_ANY || (*ret_there ? m.current : 0) == expect)
		return 0;
	if (!*ret_there)
		return err_set(e, ERR_STALE, "there is none to match");
	return err_set(e, ERR_STALE, "it is at version %" PRIu64 " now",
		       m.current);
}

/* MSG_OK with the version, whether it is the first that there is now, and what a
 * redactor cannot do with it. */
static int put_done(struct keeper *k, uint64_t tag, uint64_t version, bool made,
		    enum redact_status masked)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u64(&w, tag);
	wire_u64(&w, version);
	wire_u8(&w, made);
	wire_str(&w, masked == REDACT_FULL ?
			     STR("") :
			     str_from(redact_status_text(masked)));
	return chan_post(k->server, MSG_OK, &w, NULL, 0, &e);
}

int keeper_put_value(struct keeper *k, uint64_t tag, struct str project,
		     struct str name, uint64_t expect,
		     const struct secret *value)
{
	enum redact_status masked =
		redact_judge(secret_bytes(value), &project, 1);
	uint64_t version = 0;
	struct err e;
	bool there;
	int bad;

	if (masked == REDACT_TOO_SHORT) {
		err_set(&e, ERR_INVALID,
			"a secret under %d bytes cannot be redacted in logs",
			REDACT_MIN);
		return keeper_answer(k, tag, -1, 0, &e);
	}
	scanner_changed(k->scanner, project);
	bad = check_expected(k, project, name, expect, &there, &e) ||
	      secret_store_put(k->store, project, name, value,
			       SECRET_VALUE_BYTES, SECRET_STORE_ANY, &version,
			       &e);
	return bad ? keeper_answer(k, tag, -1, 0, &e) :
		     put_done(k, tag, version, !there, masked);
}

static int put(struct keeper *k, uint64_t tag, struct wire_reader *r,
	       struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	uint64_t expect = wire_get_u64(r);
	CLEANUP_SECRET struct secret *value = NULL;
	struct err e;
	size_t len;
	int bad;

	if (!msg->n_fds) {
		struct str v = wire_get_str(r, SECRET_INLINE_MAX);

		bad = !wire_end(r) || secret_new(v.p, v.len, 0, &value, &e);
		if (bad)
			return -1;
	} else {
		bad = !wire_end(r) ||
		      fd_memfd_check(msg->fds[0], SECRET_STORE_VALUE_MAX, &len,
				     &e) ||
		      secret_new(NULL, len, 0, &value, &e) ||
		      pread(msg->fds[0], secret_room(value), len, 0) !=
			      (ssize_t)len;
		if (bad)
			return -1;
	}
	return keeper_put_value(k, tag, project, name, expect, value);
}

static int remove_one(struct keeper *k, uint64_t tag, struct wire_reader *r,
		      struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	uint64_t expect = wire_get_u64(r);
	struct err e;
	bool there;
	int bad;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	scanner_changed(k->scanner, project);
	bad = check_expected(k, project, name, expect, &there, &e) ||
	      secret_store_remove(k->store, project, name, 0, &e);
	return keeper_answer(k, tag, bad, 0, &e);
}

static bool too_often(struct keeper *k)
{
	int64_t second = clock_mono_us() / 1000000;

	if (second != k->scan_second) {
		k->scan_second = second;
		k->scans = 0;
	}
	return ++k->scans > SCANS_PER_S;
}

static int scan(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63);
	struct str text = wire_get_str(r, SCAN_TEXT_MAX);
	struct wire_writer w = {.len = 0};
	bool hit = false;
	struct err e;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	if (too_often(k)) {
		err_set(&e, ERR_LIMIT, "too many scans");
		return keeper_answer(k, tag, -1, 0, &e);
	}
	if (scanner_hit(k->scanner, project, text, &hit, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	wire_u64(&w, tag);
	wire_u8(&w, hit);
	return chan_post(k->server, MSG_SCANNED, &w, NULL, 0, &e);
}

/* A project like any other that is none. */
static int refuse(struct keeper *k, uint64_t tag)
{
	struct err e;

	err_set(&e, ERR_INVALID, "not the name of a project");
	return keeper_answer(k, tag, -1, 0, &e);
}

static bool is_ours(struct wire_reader r)
{
	return str_is(wire_get_str(&r, WIRE_MAX), SECRET_STORE_OWN);
}

static int status(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	if (!wire_end(r) || msg->n_fds)
		return -1;
	return keeper_answer(k, tag, 0, 0, NULL);
}

static int change_version(struct keeper *k, uint64_t tag, struct wire_reader *r,
			  struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	uint64_t version = wire_get_u64(r);
	uint8_t what = wire_get_u8(r);
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds || what >= N_VERSION_CHANGES)
		return -1;
	scanner_changed(k->scanner, project);
	if (what == VERSION_DESTROY && version)
		bad = secret_store_remove(k->store, project, name, version, &e);
	else if (what == VERSION_DESTROY)
		bad = err_set(&e, ERR_INVALID, "which version?");
	else
		bad = secret_store_delete(k->store, project, name, version,
					  what == VERSION_DELETE, &e);
	return keeper_answer(k, tag, bad, version, &e);
}

static int describe(struct keeper *k, uint64_t tag, struct wire_reader *r,
		    struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	struct str text = wire_get_str(r, SECRET_STORE_DESCRIPTION_MAX);
	uint8_t keep = wire_get_u8(r);
	struct err e;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	return keeper_answer(
		k, tag,
		secret_store_describe(k->store, project, name, text, keep, &e),
		0, &e);
}

/* open: only while the store is; project: begins with one. */
static const struct {
	enum msg_type type;
	bool open, project;
	int (*fn)(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);
} asked[] = {
	{MSG_PUT,            true,  true,  put                  },
	{MSG_PUT_SEALED,     true,  true,  keeper_put_sealed    },
	{MSG_LIST,           true,  true,  keeper_list          },
	{MSG_SHOW,           true,  true,  keeper_show          },
	{MSG_VERSIONS,       true,  true,  keeper_versions      },
	{MSG_REMOVE,         true,  true,  remove_one           },
	{MSG_VERSION,        true,  true,  change_version       },
	{MSG_DESCRIBE,       true,  true,  describe             },
	{MSG_PROVIDERS,      false, false, keeper_providers     },
	{MSG_PROVIDER_CHECK, false, false, keeper_provider_check},
	{MSG_EXPORT,         true,  true,  keeper_export        },
	{MSG_IMPORT,         true,  true,  keeper_import        },
	{MSG_RECIPIENT,      true,  false, keeper_recipient     },
	{MSG_LEASES,         false, false, keeper_leases        },
	{MSG_LEASE_REVOKE,   false, false, keeper_lease_revoke  },
	{MSG_SCAN,           true,  true,  scan                 },
	{MSG_VERIFY,         true,  true,  keeper_verify        },
	{MSG_STATUS,         false, false, status               },
	{MSG_SEAL_STATUS,    false, false, keeper_seal_status   },
	{MSG_SEAL,           false, false, keeper_seal          },
	{MSG_UNSEAL,         false, false, keeper_unseal        },
	{MSG_SLOTS,          true,  false, keeper_slots         },
	{MSG_SLOT_ADD,       true,  false, keeper_slot_add      },
	{MSG_SLOT_REMOVE,    true,  false, keeper_slot_remove   },
	{MSG_ROTATE,         true,  false, keeper_rotate        },
	{MSG_REKEY,          true,  false, keeper_rekey         },
};

int keeper_on_server(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint64_t tag = wire_get_u64(&r);
	struct keeper *k = ctx;
	struct err e;

	if (msg->type == MSG_RUN_GONE || msg->type == MSG_RUN_KEYS) {
		r = wire_reader(msg->body, msg->body_len);
		return msg->type == MSG_RUN_GONE ? keeper_run_gone(k, &r) :
						   keeper_run_keys(k, &r);
	}
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		if (asked[i].type != msg->type)
			continue;
		if (asked[i].project && is_ours(r))
			return refuse(k, tag);
		if (k->store || !asked[i].open)
			return asked[i].fn(k, tag, &r, msg);
		err_set(&e, ERR_UNAVAILABLE, "the secret store is sealed");
		return keeper_answer(k, tag, -1, 0, &e);
	}
	return -1;
}
