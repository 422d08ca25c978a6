/* SPDX-License-Identifier: ISC
 *
 * Shared by the parts of the recount: conserve.c (the walk and the figures),
 * suspects.c (recipients without a delivery that stands), missing.c (open
 * ones that the journal does not hold).
 */
#ifndef RELAY_AUDIT_VERIFY_CONSERVE_INT_H
#define RELAY_AUDIT_VERIFY_CONSERVE_INT_H

#include "relay/audit/leg_states.h"
#include "relay/audit/verify/conserve.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"

/* A recipient of which one file knows only superseded deliveries. */
struct suspect {
	uint64_t id;
	uint32_t rcpt;
	const char *to;
	struct suspect_leg { /* by number, as the newest file has it */
		uint32_t number;
		bool stands;
	} *leg;
	unsigned legs;
};

enum { LEG_FORMS = 256, LEG_FORM_TEXT = 80 };

struct recounting {
	const char *dir;
	struct names *names;
	struct conserve *out;
	struct hourfile *newest; /* a snapshot of it is held */
	struct hourfile *file;	 /* the one that is walked   */
	int64_t *hour; /* of the files, as they were at the snapshot */
	size_t hours;
	int64_t era, first_hour;
	bool counted;  /* the first walk is over */
	int64_t gone;  /* the newest hour that was pruned after it */
	bool based; /* the figures begin with a file's totals */
	struct map live; /* (id, number) to struct conserve_missing */
	struct arena *a;
	struct suspect *suspect;
	size_t suspects, cap;
	/* A row by its text: of one delivery that is over, which nearly all
	 * are, and where it counts. n 0: none was learnt. */
	struct leg_form {
		struct conserve_leg *leg;
		enum total total;
		unsigned char n;
		char text[LEG_FORM_TEXT];
	} form[LEG_FORMS];
};

/* The hours from the first kept to that of the newest; each is c->file while
 * fn runs. One that was pruned since it was counted is passed over. */
int recounting_each(struct recounting *c, int (*fn)(struct recounting *c),
    struct error *err);

void suspect_add(struct recounting *c, const struct hour_recipient *r);
/* After the walk over all files. */
int suspects_check(struct recounting *c, struct error *err);
void suspects_fini(struct recounting *c);

/* Takes in one delivery of a row. */
void missing_see(struct recounting *c, const struct hour_recipient *r,
    const struct recipient_leg *l);
/* After the walk: tells and counts them. */
int missing_tell(struct recounting *c, struct error *err);

#endif
