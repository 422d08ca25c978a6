/* SPDX-License-Identifier: ISC
 *
 * See rehearse_hold.h.
 */
#include "relay/cli/wave/rehearse_hold.h"

#include "policy/route.h"
#include "policy/row.h"
#include "relay/audit/delivered/outcome_reader.h"
#include "relay/audit/hourfile.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { SIZED_MAX = 10000, SIZED_HOURS = 24, WINDOW_MIN_S = 3600 };
#define SECOND_US INT64_C(1000000)

struct hold_look {
	const struct conf *conf;
	struct names *names;
	int64_t now_us;
	struct outcome_reader *reader; /* NULL: not opened yet */
	bool failed;
	struct error err; /* of `failed` */
	int64_t from_us;  /* what came from then on is counted */
	uint64_t members, messages;
};

struct hold_look *hold_look_new(const struct conf *conf, struct names *names,
    int64_t now_us)
{
	struct hold_look *l = NEW(struct hold_look);

	l->conf = conf;
	l->names = names;
	l->now_us = now_us;
	return l;
}

/* ---- what they got ------------------------------------------------------ */

/* Days are counted whole: the window begins with one, or with the counting. */
static bool open_reader(struct hold_look *l)
{
	int64_t since;

	if (l->failed || l->reader != NULL)
		return !l->failed;
	l->reader = outcome_reader_open(l->conf, &l->err);
	l->failed = l->reader == NULL;
	if (l->failed)
		return false;
	since = outcome_reader_since(l->reader);
	l->from_us = (l->now_us / DAY_US - HOLD_LOOK_DAYS) * DAY_US;
	if (since > l->from_us)
		l->from_us = since;
	return true;
}

/* A message for several legs is held once: its first leg counts. */
static int first_leg(struct hold_look *l, const char *text)
{
	struct route route;

	row_route(slice_str(text), l->names, &route);
	return route.kind != ROUTE_LEGS ? -1 : outcome_reader_leg(l->reader,
	    names_text(l->names, route.leg[0]));
}

void hold_look_member(struct hold_look *l, struct slice address,
    const char *route)
{
	struct outcome_of of = {.to = INT64_MAX, .since_us = INT64_MAX};
	struct outcome_sum sum = {0};
	struct strbuf base;

	l->members++;
	if (!open_reader(l))
		return;
	of.from = l->from_us / DAY_US;
	of.leg = first_leg(l, route);
	strbuf_init(&base, 2 * ADDR_MAX);
	if (of.leg >= 0 && route_base(l->conf, address, &base)) {
		of.recipient = outcome_reader_key(l->reader,
		    strbuf_view(&base));
		l->failed = outcome_reader_add(l->reader, &of, &sum,
				&l->err) < 0;
	}
	strbuf_fini(&base);
	l->messages += sum.delivered + sum.failed + sum.trouble;
}

/* ---- how large a message is ---------------------------------------------- */

struct sized {
	uint64_t messages, bytes;
};

static int add_hour(const char *dir, int64_t hour, struct sized *all,
    struct error *err)
{
	struct hourfile *f = hourfile_open(dir, hour, HOUR_READ, err);
	int rc;

	if (f == NULL)
		return -1;
	rc = hourfile_sizes(f, SIZED_MAX - all->messages, &all->messages,
	    &all->bytes);
	if (rc < 0)
		error_set(err, "%s", hourfile_error(f));
	hourfile_close(f);
	return rc;
}

static int mean_size(const char *dir, uint64_t *bytes_out, struct error *err)
{
	struct sized all = {0, 0};
	int64_t *hour;
	size_t n;
	int rc = hour_list(dir, &hour, &n, err);

	if (rc < 0)
		return -1;
	for (int i = 0; rc == 0 && n > 0 && i < SIZED_HOURS &&
	     all.messages < SIZED_MAX; i++)
		rc = add_hour(dir, hour[--n], &all, err);
	mem_free(hour);
	if (rc == 0 && all.messages == 0)
		rc = error_set(err, "the audit index has no message of the "
		    "last hours");
	*bytes_out = all.messages == 0 ? 0 : all.bytes / all.messages;
	return rc;
}

/* ---- together ------------------------------------------------------------ */

static int expect(struct hold_look *l, const struct hold_of *of,
    struct hold_expected *out, struct error *err)
{
	double slice = (double)(of->slice < l->members ? of->slice
						       : l->members);

	*out = (struct hold_expected){.members = l->members,
	    .messages = l->messages,
	    .window_s = (l->now_us - l->from_us) / SECOND_US};
	if (l->failed)
		return error_set(err, "%s", l->err.text);
	if (l->messages == 0 && out->window_s < WINDOW_MIN_S)
		return error_set(err, "deliveries are counted for less than an "
		    "hour");
	if (out->window_s < WINDOW_MIN_S)
		out->window_s = WINDOW_MIN_S;
	if (l->messages == 0)
		return 0;
	if (mean_size(l->conf->audit.path, &out->message_bytes, err) < 0)
		return -1;
	out->bytes = (uint64_t)((double)l->messages *
	    (double)out->message_bytes * slice / (double)l->members *
	    (double)of->deadline_s / (double)out->window_s);
	return 0;
}

int hold_look_end(struct hold_look *l, const struct hold_of *of,
    struct hold_expected *out, struct error *err)
{
	int rc = 0;

	*out = (struct hold_expected){0};
	if (l->members > 0)
		rc = expect(l, of, out, err);
	outcome_reader_close(l->reader);
	mem_free(l);
	return rc;
}
