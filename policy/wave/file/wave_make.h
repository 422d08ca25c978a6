/* SPDX-License-Identifier: ISC
 *
 * Waves are created, and their members chosen.
 */
#ifndef POLICY_WAVE_FILE_WAVE_MAKE_H
#define POLICY_WAVE_FILE_WAVE_MAKE_H

#include "policy/wave/file/wave_file.h"
#include "relay/mail/addr.h"

struct wave_new {
	const char *name;
	const char *route; /* the target; NULL: none yet */
	const struct wave_options *options; /* NULL: the defaults */
	int64_t at_us; /* planned for; `schedule` may take it. 0: no time */
	const struct change_by *by; /* who, host, command, note */
	int64_t now_us;
};
struct wave_made {
	uint64_t members;
	uint64_t no_row;    /* of them: left out when their slice comes */
	/* Of them, in another wave that is scheduled, running or paused: this
	 * one can not be scheduled or started meanwhile. The first. */
	uint64_t elsewhere;
	uint64_t line;	    /* 0: it stands in no file */
	char address[ADDR_MAX], wave[WAVE_NAME_MAX + 1];
};
/* Makes a wave of the recipients that `ch` has staged (change_set(),
 * change_list(), change_where() with a row that keeps all values), with all
 * addresses of their mailboxes; in one transaction with its decision. `ch` can
 * only be closed after that. Members are recipients: change_refuse_domains().
 * -1: nothing was made. */
int wave_create(struct change *ch, const struct wave_new *w,
    struct wave_made *made_out, struct error *err) PH_CHECK;
/* Adds what is staged to a wave that is planned, or takes it out; mailboxes
 * whole. `name` NULL (take out): of all that are planned. Out: how many were
 * added (made_out->members), taken out. */
int wave_add(struct change *ch, const char *name, const struct change_by *by,
    struct wave_made *made_out, struct error *err) PH_CHECK;
int wave_remove(struct change *ch, const char *name,
    const struct change_by *by, uint64_t *members_out, struct error *err)
    PH_CHECK;

/* Stages `row` for each member of a wave, of one state or (-1) of any. */
struct wave_stage {
	const char *name;
	int state;
	const struct change_row *row;
};
int wave_stage(struct change *ch, const struct wave_stage *s,
    struct error *err) PH_CHECK;

/* For plans, which make many waves in one transaction of the caller: a wave
 * without members, and its members one by one, best in order of their
 * addresses. Those of one mailbox have the same `seat`; slices take seats in
 * order. */
int wave_insert(struct wave_file *f, const struct wave_new *w,
    int64_t *id_out, struct error *err) PH_CHECK;
struct wave_seat {
	struct slice address;
	uint64_t seat;
	uint64_t line;	 /* 0: none */
	const char *was; /* its route now; NULL: no row */
};
int wave_seat(struct wave_file *f, int64_t id, const struct wave_seat *seat,
    struct error *err) PH_CHECK;
/* Around many of them, in the same transaction: `members` will come. Where
 * there are fewer so far, their indexes are made at the end, sorted, which
 * takes half the time; until then nothing finds a member quickly. */
int wave_seats_begin(struct wave_file *f, uint64_t members,
    struct error *err) PH_CHECK;
int wave_seats_end(struct wave_file *f, struct error *err) PH_CHECK;

#endif
