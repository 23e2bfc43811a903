/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Caches of tasks, as far as a job says something about them. */
#pragma once

#include "base/hash.h"
#include "job/attempt.h"

enum {
	CACHE_PATH_MAX = 512,
	CACHE_PATHS_MAX = 32,
	CACHE_KEY_MAX = 512
};

/* What a runner calls the cache among what it has made; no artifact's name. */
#define CACHE_RESULT "@cache"

/* What is wrong with a path, for people; NULL when nothing is. */
const char *job_cache_path(struct str path);
struct hash job_cache_scope(const struct job_cache *c);
