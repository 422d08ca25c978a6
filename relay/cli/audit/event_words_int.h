/* SPDX-License-Identifier: ISC
 *
 * Shared by the files behind event_words.h.
 */
#ifndef RELAY_CLI_AUDIT_EVENT_WORDS_INT_H
#define RELAY_CLI_AUDIT_EVENT_WORDS_INT_H

#include "relay/cli/audit/event_words.h"

/* Without control characters. */
void words_add(struct strbuf *out, const char *s);
/* "1 recipient", "2 recipients". */
void words_plural(struct strbuf *out, int64_t n, const char *what);

/* event_words_cutover.c: a sentence each. */
void words_change(const json_t *e, struct strbuf *out);
void words_decision(const json_t *e, struct strbuf *out);
void words_wave(const json_t *e, struct strbuf *out);
void words_watermark(const json_t *e, struct strbuf *out);
void words_replay(const json_t *e, struct strbuf *out);
void words_verdict(const json_t *e, struct strbuf *out);

#endif
