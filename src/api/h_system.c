/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How the server is: health, readiness, metrics, version, its own document. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/metrics.h"
#include "api/origin.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "job/keys.h"

#include <inttypes.h>

#define SOURCE_URL "https://github.com/NotForOil/notforoil"

int h_index(struct request *r)
{
	struct buf b = BUF_INIT(4096);

	buf_printf(&b,
		   "{\"name\":\"NotForOil\",\"version\":\"%s\","
		   "\"source_url\":\"" SOURCE_URL "\","
		   "\"license\":\"AGPL-3.0-or-later\","
		   "\"openapi\":\"%s/v1/openapi.json\"}\n",
		   r->api->version, origin_base(r));
	return reply_json(r, 200, &b);
}

int h_version(struct request *r)
{
	struct buf b = BUF_INIT(4096);

	buf_printf(&b, "{\"version\":\"%s\",\"api\":\"v1\",\"format\":1}\n",
		   r->api->version);
	return reply_json(r, 200, &b);
}

/* What let it in, as far as there is something to tell. */
static void put_login(const struct request *r, struct buf *b)
{
	const struct login *l =
		logins_id(r->api->identity.logins, str_from(r->who.token));
	char ends[CLOCK_TEXT_LEN + 1];

	if (r->who.expires_us) {
		clock_format(r->who.expires_us, ends);
		buf_printf(b, "\"expires_at\":\"%s\",", ends);
	}
	if (!l && r->who.token[0])
		buf_printf(b, "\"token\":\"tok_%s\",", r->who.token);
	if (!l)
		return;
	buf_printf(b, "\"provider\":\"" STR_FMT "\",\"groups\":[",
		   STR_ARG(l->provider));
	for (size_t i = 0; i < l->n_groups; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, l->groups[i]);
		buf_putc(b, '"');
	}
	buf_puts(b, "],");
}

int h_whoami(struct request *r)
{
	struct buf b = BUF_INIT(1 << 20);
	const struct access *set = r->api->identity.set;
	struct str who = str_from(r->who.name), token = str_from(r->who.token);
	CLEANUP_BUF struct buf see = BUF_INIT(1 << 20);

	auth_visible(r, &see);
	buf_puts(&b, "{\"name\":\"");
	buf_json(&b, who);
	buf_printf(&b, "\",\"roles\":[\"%s\"],\"server\":\"%s\",",
		   access_role_name(access_best(set, who, token)),
		   access_role_name(access_role(set, who, token, STR(""))));
	put_login(r, &b);
	buf_puts(&b, "\"projects\":");
	buf_str(&b, see.len ? buf_view(&see) : STR("[\"*\"]"));
	buf_puts(&b, "}\n");
	return reply_json(r, 200, &b);
}

int h_healthz(struct request *r)
{
	struct buf b = BUF_INIT(64);

	buf_puts(&b, "{\"status\":\"ok\"}\n");
	return reply_json(r, 200, &b);
}

int h_readyz(struct request *r)
{
	struct engine_stats s = engine_stats(r->api->engine);
	bool keeper = keeper_up(r->api->keeper);
	bool sealed = keeper_sealed(r->api->keeper);
	bool ready = s.ready && s.monitor_up && !s.disk_full && keeper;
	struct buf b = BUF_INIT(512);

	buf_printf(&b,
		   "{\"status\":\"%s\",\"engine\":%s,\"monitor\":%s,"
		   "\"keeper\":%s,\"sealed\":%s,\"disk_full\":%s}\n",
		   ready ? "ok" : "not-ready", s.ready ? "true" : "false",
		   s.monitor_up ? "true" : "false", keeper ? "true" : "false",
		   sealed ? "true" : "false", s.disk_full ? "true" : "false");
	reply_json(r, ready ? 200 : 503, &b);
	if (!ready)
		reply_header(r, "Retry-After", "1");
	return 0;
}

int h_metrics(struct request *r)
{
	struct buf b = BUF_INIT(4 << 20);

	metrics_write(r->api, &b);
	return reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8",
			  &b);
}

int h_openapi(struct request *r)
{
	struct buf b = BUF_INIT(4 << 20);

	route_openapi(&b, origin_base(r));
	return reply_json(r, 200, &b);
}

int h_schema(struct request *r)
{
	struct buf b = BUF_INIT(4 << 20);

	job_schema_json(&b);
	reply_text(r, 200, "application/schema+json", &b);
	return 0;
}
