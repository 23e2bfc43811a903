/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What goes over the edges: each message comes back as it was sent, and no
 * other length and no value out of its range is taken. */
#include "proto/edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct ulid one = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"};
static const struct ulid two = {"01BX5ZZKBKACTAV9WEVGEMMVRZ"};

static struct grant a_grant(void)
{
	struct grant g = {
		.attempt = one,
		.fence = UINT64_MAX - 1,
		.project = "default",
		.n_refs = GRANT_REFS_MAX,
		.profile = "strict",
		.uid_slot = 77,
		.workspace = two,
		.workspace_kind = WORKSPACE_SHARED,
		.network = NETWORK_HOST,
		.cgroups_required = 1,
		.limits = {1,				  2, 3, 4, 5, 6},
		.timeout_us = 3600000000,
		.grace_us = 10000000,
		.group = two,
		.group_size = 3,
		.group_index = 2,
		.stdin_from = 1,
		.who = { .job = "release",
			   .task = "publish",
			   .run = two,
			   .definition_from = GRANT_STORED,
			   .submitter = "oidc:corp:jos\u00e9",
			   .trigger = "api",
			   .source = GRANT_SOURCE_GIT,
			   .url = "https://git.example/web/app.git",
			   .ref = "refs/heads/main",
			   .commit = "0123456789abcdef"}
        };

	memset(g.run_digest.b, 0xa5, HASH_LEN);
	memset(g.policy_digest.b, 0x5a, HASH_LEN);
	for (size_t i = 0; i < GRANT_REFS_MAX; i++) {
		memset(g.refs[i].ref.b, (int)i, HASH_LEN);
		g.refs[i].deliver = (uint8_t)(i & 15);
		g.refs[i].flags = (uint8_t)(i & 3);
	}
	return g;
}

/* Each message: how it is written, and whether bytes are one. */
static void put_grant(struct wire_writer *w)
{
	struct grant g = a_grant();

	grant_encode(&g, w);
}

static int get_grant(struct wire_reader *r, struct wire_writer *again)
{
	struct grant g;

	if (grant_decode(r, &g) || !wire_end(r))
		return -1;
	grant_encode(&g, again);
	return 0;
}

static void put_id(struct wire_writer *w)
{
	struct attempt_id id = {one, 42};

	attempt_id_encode(&id, w);
}

static int get_id(struct wire_reader *r, struct wire_writer *again)
{
	struct attempt_id id;

	if (attempt_id_decode(r, &id) || !wire_end(r))
		return -1;
	attempt_id_encode(&id, again);
	return 0;
}

static void put_ended(struct wire_writer *w)
{
	struct ended m = {
		{two, 1},
                STATE_FAILED, KIND_SIGNAL, -1, 9
        };

	ended_encode(&m, w);
}

static int get_ended(struct wire_reader *r, struct wire_writer *again)
{
	struct ended m;

	if (ended_decode(r, &m) || !wire_end(r))
		return -1;
	ended_encode(&m, again);
	return 0;
}

static void put_make(struct wire_writer *w)
{
	static const struct make m = {
		3, {"token", "db/user", "a-b_c.d"}
        };

	make_encode(&m, w);
}

static int get_make(struct wire_reader *r, struct wire_writer *again)
{
	struct make m;

	if (make_decode(r, &m) || !wire_end(r))
		return -1;
	make_encode(&m, again);
	return 0;
}

static void put_usage(struct wire_writer *w)
{
	struct usage m = {1, INT64_MAX, 3, 1, 1, 31};

	usage_encode(&m, w);
}

static int get_usage(struct wire_reader *r, struct wire_writer *again)
{
	struct usage m;

	if (usage_decode(r, &m) || !wire_end(r))
		return -1;
	usage_encode(&m, again);
	return 0;
}

static void put_init(struct wire_writer *w)
{
	struct role_init m = {
		.state = "/var/lib/nfo",
		.owner_uid = 1000,
		.max_attempts = 256,
		.idle_exit_s = 600,
		.cgroups_required = 1,
		.first_start = 1,
		.landlock_optional = 1,
		.tls_listeners = 6,
		.n_tls_fds = 3,
		.n_export_to = 2,
		.export_to = {"age1one", "age1two"}
        };

	role_init_encode(&m, w);
}

static int get_init(struct wire_reader *r, struct wire_writer *again)
{
	struct role_init m;

	if (role_init_decode(r, &m))
		return -1;
	role_init_encode(&m, again);
	return 0;
}

static const struct {
	const char *name;
	void (*put)(struct wire_writer *w);
	int (*get)(struct wire_reader *r, struct wire_writer *again);
} messages[] = {
	{"grant",      put_grant, get_grant},
        {"attempt id", put_id,    get_id   },
	{"ended",      put_ended, get_ended},
        {"make",       put_make,  get_make },
	{"usage",      put_usage, get_usage},
        {"init",       put_init,  get_init },
};

