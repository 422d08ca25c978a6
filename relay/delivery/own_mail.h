/* SPDX-License-Identifier: ISC
 *
 * A message of our own to a person, as alarms are: from the null sender,
 * accepted into the journal like any other, and routed as a notice is: by
 * the table for our own domains, by dsn.via for others. A worker's loop.
 */
#ifndef RELAY_DELIVERY_OWN_MAIL_H
#define RELAY_DELIVERY_OWN_MAIL_H

#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"
#include "relay/post/worker.h"

/* ---- where it goes ---- */

/* By the table for our own domains, by dsn.via for others. *why_out: why it
 * cannot go now, or WHY_NONE. False: the table cannot be read now. */
bool own_mail_route(struct worker *w, const struct addr *to, struct decision *d,
    enum why *why_out) PH_CHECK;
/* Its deliveries, parked unless `why` is WHY_NONE; how many. */
unsigned own_mail_deliveries(const struct decision *d, enum why why,
    int64_t now_us, struct spool_delivery out[ROUTE_LEGS_MAX]);
/* The same for the queue; the envelope has one recipient. */
struct accepted_letter *own_mail_items(const struct envelope *e,
    const struct decision *d, const struct spool_delivery *dl, unsigned n);

/* ---- one that nothing else depends on ---- */

/* Prints the whole message; `id` is its own. */
typedef void (*own_mail_print_fn)(const void *arg, const char *id,
    struct strbuf *out);

/* Takes nothing. What cannot be stored is told in the log as `what`, and
 * that is all. */
void own_mail_send(struct worker *w, const char *what, const char *to,
    own_mail_print_fn print, const void *arg);
/* A letter of W_OWN_MAIL. */
void own_mail_letter(struct worker *w, struct spool_draft_letter *l);

#endif
