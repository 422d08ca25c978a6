/* SPDX-License-Identifier: ISC
 *
 * Events as values and as JSON objects: the one printer behind events.jsonl
 * and `trace`. Names and fields are the product's face (doc/audit.md). Pure.
 */
#ifndef RELAY_AUDIT_EVENT_H
#define RELAY_AUDIT_EVENT_H

#include "relay/base/jout.h"
#include "relay/mail/envelope.h"
#include "relay/spool/spool.h"

/* The events of a delivery. On disk (attempt.event): never renumbered. */
enum event_kind {
	EV_NONE = 0, /* a move that is no news: it is not shown */
	EV_DELIVERED = 1, EV_DEFERRED = 2, EV_BOUNCED = 3, EV_PARKED = 4,
	EV_SUPERSEDED = 5, EV_RELEASED = 6, EV_DELETED = 7, EV_REPLAYED = 8,
	EV_ROUTED = 9, /* created, or its role changed, by a route */
	EV_HELD = 10, EV_FROZEN = 11, EV_THAWED = 12, EV_RETRIED = 13,
	EV_DSN = 14, /* a notification was queued; detail: a notice */
	EV_KINDS
};

/* One event of one delivery; strings are borrowed. */
struct delivery_event {
	enum event_kind kind;
	uint64_t id;
	int64_t time_us;
	int64_t accepted_us; /* 0: not known, no delay_ms */
	const char *to, *leg;
	uint32_t rcpt;
	uint8_t role, why, uncertain;
	uint16_t attempt;
	uint64_t change;
	struct slice detail; /* packed result, actor or notice */
};

/* The detail of EV_DSN. */
struct notice {
	uint64_t id;	    /* of the notification itself */
	const char *sender; /* its recipient              */
	const char *action; /* "failed", "delayed", "relayed", "delivered" */
};

const char *event_kind_text(enum event_kind k);
/* EV_NONE: no event of a delivery has that name. */
enum event_kind event_kind_named(const char *name);
enum event_kind event_kind_of(enum dstate old_state,
    const struct spool_delivery *to);

void notice_pack(const struct notice *n, struct strbuf *out);
int notice_unpack(struct slice bytes, struct arena *a,
    struct notice *notice_out) PH_CHECK;

/* Where it happened and, for events.jsonl, where it stands in the journal. */
struct event_place {
	int node;
	struct spool_pos pos; /* generation 0: not shown */
};

/* Each appends one whole object, without a line end. */
void event_print_accepted(struct strbuf *out, const struct event_place *at,
    const struct envelope *e);
void event_print_delivery(struct strbuf *out, const struct event_place *at,
    const struct delivery_event *m);
/* `fields`: of note_parse(). */
void event_print_note(struct strbuf *out, const struct event_place *at,
    int64_t time_us, struct slice event, struct slice fields);

#endif
