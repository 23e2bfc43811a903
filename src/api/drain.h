/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The server's end, in order; see api_drain(). */
#pragma once

#include "api/request.h"

/* Would this request make a run, while the server ends?  Then it is answered
 * with 503. */
bool drain_refuses(struct request *r);
/* A request is over. */
void drain_one_less(struct api *a);
