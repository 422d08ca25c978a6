/* SPDX-License-Identifier: ISC
 *
 * The table's lock is taken first, and the rows are read once more behind it:
 * a change that came between them is seen by its number.
 */
#include "relay/cli/wave/plan_write.h"

#include "policy/wave/file/decided.h"
#include "policy/wave/file/wave_make.h"
#include "relay/base/clock.h"

struct seating {
	struct wave_file *f;
	const struct split *split;
	const int64_t *id; /* of each wave */
};

static int seat(void *arg, uint32_t member, struct slice address,
    const char *route, struct error *err)
{
	const struct seating *s = arg;
	const struct wave_seat seat = {.address = address,
	    .seat = split_seat(s->split, member),
	    .was = route};

	return wave_seat(s->f, s->id[split_wave(s->split, member)], &seat, err);
}

static int write_wave(struct wave_file *f, const struct plan_writing *p,
    const struct plan_wave *wave, int64_t *id_out, struct error *err)
{
	const struct wave_new w = {.name = wave->name,
	    .route = p->route,
	    .options = p->options,
	    .at_us = wave->at_s * 1000000,
	    .by = p->by,
	    .now_us = clock_wall_us(&clock_system)};
	const struct decided d = {.time_us = w.now_us,
	    .who = p->by->who,
	    .host = p->by->host,
	    .command = p->by->command,
	    .about = wave->name,
	    .detail = p->detail,
	    .note = p->by->note == NULL ? "" : p->by->note};

	return wave_insert(f, &w, id_out, err) < 0 ? -1
						   : decided_add(f, &d, err);
}

static int schedule(struct wave_file *f, const struct plan_writing *p,
    const struct plan_wave *wave, struct error *err)
{
	const struct wave_said said = {.event = WAVE_SCHEDULE,
	    .by = p->by,
	    .at_us = wave->at_s * 1000000,
	    .now_us = clock_wall_us(&clock_system)};

	return wave_move(f, wave->name, &said, NULL, err);
}

static int write_all(struct wave_file *f, const struct plan_writing *p,
    int64_t *id, struct error *err)
{
	struct seating s = {f, p->members->split, id};
	const struct plan_each each = {seat, &s};
	int rc = 0;

	for (int i = 0; i < p->waves && rc == 0; i++)
		if (p->wave[i].members > 0)
			rc = write_wave(f, p, &p->wave[i], &id[i], err);
	if (rc == 0)
		rc = wave_seats_begin(f, p->members->members, err);
	if (rc == 0)
		rc = plan_members_each(p->members, &each, err);
	if (rc == 0)
		rc = wave_seats_end(f, err);
	for (int i = 0; i < p->waves && rc == 0 && p->schedule; i++)
		if (p->wave[i].members > 0)
			rc = schedule(f, p, &p->wave[i], err);
	return rc;
}

int plan_write(
    struct wave_file *f, const struct plan_writing *p, struct error *err)
{
	int64_t *id = NEW_ARRAY(int64_t, p->waves);
	int rc = wave_begin(f, err);

	if (rc == 0)
		rc = wave_end(f, write_all(f, p, id, err), err);
	mem_free(id);
	return rc;
}
