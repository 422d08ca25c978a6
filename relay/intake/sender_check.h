/* SPDX-License-Identifier: ISC
 *
 * Is the client allowed to send in the sender's name (E2)? The check begins at
 * MAIL; it is waited for at RCPT where the recipient's domain refuses or defers
 * for its result, else before the content, whose trace block reports it.
 * spf.wait after MAIL it is a temperror. A worker's loop.
 */
#ifndef RELAY_INTAKE_SENDER_CHECK_H
#define RELAY_INTAKE_SENDER_CHECK_H

#include "relay/intake/intake_int.h"

/* At MAIL, when the envelope has the client. */
void sender_check_begin(struct intake *in);
/* The verdict is not known yet: `then` is called once, later. */
void sender_check_await(struct intake *in, void (*then)(struct intake *in));
/* No callback follows. */
void sender_check_drop(struct intake *in);

/* Must the verdict be known before this recipient is answered? */
bool sender_check_matters(const struct intake *in, const struct addr *to,
    const struct decision *d);
/* When it is. False: *r refuses. */
bool sender_check_passes(const struct intake *in, const struct addr *to,
    const struct decision *d, struct reply *r);
/* Into the envelope: the client's name, if it was found by now. */
void sender_check_name_client(struct intake *in);

#endif
