/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Settings, policies and certificate that the monitor has read anew. */
#pragma once

#include "api/control.h"
#include "base/buf.h"
#include "doc/problem.h"

struct api;

/* The last reload. */
struct reloaded {
	struct problems problems; /* of the settings, when they are wrong */
	struct buf told;          /* JSON: what it brought */
};

/* For control_new(); ctx is the api. */
control_take_fn reload_take;
void reload_end(struct api *a);