static int read_as(size_t i, const unsigned char *p, size_t len,
		   struct wire_writer *again)
{
	struct wire_reader r = wire_reader(p, len);

	again->len = 0;
	again->failed = false;
	return messages[i].get(&r, again);
}

static void messages_come_back(void **state)
{
	static struct wire_writer w, again;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		w.len = 0;
		messages[i].put(&w);
		assert_false(w.failed);
		assert_int_equal(read_as(i, w.data, w.len, &again), 0);
		assert_int_equal(again.len, w.len);
		assert_memory_equal(again.data, w.data, w.len);
	}
}

static void no_other_length_is_taken(void **state)
{
	static struct wire_writer w, again;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		w.len = 0;
		messages[i].put(&w);
		for (size_t len = 0; len < w.len; len++)
			if (!read_as(i, w.data, len, &again))
				fail_msg("%s: %zu of %zu bytes were taken",
					 messages[i].name, len, w.len);
		w.data[w.len] = 0;
		if (!read_as(i, w.data, w.len + 1, &again))
			fail_msg("%s: a trailing byte", messages[i].name);
	}
}

/* One field of a good grant made wrong at a time. */
static bool taken(const struct grant *g)
{
	static struct wire_writer w, again;
	struct wire_reader r;

	w.len = 0;
	w.failed = false;
	grant_encode(g, &w);
	r = wire_reader(w.data, w.len);
	again.len = 0;
	return !get_grant(&r, &again);
}

#define REFUSED(change)                                                        \
	do {                                                                   \
		struct grant g = a_grant();                                    \
		change;                                                        \
		if (taken(&g))                                                 \
			fail_msg("taken: " #change);                           \
	} while (0)

static void grants_out_of_range_are_refused(void **state)
{
	struct grant good = a_grant();

	(void)state;
	assert_true(taken(&good));
	REFUSED(g.attempt.s[3] = 'U'); /* not in Crockford's alphabet */
	REFUSED(g.workspace.s[0] = '/');
	REFUSED(g.group.s[25] = '.');
	REFUSED(g.project[0] = '\0');
	REFUSED(g.project[1] = '/');
	REFUSED(g.project[0] = '.');
	REFUSED(g.profile[2] = 'X');
	REFUSED(g.refs[9].deliver = 16);
	REFUSED(g.refs[9].flags = 4);
	REFUSED(g.uid_slot = GRANT_UID_SLOT_MAX + 1);
	REFUSED(g.workspace_kind = WORKSPACE_MEMORY + 1);
	REFUSED(g.network = NETWORK_HOST + 1);
	REFUSED(g.cgroups_required = 2);
	REFUSED(g.timeout_us = 0);
	REFUSED(g.timeout_us = GRANT_TIME_MAX_US + 1);
	REFUSED(g.grace_us = GRANT_TIME_MAX_US + 1);
	REFUSED(g.group_size = 0);
	REFUSED(g.group_size = GRANT_GROUP_MAX + 1);
	REFUSED(g.group_index = 3);
	REFUSED(g.stdin_from = 2); /* itself */
	REFUSED(g.stdin_from = 3);
}

/* More references than there is room for cannot even be written by our own
 * code: the count is changed on the wire. */
static void too_many_references_are_refused(void **state)
{
	static struct wire_writer w, again;
	struct grant g = a_grant();
	size_t at = ULID_LEN + 8 + 2 + strlen(g.project) + 2 * HASH_LEN;

	(void)state;
	grant_encode(&g, &w);
	assert_int_equal(w.data[at], GRANT_REFS_MAX);
	w.data[at] = GRANT_REFS_MAX + 1;
	assert_int_equal(read_as(0, w.data, w.len, &again), -1);
	w.data[at] = 255;
	assert_int_equal(read_as(0, w.data, w.len, &again), -1);
}

static bool ended_taken(const struct ended *m)
{
	struct wire_writer w = {.len = 0}, again = {.len = 0};
	struct wire_reader r;

	ended_encode(m, &w);
	r = wire_reader(w.data, w.len);
	return !get_ended(&r, &again);
}

static void ends_must_be_ends(void **state)
{
	struct ended m = {
		{one, 1},
                STATE_SUCCEEDED, KIND_NONE, 0, 0
        };

	(void)state;
	assert_true(ended_taken(&m));
	m.state = STATE_RUNNING;
	assert_false(ended_taken(&m));
	m.state = N_STATES;
	assert_false(ended_taken(&m));
	m.state = STATE_FAILED;
	m.kind = N_KINDS;
	assert_false(ended_taken(&m));
	m.kind = KIND_EXIT;
	m.exit_code = 256;
	assert_false(ended_taken(&m));
	m.exit_code = -2;
	assert_false(ended_taken(&m));
	m.exit_code = 255;
	assert_true(ended_taken(&m));
	m.signo = 65;
	assert_false(ended_taken(&m));
}

/* These become names of files that root makes. */
static void names_of_secrets_stay_in_their_place(void **state)
{
	static const char *const bad[] = {"",      ".",   "..",   "/a",
					  "a/",    ".a",  "a/.b", "a//b",
					  "a/b/c", "a b", "a\nb", "../../x"};
	struct wire_writer w, again = {.len = 0};
	struct wire_reader r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		w.len = 0;
		w.failed = false;
		wire_u8(&w, 1);
		wire_str(&w, str_from(bad[i]));
		r = wire_reader(w.data, w.len);
		if (!get_make(&r, &again))
			fail_msg("\"%s\" was taken", bad[i]);
	}
	w.len = 0;
	wire_u8(&w, 1);
	wire_str(&w, STR("a\0b"));
	r = wire_reader(w.data, w.len);
	assert_int_equal(get_make(&r, &again), -1);
}

