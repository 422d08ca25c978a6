/* SPDX-License-Identifier: ISC
 *
 * Deliveries of a wave's members, among others.
 */
#include "relay/cli/wave/wave_filter.h"

int wave_filter_open(struct cli *c, struct wave_filter *filter)
{
	const char *name = cli_value(c, "wave");
	struct error err;
	struct wave w;

	*filter = (struct wave_filter){.wave = name};
	if (name == NULL)
		return CLI_DONE;
	filter->file = wave_open(c, false);
	if (filter->file == NULL)
		return CLI_NO;
	filter->conf = c->conf;
	if (wave_need(filter->file, name, &w, &err) == 0)
		return CLI_DONE;
	wave_file_close(filter->file);
	filter->file = NULL;
	return cli_fail(c, "%s", err.text);
}

bool wave_filter_has(struct wave_filter *filter, const char *to)
{
	return filter->file == NULL || wave_has_recipient(filter->file,
	    filter->conf, filter->wave, to, &filter->err) > 0;
}

int wave_filter_close(struct cli *c, struct wave_filter *filter)
{
	wave_file_close(filter->file);
	filter->file = NULL;
	return filter->err.text[0] == '\0'
		   ? CLI_DONE : cli_fail(c, "%s", filter->err.text);
}
