/* SPDX-License-Identifier: ISC
 *
 * What the control socket's commands do: status, legs, queue. The ops loop;
 * what the queue thread owns is asked there by a call and comes back as one.
 */
#ifndef RELAY_CONTROL_CONTROL_H
#define RELAY_CONTROL_CONTROL_H

#include "relay/daemon/app.h"

struct control *control_open(struct app *a, struct error *err);
void control_configure(struct control *c, struct live *l);
/* When no thread but the spool's runs any more: the socket is closed, and
 * what was asked comes to its end. NULL is fine, here and below. */
void control_end(struct control *c);
void control_free(struct control *c);

#endif
