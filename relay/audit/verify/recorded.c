/* SPDX-License-Identifier: ISC
 *
 * Reads the recorded changes of the cutover table, and decisions, from the hour
 * files.
 */
#include "relay/audit/verify/recorded.h"

#include <errno.h>

#include "relay/audit/event_table.h"
#include "relay/audit/hourfile.h"
#include "relay/base/mem.h"

struct recorded {
	void (*fn)(void *arg, int64_t time_us, struct slice fields);
	void *arg;
};

static void on_note(void *arg, int64_t time_us, struct slice event,
    struct slice fields)
{
	struct recorded *r = arg;

	if (slice_eq(event, slice_str(event_table[EVENT_CHANGE].name)) ||
	    slice_eq(event, slice_str(event_table[EVENT_DECISION].name)))
		r->fn(r->arg, time_us, fields);
}

/* A file that was pruned meanwhile is passed over. */
static int read_file(const char *dir, int64_t hour, struct recorded *r,
    struct error *err)
{
	struct hour_key all = {.by = KEY_TIME, .until_us = INT64_MAX};
	struct hourfile *f = hourfile_open(dir, hour, HOUR_READ, err);
	int rc;

	if (f == NULL)
		return err->no == ENOENT ? 0 : -1;
	rc = hourfile_notes(f, &all, on_note, r) < 0 ? -1 : 0;
	if (rc != 0)
		error_set(err, "%s: %s", dir, hourfile_error(f));
	hourfile_close(f);
	return rc;
}

int recorded_history(const char *dir,
    void (*fn)(void *arg, int64_t time_us, struct slice fields), void *arg,
    struct error *err)
{
	struct recorded r = {fn, arg};
	int64_t *hour = NULL;
	size_t hours = 0;
	int rc = hour_list(dir, &hour, &hours, err);

	for (size_t i = 0; i < hours && rc == 0; i++)
		rc = read_file(dir, hour[i], &r, err);
	mem_free(hour);
	return rc;
}
