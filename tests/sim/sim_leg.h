/* SPDX-License-Identifier: ISC
 *
 * The servers that mail is forwarded to, each with a mood.
 */
#ifndef TESTS_SIM_SIM_LEG_H
#define TESTS_SIM_SIM_LEG_H

#include <stdint.h>

#include "tests/sim/sim_world.h"

enum mood_kind {
	MOOD_UP,
	MOOD_REFUSES,     /* connections                                    */
	MOOD_SILENT,      /* no answer to a connection                      */
	MOOD_SLOW,        /* each answer takes up to `number` ms            */
	MOOD_RETURNS,     /* takes all, and brings it back to the relay      */
	MOOD_KNOWS_NOT,   /* recipient `number`, as one that is not there   */
	MOOD_SAYS,        /* answers `number` at `stage`                    */
	MOOD_MUTE,        /* says nothing any more at `stage`               */
	MOOD_DROPS,       /* hangs up at `stage`, instead of an answer      */
	MOOD_TAKES_DROPS, /* takes the content, and hangs up without a word */
	MOODS
};

enum leg_stage {
	AT_GREETING, AT_HELO, AT_MAIL, AT_RCPT, AT_DATA, AT_CONTENT,
	AT_STAGES
};

struct mood {
	enum mood_kind kind;
	enum leg_stage stage;
	int number;
};

/* Three tasks that accept, from now on. `seed`: what they offer. */
void legs_setup(uint64_t seed);
void leg_mood(int leg, struct mood mood);
const char *leg_name(int leg);

#endif
