/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Keys over time; see keyring.h. */
#include "oidc/keyring.h"

void keyring_done(struct keyring *k)
{
	jwks_free(k->keys);
	*k = (struct keyring){.keys = NULL};
}

const struct jwks *keyring_keys(const struct keyring *k, int64_t now_us)
{
	return k->keys && now_us < k->gone_us ? k->keys : NULL;
}

bool keyring_wants(const struct keyring *k, bool missing, int64_t now_us)
{
	int64_t last = missing ? k->missed_us : k->tried_us;

	if (k->asking || (last && now_us - last < KEYRING_AGAIN_US))
		return false;
	return missing || !k->keys || now_us >= k->fresh_us;
}

void keyring_asked(struct keyring *k, bool missing, int64_t now_us)
{
	k->asking = true;
	if (missing)
		k->missed_us = now_us;
	else
		k->tried_us = now_us;
}

void keyring_failed(struct keyring *k)
{
	k->asking = false;
}

static int64_t fresh_for(int64_t max_age_s)
{
	int64_t us = max_age_s > 0 && max_age_s < INT32_MAX ?
			     max_age_s * 1000000 :
			     KEYRING_FRESH_US;

	return us < KEYRING_FRESH_MIN_US ? KEYRING_FRESH_MIN_US :
	       us > KEYRING_FRESH_MAX_US ? KEYRING_FRESH_MAX_US :
					   us;
}

int keyring_took(struct keyring *k, struct str json, int64_t max_age_s,
		 int64_t now_us, bool *ret_changed, struct err *e)
{
	struct hash h = hash_sha256(json.p, json.len);
	struct jwks *fresh;

	k->asking = false;
	if (jwks_parse(json, &fresh, e))
		return -1;
	if (!jwks_len(fresh)) { /* a mistake rather than a wish */
		jwks_free(fresh);
		return err_set(e, ERR_INVALID,
			       "keys: none among them is for signatures");
	}
	*ret_changed = !k->keys || !hash_eq(&h, &k->hash);
	jwks_free(k->keys);
	k->keys = fresh;
	k->hash = h;
	k->fresh_us = now_us + fresh_for(max_age_s);
	k->gone_us = k->fresh_us + KEYRING_STALE_US;
	return 0;
}

int keyring_set(struct keyring *k, struct str json, struct err *e)
{
	bool changed;

	if (keyring_took(k, json, 0, 0, &changed, e))
		return -1;
	k->fresh_us = k->gone_us = INT64_MAX;
	return 0;
}
