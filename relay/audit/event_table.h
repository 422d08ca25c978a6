/* SPDX-License-Identifier: ISC
 *
 * The events of the audit trail and the kinds of alarms: the only list of
 * their names, fields and meanings. A writer names its row, so it cannot
 * invent an event. tests/unit/test_event_table.c holds doc/audit.md,
 * posthouse(1), posthoused(8) and the sentences of `trace` against it. Pure.
 */
#ifndef RELAY_AUDIT_EVENT_TABLE_H
#define RELAY_AUDIT_EVENT_TABLE_H

enum event_id {
	EVENT_ACCEPTED,
	/* of a delivery: numbers of enum event_kind, which are on disk */
	EVENT_DELIVERED, EVENT_DEFERRED, EVENT_BOUNCED, EVENT_PARKED,
	EVENT_SUPERSEDED, EVENT_RELEASED, EVENT_DELETED, EVENT_REPLAYED,
	EVENT_ROUTED, EVENT_HELD, EVENT_FROZEN, EVENT_THAWED, EVENT_RETRIED,
	EVENT_DSN,
	/* of no delivery: notes, and what the projector adds */
	EVENT_RETURNED, EVENT_ALARM, EVENT_TOKEN, EVENT_GAP, EVENT_LEG,
	EVENT_REFUSED, EVENT_ABORTED, EVENT_REPAIRED, EVENT_CHANGE,
	EVENT_BODY, EVENT_IMPORTED, EVENT_SPOOL, EVENT_EGRESS,
	EVENT_REWRITTEN, EVENT_WAVE,
	EVENT_WATERMARK,
	EVENT_REPLAY, EVENT_DECISION, EVENT_VERDICT,
	EVENTS
};

struct event_row {
	const char *name;
	const char *fields;  /* beside time, node, event, pos; by blanks */
	const char *meaning; /* a sentence without its end */
};
extern const struct event_row event_table[EVENTS];

enum alarm_kind {
	ALARM_LEG_DOWN, ALARM_LEG_SUSPENDED, ALARM_CONFIGURATION,
	ALARM_LEG_REFUSES, ALARM_UNKNOWN_RECIPIENTS, ALARM_SPOOL_LOW,
	ALARM_SPOOL_FULL, ALARM_SPOOL_FAILED, ALARM_SPOOL_DAMAGED,
	ALARM_MESSAGE_UNREADABLE, ALARM_TABLE, ALARM_AUDIT, ALARM_AUDIT_GAP,
	ALARM_CERTIFICATE, ALARM_IN_CLEAR, ALARM_AUTHENTICATION, ALARM_LOOP,
	ALARM_EGRESS, ALARM_SPF_HELPER, ALARM_SPF_DOMAIN,
	ALARM_OUTBOUND_RATE, ALARM_WATERMARK, ALARM_HOOK, ALARM_HOLD,
	ALARM_WANTS_OUTBOUND,
	ALARM_WAY_BACK,
	ALARM_PREFLIGHT,
	ALARM_BRAKE,
	ALARM_COEXIST,
	ALARMS
};

struct alarm_row {
	const char *kind;    /* small letters and -; the program's argument */
	const char *meaning; /* a sentence without its end */
};
extern const struct alarm_row alarm_table[ALARMS];

#endif
