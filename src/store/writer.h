/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The writer's connection, for this folder only. */
#pragma once

#include "store/db.h"

struct store {
	struct db db;
	char *path;
	int dir_fd, lock_fd;
	int ballast_fd; /* -1: given back */
	_Atomic uint64_t version;
};
