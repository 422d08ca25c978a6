/* SPDX-License-Identifier: ISC
 *
 * The answer to leg.probe: a row for each address that was looked at.
 */
#ifndef RELAY_CONTROL_PROBE_PRINT_H
#define RELAY_CONTROL_PROBE_PRINT_H

#include "relay/base/jout.h"
#include "relay/client/client.h"

/* The members of one row, into the object that `j` is in. Of TLS, its
 * certificate and DANE only what applies to the leg and was reached. Times in
 * ms; any thread. */
void probe_print(struct jout *j, const struct client_probe *p,
    const struct probe_row *row);

#endif
