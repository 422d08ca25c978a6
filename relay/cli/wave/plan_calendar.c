/* SPDX-License-Identifier: ISC
 *
 * The calendar of a plan.
 */
#include "relay/cli/wave/plan_calendar.h"

#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/cli/wave/wave_when.h"
#include "relay/base/civil.h"
#include "relay/when/when_parse.h"

enum { PREFIX_MAX = 40, SKIPS_MAX = 366 };

static int read_zone(struct cli *c, struct calendar_when *when)
{
	int code = wave_zone(c, &when->zone);

	if (code != CLI_DONE || when->zone != NULL)
		return code;
	return cli_usage(c, "a calendar needs a zone: write --zone "
			    "Europe/London, or wave { zone = "
			    "\"Europe/London\" } in the configuration");
}

static int read_skips(struct cli *c, struct calendar_when *when)
{
	int64_t *skip = arena_alloc(c->arena, SKIPS_MAX * sizeof(*skip));
	const char *text;
	struct error err;

	when->skip = skip;
	while ((text = cli_value_at(c, "skip", when->skips)) != NULL) {
		if (when->skips == SKIPS_MAX)
			return cli_usage(
			    c, "more than %d dates are skipped", SKIPS_MAX);
		if (when_date(slice_str(text), &skip[when->skips], &err) != 0)
			return cli_usage(c, "--skip: %s", err.text);
		when->skips++;
	}
	return CLI_DONE;
}

int plan_calendar_read(struct cli *c, struct plan_calendar *p)
{
	const char *calendar = cli_value(c, "calendar");
	const char *from = cli_value(c, "from");
	struct error err;
	int code;

	*p = (struct plan_calendar){.prefix = cli_value(c, "name")};
	if (p->prefix == NULL)
		p->prefix = "w";
	if (strlen(p->prefix) > PREFIX_MAX)
		return cli_usage(
		    c, "--name is longer than %d letters", PREFIX_MAX);
	if (wave_name_check(p->prefix, &err) < 0)
		return cli_usage(c, "--name: %s", err.text);
	if (calendar == NULL || from == NULL)
		return cli_usage(c, "a plan needs --calendar \"Tue-Thu 20:00 "
				    "22000, Fri 20:00 83000\" and --from DATE");
	if (calendar_parse(slice_str(calendar), &p->calendar, &err) != 0)
		return cli_usage(c, "--calendar: %s", err.text);
	if (when_date(slice_str(from), &p->when.first_day, &err) != 0)
		return cli_usage(c, "--from: %s", err.text);
	code = read_zone(c, &p->when);
	if (code != CLI_DONE)
		return code;
	p->when.blackouts = &c->conf->wave.limits.blackouts;
	return read_skips(c, &p->when);
}

/* "w-2026-12-01", or "w-2026-12-01-2000" where the date has two. */
static void name_wave(const struct plan_calendar *p,
    const struct calendar_list *list, int i, struct plan_wave *wave)
{
	const struct calendar_wave *w = &list->wave[i];
	bool two = (i > 0 && w[-1].day == w->day) ||
		   (i + 1 < list->count && w[1].day == w->day);
	struct civil at = civil_of_seconds(zone_local(p->when.zone, w->at_s));
	char date[CIVIL_TEXT_MAX], time[16] = "";

	civil_date_text(w->day, date);
	if (two)
		snprintf(time, sizeof(time), "-%02d%02d", at.hour, at.minute);
	snprintf(
	    wave->name, sizeof(wave->name), "%s-%s%s", p->prefix, date, time);
	wave->at_s = w->at_s;
	wave->size = w->size;
}

static int check_first(struct cli *c, const struct plan_calendar *p,
    const struct calendar_list *list)
{
	char text[ZONE_TEXT_MAX];

	if (list->count == 0 ||
	    list->wave[0].at_s > clock_wall_us(&clock_system) / 1000000)
		return CLI_DONE;
	zone_text(p->when.zone, list->wave[0].at_s, text);
	return cli_fail(c,
	    "the first wave, %s, would be in the past; write a "
	    "later --from",
	    text);
}

struct plan_wave *plan_calendar_waves(struct cli *c,
    const struct plan_calendar *p, uint32_t members, int *waves_out)
{
	struct calendar_list list = {
	    NEW_ARRAY(struct calendar_wave, CALENDAR_WAVES_MAX),
	    CALENDAR_WAVES_MAX, 0};
	struct plan_wave *wave = NULL;
	struct error err;
	int code = CLI_DONE;

	if (calendar_waves(&p->calendar, &p->when, members, &list, &err) != 0)
		code = cli_fail(c, "--calendar: %s", err.text);
	else
		code = check_first(c, p, &list);
	if (code == CLI_DONE)
		wave = arena_alloc(
		    c->arena, (size_t)(list.count + 1) * sizeof(*wave));
	for (int i = 0; i < list.count && code == CLI_DONE; i++)
		name_wave(p, &list, i, &wave[i]);
	*waves_out = list.count;
	mem_free(list.wave);
	return wave;
}
