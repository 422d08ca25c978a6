/* SPDX-License-Identifier: ISC
 *
 * An event of the audit trail in words. Pure.
 */
#ifndef RELAY_CLI_AUDIT_EVENT_WORDS_H
#define RELAY_CLI_AUDIT_EVENT_WORDS_H

#include <jansson.h>

#include "relay/base/strbuf.h"

/* Appends the sentence, without time and id. What came from outside is made
 * harmless for a terminal. */
void words_event(const json_t *event, struct strbuf *out);

#endif
