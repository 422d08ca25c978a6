/* SPDX-License-Identifier: ISC
 *
 * Checks of a carried message as a whole.
 */
#include "relay/control/carried_check.h"

#include "conf/types.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

#define ID_AHEAD_US INT64_C(5000000) /* clocks that are set differ by less */
/* retry.steps says a day at most, and half of it more by retry.jitter. */
#define WAIT_US (2 * DAY_US)

enum {
	NEW_LEGS = 16,	/* of one message: of two routes */
	/* The other half is for the legs of this configuration. */
	CARRIED_NAMES = NAMES_MAX / 2,
};

const char *carried_check_rcpts(const struct envelope *e)
{
	for (unsigned i = 0; i < e->rcpts; i++) {
		struct addr a;
		const char *why;

		if (addr_parse(slice_str(e->rcpt[i].to), true, &a, &why) != 0)
			return "a recipient is no address";
	}
	return e->rcpts == 0 ? "it has no recipient" : NULL;
}

const char *carried_check_deliveries(const struct envelope *e,
    const struct spool_delivery *d, unsigned n)
{
	bool *has = NEW_ARRAY(bool, e->rcpts), live = false;
	const char *why = NULL;

	for (unsigned i = 0; i < n && why == NULL; i++) {
		if (d[i].rcpt >= e->rcpts)
			why = "a delivery is of no recipient";
		else
			has[d[i].rcpt] = true;
		live = live || dstate_live((enum dstate)d[i].state);
	}
	for (unsigned i = 0; i < e->rcpts && why == NULL; i++)
		if (!has[i])
			why = "a recipient has no delivery";
	if (why == NULL && !live)
		why = "nothing of it waits: all its deliveries are over";
	mem_free(has);
	return why;
}

/* ---- times ---- */

const char *carried_check_id(uint64_t id, int64_t now_us)
{
	return id_wall_ms(id) * 1000 > now_us + ID_AHEAD_US
	    ? "its id says that it was accepted later than now, by more than "
	      "5 seconds; set this machine's clock"
	    : NULL;
}

/* An id is made when the message begins. */
static bool near_id(const struct envelope *e)
{
	int64_t id_us = id_wall_ms(e->id) * 1000;

	return e->accepted_us >= id_us - DAY_US &&
	    e->accepted_us <= id_us + DAY_US;
}

const char *carried_check_times(const struct envelope *e,
    const struct spool_delivery *d, unsigned n, int64_t now_us)
{
	if (!near_id(e))
		return "\"accepted_us\" is not within a day of the time that "
		       "its id says";
	for (unsigned i = 0; i < n; i++) {
		if (d[i].created_us > now_us + HOUR_US)
			return "\"created_us\" of a delivery is more than an "
			       "hour from now; it is when the delivery was "
			       "made, or this machine's clock is to be set";
		if (d[i].due_us > now_us + WAIT_US)
			return "\"due_us\" of a delivery is more than 2 days "
			       "from now; no wait is longer (0: now), or this "
			       "machine's clock is to be set";
	}
	return NULL;
}

/* ---- legs ---- */

static bool among(const char *const *names, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static const char *check_legs(const struct names *names,
    const char *const *leg, unsigned n)
{
	const char *fresh[NEW_LEGS];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		if (names_find(names, slice_str(leg[i])) >= 0 ||
		    among(fresh, k, leg[i]))
			continue;
		if (!conf_name_ok(leg[i]))
			return "\"leg\" of a delivery is no name: lower-case "
			       "letters, digits, - and _, at most 32";
		if (k == NEW_LEGS)
			return "it names more than 16 legs that were never "
			       "known here; send its .eml by hand";
		fresh[k++] = leg[i];
	}
	if (k > 0 && (unsigned)names_count(names) + k > CARRIED_NAMES)
		return "it names a leg that was never known here, and 128 "
		       "names are kept already; give posthouse.conf a leg of "
		       "that name, or send its .eml by hand";
	return NULL;
}

const char *carried_number_legs(struct names *names, const char *const *leg,
    struct spool_delivery *d, unsigned n)
{
	const char *why = check_legs(names, leg, n);

	for (unsigned i = 0; i < n && why == NULL; i++) {
		int number = names_id(names, slice_str(leg[i]));

		if (number < 0)
			why = "its legs have names, and there is no room for "
			      "more of them; restart posthoused";
		else
			d[i].leg = (uint16_t)number;
	}
	return why;
}
