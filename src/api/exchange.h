/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What libmicrohttpd calls for each request; cls is the api. */
#pragma once

#include <microhttpd.h>

/* MHD_AccessHandlerCallback: again and again, until there is an answer. */
enum MHD_Result exchange_step(void *cls, struct MHD_Connection *c,
			      const char *url, const char *method,
			      const char *version, const char *data,
			      size_t *len, void **ctx);
/* Of the first line: from now on the headers have to come. */
void *exchange_line(void *cls, const char *uri, struct MHD_Connection *c);
/* MHD_RequestCompletedCallback: also when the client has left. */
void exchange_done(void *cls, struct MHD_Connection *c, void **ctx,
		   enum MHD_RequestTerminationCode code);
/* Instead of MHD's own: leaves %XX as it is. */
size_t exchange_unescape(void *cls, struct MHD_Connection *c, char *s);
