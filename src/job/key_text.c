/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Finding keys, and the formats of texts; see keys.h. */
#include "job/keys.h"

#include <string.h>

const struct job_key *job_key_find(const char *where, struct str name)
{
	for (size_t i = 0; i < job_n_keys; i++)
		if (!strcmp(job_keys[i].where, where) &&
		    str_is(name, job_keys[i].name))
			return &job_keys[i];
	return NULL;
}

const char *job_key_like(const char *where, struct str name)
{
	unsigned best = name.len > 4 ? 2 : 1;
	const char *like = NULL;

	for (size_t i = 0; i < job_n_keys; i++) {
		unsigned d;

		if (strcmp(job_keys[i].where, where) != 0)
			continue;
		d = str_distance(name, str_from(job_keys[i].name), best);
		if (d <= best && (!like || d < best)) {
			like = job_keys[i].name;
			best = d;
		}
	}
	return like;
}

int job_duration(struct str s, uint64_t *ret_us)
{
	return str_to_duration(s, ret_us);
}

int job_size(struct str s, uint64_t *ret_bytes)
{
	return str_to_size(s, ret_bytes);
}

/* Decimal, at most three digits behind the point; 0.01 to 4096. */
int job_cpu(struct str s, uint32_t *ret_milli)
{
	struct str rest = s, whole = str_cut(&rest, '.');
	uint64_t v, part = 0;

	if (str_to_u64(whole, 4096, &v))
		return -1;
	if (rest.p &&
	    (!rest.len || rest.len > 3 || str_to_u64(rest, 999, &part)))
		return -1;
	for (size_t i = rest.p ? rest.len : 3; i < 3; i++)
		part *= 10;
	v = v * 1000 + part;
	if (v < 10 || v > 4096000)
		return -1;
	*ret_milli = (uint32_t)v;
	return 0;
}

bool job_name_ok(struct str s)
{
	if (!s.len || s.len > 63 || s.p[0] < 'a' || s.p[0] > 'z')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-'))
			return false;
	}
	return true;
}
