/* SPDX-License-Identifier: ISC
 *
 * Reports the progress of a change to its caller, and counts its bad lines.
 */
#include <inttypes.h>

#include "policy/change/change_int.h"

static int on_steps(void *arg)
{
	struct change *ch = arg;

	if (ch->phase != NULL)
		ch->watch.phase(ch->watch.arg, ch->phase);
	return 0;
}

void change_watch(struct change *ch, const struct change_watch *watch)
{
	enum { WAIT_MS = 10000, STEPS = 2000000 };
	const struct db_wait wait = {
	    .limit_ms = watch->wait_ms > 0 ? watch->wait_ms : WAIT_MS,
	    .begun = watch->waits,
	    .arg = watch->arg,
	};

	ch->watch = *watch;
	db_wait_for(&ch->db, &wait);
	if (watch->phase != NULL)
		sqlite3_progress_handler(ch->db.handle, STEPS, on_steps, ch);
}

void change_phase(struct change *ch, const char *what)
{
	ch->phase = what;
	if (ch->watch.phase != NULL)
		ch->watch.phase(ch->watch.arg, what);
}

/* ---- faults ----------------------------------------------------------- */

uint64_t change_faults(const struct change *ch)
{
	return ch->faults;
}

void change_fault(struct change *ch, uint64_t line, const char *why)
{
	if (ch->faults++ == 0 && line > 0)
		error_set(&ch->first, "line %" PRIu64 ": %s", line, why);
	else if (ch->faults == 1)
		error_set(&ch->first, "%s", why);
	if (ch->watch.fault != NULL)
		ch->watch.fault(ch->watch.arg, line, why);
}

void change_read_so_far(struct change *ch, uint64_t bytes)
{
	if (ch->watch.read != NULL)
		ch->watch.read(ch->watch.arg, bytes);
}

int change_file_end(struct change *ch, struct error *err)
{
	return ch->faults > 0 ? change_arrange(ch, err) : 0;
}

int change_faulty(const struct change *ch, struct error *err)
{
	if (ch->faults == 0)
		return 0;
	if (ch->faults == 1)
		return error_set(err, "%s", ch->first.text);
	return error_set(err, "%s (and %" PRIu64 " more)", ch->first.text,
	    ch->faults - 1);
}
