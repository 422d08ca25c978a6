/* SPDX-License-Identifier: ISC
 *
 * What the files of the probe share.
 */
#ifndef RELAY_CLIENT_PROBE_INT_H
#define RELAY_CLIENT_PROBE_INT_H

#include "relay/client/client_int.h"

/* What was seen, against what the leg's configuration asks for: fills
 * `problem`, unless one is there, and `note`. Pure. */
void probe_judge(const struct client_probe *job, struct probe_row *r);

#endif