static void state_directory_is_absolute_and_whole(void **state)
{
	static struct wire_writer w, again;
	struct wire_reader r;

	(void)state;
	wire_str(&w, STR("relative"));
	wire_bytes(&w, (char[15]){0}, 15);
	r = wire_reader(w.data, w.len);
	assert_int_equal(get_init(&r, &again), -1);
	w.len = 0;
	wire_str(&w, STR("/var\0/lib"));
	wire_bytes(&w, (char[15]){0}, 15);
	r = wire_reader(w.data, w.len);
	assert_int_equal(get_init(&r, &again), -1);
}

static struct verify a_verify(void)
{
	return (struct verify){
		.project = STR("web"),
		.ref = STR("store:web/hook"),
		.how = VERIFY_HMAC_WHSEC,
		.n_macs = 2,
		.macs = {{{1}}, {{2}}},
	};
}

static int verify_again(const struct verify *v, struct verify *ret)
{
	static struct wire_writer w;
	struct wire_reader r;

	w.len = 0;
	w.failed = false;
	verify_encode(v, &w);
	r = wire_reader(w.data, w.len);
	return verify_decode(&r, ret) || !wire_end(&r) ? -1 : 0;
}

static void questions_come_back(void **state)
{
	struct verify v = a_verify(), got;

	(void)state;
	assert_int_equal(verify_again(&v, &got), 0);
	assert_true(str_eq(got.project, v.project) && str_eq(got.ref, v.ref));
	assert_int_equal(got.how, v.how);
	assert_int_equal(got.n_macs, 2);
	assert_memory_equal(got.macs, v.macs, sizeof(v.macs));
	v.token = STR("no token beside a MAC");
	assert_int_equal(verify_again(&v, &got), -1);
	v.how = VERIFY_TOKEN;
	assert_int_equal(verify_again(&v, &got), -1); /* no MAC beside it */
	v.n_macs = 0;
	assert_int_equal(verify_again(&v, &got), 0);
	v = a_verify();
	v.how = N_VERIFY_HOWS;
	assert_int_equal(verify_again(&v, &got), -1);
	v = a_verify();
	v.n_macs = VERIFY_MACS_MAX + 1;
	assert_int_equal(verify_again(&v, &got), -1);
}

static void words_of_states_come_back(void **state)
{
	enum run_state s;
	enum fail_kind k;

	(void)state;
	for (unsigned i = 0; i < N_STATES; i++) {
		assert_int_equal(
			state_parse(str_from(state_name((enum run_state)i)),
				    &s),
			0);
		assert_int_equal(s, i);
	}
	for (unsigned i = 1; i < N_KINDS; i++) {
		assert_int_equal(
			kind_parse(str_from(kind_name((enum fail_kind)i)), &k),
			0);
		assert_int_equal(k, i);
	}
	assert_null(kind_name(KIND_NONE));
	assert_int_equal(state_parse(STR("Queued"), &s), -1);
	assert_int_equal(kind_parse(STR(""), &k), -1);
}

static void roles_have_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ROLES; i++)
		assert_string_not_equal(role_name((enum role)i), "unknown");
	assert_string_equal(role_name(N_ROLES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_back),
		cmocka_unit_test(no_other_length_is_taken),
		cmocka_unit_test(grants_out_of_range_are_refused),
		cmocka_unit_test(too_many_references_are_refused),
		cmocka_unit_test(ends_must_be_ends),
		cmocka_unit_test(names_of_secrets_stay_in_their_place),
		cmocka_unit_test(state_directory_is_absolute_and_whole),
		cmocka_unit_test(questions_come_back),
		cmocka_unit_test(words_of_states_come_back),
		cmocka_unit_test(roles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
