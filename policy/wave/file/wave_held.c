/* SPDX-License-Identifier: ISC
 *
 * Members whose mail is held by their wave.
 */
#include "policy/wave/file/wave_held.h"

#include "policy/wave/file/wave_member.h"

int wave_held(struct wave_file *f, const struct wave_held *held,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_HELD, err);
	struct member m;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, held->id);
	sqlite3_bind_int(st, 2, (int)held->state);
	while ((rc = wave_step(f, st, err)) > 0) {
		if (wave_member_at(f, st, &m, err) < 0) {
			sqlite3_reset(st);
			return -1;
		}
		held->fn(held->arg, &m,
		    sqlite3_column_int64(st, WAVE_MEMBER_COLUMNS));
	}
	return rc;
}

int wave_refuse_moved(struct wave_file *f, const struct wave *w,
    uint64_t change, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_MOVED, err);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)change);
	rc = wave_step(f, st, err);
	if (rc > 0)
		error_set(err, "wave %s: %.200s was moved while the slice was "
		    "made", w->name, db_str(st, 0));
	sqlite3_reset(st);
	return rc == 0 ? 0 : -1;
}

int wave_held_flipped(struct wave_file *f, const struct wave *w,
    uint64_t change, uint64_t *members_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_FLIP_MARK, err);

	if (st == NULL || (!w->options.force &&
			      wave_refuse_moved(f, w, change, err) < 0))
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)change);
	return wave_do(f, st, members_out, err);
}

int wave_held_released(struct wave_file *f, const struct wave *w,
    uint64_t *members_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_RELEASE_MARK, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	return wave_do(f, st, members_out, err);
}
