/* SPDX-License-Identifier: ISC
 *
 * Options of a start from the command line.
 */
#include "relay/cli/wave/start_options.h"

#include "relay/base/clock.h"

enum { SLICE_MAX = 1000000000 };

static int read_time(struct cli *c, const char *name, int64_t *seconds)
{
	const char *text = cli_value(c, name);
	int64_t us;

	if (text == NULL)
		return CLI_DONE;
	if (clock_duration(slice_str(text), &us) < 0)
		return cli_usage(c, "--%s wants a time like 30s, 5m, 2h, not "
		    "%s", name, text);
	*seconds = us / 1000000;
	return CLI_DONE;
}

static int read_brake(struct cli *c, struct wave_options *options)
{
	const char *bad = cli_value(c, "on-bad");
	const char *complaints = cli_value(c, "complaints");

	if (bad != NULL && strcmp(bad, "pause") != 0 &&
	    strcmp(bad, "rollback") != 0)
		return cli_usage(c, "--on-bad wants pause or rollback, not %s",
		    bad);
	if (complaints != NULL &&
	    (!slice_uint(slice_str(complaints), SLICE_MAX,
		 &options->complaints) || options->complaints == 0))
		return cli_usage(c, "--complaints wants a number of members, "
		    "1 or more, not %s", complaints);
	if (bad != NULL)
		options->take_back = strcmp(bad, "rollback") == 0;
	return CLI_DONE;
}

int start_option_slice(struct cli *c, uint64_t *slice)
{
	const char *text = cli_value(c, "slice");

	if (text == NULL)
		return CLI_DONE;
	if (!slice_uint(slice_str(text), SLICE_MAX, slice) || *slice == 0)
		return cli_usage(c, "--slice wants a number of members, 1 or "
		    "more, not %s", text);
	return CLI_DONE;
}

int start_options_read(struct cli *c, struct wave_options *options)
{
	options->hold = options->hold || cli_flag(c, "hold");
	options->force = options->force || cli_flag(c, "force");
	if (start_option_slice(c, &options->slice) != CLI_DONE ||
	    read_time(c, "pause", &options->pause_s) != CLI_DONE ||
	    read_time(c, "late", &options->late_s) != CLI_DONE ||
	    read_time(c, "deadline", &options->deadline_s) != CLI_DONE ||
	    read_time(c, "soak", &options->soak_s) != CLI_DONE ||
	    read_brake(c, options) != CLI_DONE)
		return CLI_USAGE;
	if (options->take_back && options->soak_s == 0)
		return cli_usage(c, "--on-bad wants --soak, as in --soak 1h");
	if (options->hold != (options->deadline_s > 0))
		return cli_usage(c, "--hold and --deadline go together, as in "
				    "--hold --deadline 2h");
	return CLI_DONE;
}
