/* SPDX-License-Identifier: ISC
 *
 * Times of waves on the command line.
 */
#include "relay/cli/wave/wave_when.h"

#include "relay/base/clock.h"
#include "relay/when/when_parse.h"
#include "relay/when/zone_file.h"

#define SECOND_US INT64_C(1000000)

int wave_zone(struct cli *c, const struct zone **zone_out)
{
	const char *name = cli_value(c, "zone");
	const struct conf *conf = cli_conf(c);
	struct error err;

	if (conf == NULL)
		return CLI_NO;
	*zone_out = conf->wave.clock;
	if (name == NULL)
		return CLI_DONE;
	*zone_out = zone_load(c->arena, slice_str(name), &err);
	return *zone_out != NULL ? CLI_DONE
				 : cli_usage(c, "--zone: %s", err.text);
}

int wave_at_option(struct cli *c, const struct zone *zone, int64_t *at_us)
{
	const char *text = cli_value(c, "at");
	struct error err;
	int64_t at_s;

	if (text == NULL)
		return CLI_DONE;
	if (when_parse(slice_str(text), zone, &at_s, &err) < 0)
		return cli_usage(c, "--at: %s", err.text);
	if (at_s * SECOND_US < clock_wall_us(&clock_system))
		return cli_usage(c, "--at %s: that time is over", text);
	*at_us = at_s * SECOND_US;
	return CLI_DONE;
}

void wave_time_text(const struct zone *zone, int64_t us, struct strbuf *out)
{
	char local[ZONE_TEXT_MAX], utc[ZONE_TEXT_MAX];

	zone_rfc3339(&zone_utc, us / SECOND_US, utc);
	if (zone == NULL) {
		strbuf_adds(out, utc);
		return;
	}
	zone_text(zone, us / SECOND_US, local);
	strbuf_addf(out, "%s (UTC %s)", local, utc);
}
