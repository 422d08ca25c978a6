/* SPDX-License-Identifier: ISC
 *
 * The end of a run: the journal's word on each delivery against what the
 * world saw.
 */
#include "tests/sim/sim_recount.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/id.h"
#include "tests/sim/sim_recount_int.h"
#include "tests/sim/sim_leg.h"
#include "tests/sim/sim_trace.h"

static void broken(const struct witness_mail *m, unsigned rcpt,
    const char *why)
{
	sim_fail("mail %u (%s), recipient u%d: %s", m->tag, m->id,
	    m->rcpt[rcpt].user, why);
}

static const struct read_message *find(const struct witness_mail *mail)
{
	const struct read_message *m;
	char id[ID_TEXT];

	for (unsigned i = 0; (m = recount_message(i)) != NULL; i++) {
		id_text(m->id, id);
		if (m->mail == mail && (mail->id[0] == '\0' ||
			strcmp(id, mail->id) == 0))
			return m;
	}
	return NULL;
}

/* The number of that recipient in the envelope, or -1. */
static int number_of(const struct read_message *m, int user)
{
	for (unsigned i = 0; i < m->rcpts; i++)
		if (m->user[i] == user)
			return (int)i;
	return -1;
}

/* All deliveries of that mail to that user: of the message that was accepted,
 * and of those that legs brought back. */
enum { FOUND_MAX = 200 };
struct found {
	const struct witness_mail *mail;
	unsigned r; /* which of its recipients */
	struct {
		const struct read_message *m;
		const struct read_delivery *d;
	} at[FOUND_MAX];
	unsigned n;
};

static void find_in(struct found *f, const struct read_message *m)
{
	int number = number_of(m, f->mail->rcpt[f->r].user);

	for (unsigned i = 0; number >= 0 && i < m->n; i++)
		if (m->d[i].d.rcpt == (uint32_t)number && f->n < FOUND_MAX) {
			f->at[f->n].m = m;
			f->at[f->n++].d = &m->d[i];
		}
}

/* A delivery on record as delivered was taken by that leg, and the other way
 * round. */
static void check_delivered(const struct found *f)
{
	const struct witness_rcpt *seen = &f->mail->rcpt[f->r];
	bool said[SIM_LEGS] = {false}, marked[SIM_LEGS] = {false};

	for (unsigned i = 0; i < f->n; i++) {
		const struct read_delivery *d = f->at[i].d;

		if (d->leg < 0)
			continue;
		if (d->d.state == D_DELIVERED && seen->got[d->leg] == 0)
			broken(f->mail, f->r, "it is on record as delivered, "
			    "and no leg has it");
		said[d->leg] = said[d->leg] || d->d.state == D_DELIVERED;
		marked[d->leg] = marked[d->leg] || d->d.uncertain != UNC_NO;
	}
	for (int leg = 0; leg < SIM_LEGS; leg++) {
		if (seen->got[leg] > 0 && !seen->doubtful[leg] && !said[leg])
			broken(f->mail, f->r, "a leg took it, and it is not "
			    "on record");
		if (seen->got[leg] > 1 && !marked[leg])
			broken(f->mail, f->r, "a leg has it twice, and that "
			    "is not on record as possible (D8)");
	}
}

/* Did it end before it went anywhere? Then a route adds nothing. */
static bool given_up(const struct found *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->at[i].d->by_admin || f->at[i].d->d.state == D_BOUNCED)
			return true;
	return false;
}

/* Its route never changed: each leg of it has a delivery that stands. */
static void check_route(const struct found *f)
{
	struct witness_route route;

	if (!witness_route_since(f->mail->rcpt[f->r].user,
		f->mail->answered_us, &route) || given_up(f))
		return;
	for (int k = 0; k < 2; k++) {
		bool there = route.leg[k] < 0;

		for (unsigned i = 0; i < f->n; i++)
			there = there || (f->at[i].d->leg == route.leg[k] &&
			    f->at[i].d->d.state != D_SUPERSEDED);
		if (!there)
			broken(f->mail, f->r, "a leg of its route has no "
			    "delivery");
	}
}

static bool wants_notice(const struct witness_mail *mail)
{
	return mail->sender >= 0 && !mail->never;
}

/* Was a notice of it made, that its leg did not take in the end? */
static bool notice_is_lost(const struct read_message *m)
{
	const struct read_message *notice;

	for (unsigned i = 0; (notice = recount_message(i)) != NULL; i++)
		for (unsigned k = 0; notice->tells_of == m && k < notice->n;
		     k++)
			if (notice->d[k].d.state != D_DELIVERED &&
			    notice->d[k].d.state != D_SUPERSEDED)
				return true;
	return false;
}

static bool is_owed(const struct spool_delivery *d)
{
	return d->state == D_BOUNCED ||
	       (d->state == D_PARKED && d->reason == WHY_LIFETIME);
}

/* D3, D9, D10: a primary that failed is told of, once; nothing else is. */
static void check_notice(const struct found *f)
{
	unsigned told = f->mail->rcpt[f->r].told[NOTICE_FAILED];
	bool failed = false;

	for (unsigned i = 0; i < f->n; i++) {
		const struct spool_delivery *d = &f->at[i].d->d;

		if (d->role != ROLE_PRIMARY)
			continue;
		failed = failed || d->state == D_BOUNCED ||
			 (d->flags & DF_DSN_SENT) != 0;
		if (told == 0 && is_owed(d) && wants_notice(f->mail) &&
		    !notice_is_lost(f->at[i].m))
			broken(f->mail, f->r, d->state == D_BOUNCED
			    ? "it was bounced, and its sender not told (D9)"
			    : "its time was over, and its sender not told "
			      "(D10)");
	}
	if (told > 0 && !failed)
		broken(f->mail, f->r, "a notice of a failure that is not on "
		    "record (D3)");
}

static const char *open_text(const struct spool_delivery *d)
{
	static char text[100];

	snprintf(text, sizeof(text), "its delivery is still open: %s, reason "
	    "%d, change %d", dstate_text((enum dstate)d->state),
	    (int)d->reason, (int)d->change);
	return text;
}

static void check_rcpt(const struct witness_mail *mail, unsigned r,
    const struct read_message *m)
{
	struct found f = {.mail = mail, .r = r};
	const struct read_message *other;

	find_in(&f, m);
	if (f.n == 0)
		broken(mail, r, "it was taken, and is not in the envelope");
	for (unsigned i = 0; (other = recount_message(i)) != NULL; i++)
		if (other->mail == mail && other != m)
			find_in(&f, other);
	for (unsigned i = 0; i < f.n; i++)
		if (dstate_open((enum dstate)f.at[i].d->d.state))
			broken(mail, r, open_text(&f.at[i].d->d));
	check_delivered(&f);
	check_route(&f);
	check_notice(&f);
}

static void check_mail(const struct witness_mail *mail)
{
	const struct read_message *m = find(mail);

	if (m == NULL && mail->promise == PROMISE_TAKEN)
		sim_fail("mail %u (%s) got 250 and is not in the journal",
		    mail->tag, mail->id);
	if (m == NULL)
		return;
	for (unsigned r = 0; r < mail->rcpts; r++)
		if (mail->rcpt[r].taken)
			check_rcpt(mail, r, m);
}

void recount_check_end(void)
{
	for (unsigned i = 0; !recount_blind() && i < witness_mails(); i++)
		check_mail(witness_mail(i));
}
