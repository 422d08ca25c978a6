/* SPDX-License-Identifier: ISC
 *
 * A verdict as a page to print and to sign: HTML that loads nothing.
 */
#ifndef RELAY_CLI_VERDICT_VERDICT_REPORT_H
#define RELAY_CLI_VERDICT_VERDICT_REPORT_H

#include <stdio.h>

#include "relay/cli/verdict/gather.h"

/* False: it could not be written; errno says why. */
bool verdict_report(const struct verdict_look *g, FILE *to);

#endif
