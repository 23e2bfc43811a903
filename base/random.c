/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Random bytes; see hash.h.  Apart from it, so that a program that only wants
 * these is not linked with OpenSSL. */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *p, size_t len)
{
	unsigned char *at = p;

	while (len) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		at += n;
		len -= (size_t)n;
	}
}
