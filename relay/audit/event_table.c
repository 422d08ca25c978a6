/* SPDX-License-Identifier: ISC
 *
 * The table of events and of alarm kinds.
 */
#include "relay/audit/event_table.h"

/* clang-format off */
#define OF_DELIVERY "id to leg role change "
#define RESULT OF_DELIVERY \
	"relay code enhanced reply class stage attempt delay_ms tls tls_failed " \
	"address uncertain"
#define BY OF_DELIVERY "by reason uncertain"

const struct event_row event_table[EVENTS] = {
	[EVENT_ACCEPTED] = { "accepted",
		"id client name listen helo tls login from message_id size recipients spf "
		"spf_by stripped came_from parent",
		"A message was stored and its client was answered 250" },
	[EVENT_DELIVERED] = { "delivered", RESULT,
		"A leg took the message for a recipient" },
	[EVENT_DEFERRED] = { "deferred", RESULT,
		"An attempt did not succeed; there will be another" },
	[EVENT_BOUNCED] = { "bounced", RESULT " by reason",
		"A delivery failed for good, and its sender is told" },
	[EVENT_PARKED] = { "parked", RESULT " by reason",
		"A delivery is given up for now and kept for an administrator" },
	[EVENT_SUPERSEDED] = { "superseded", BY,
		"Another delivery stands for this one after a change of the route" },
	[EVENT_RELEASED] = { "released", BY,
		"A delivery that was held may go out" },
	[EVENT_DELETED] = { "deleted", BY,
		"A delivery ended without being made" },
	[EVENT_REPLAYED] = { "replayed", BY,
		"A delivered message was queued for another leg" },
	[EVENT_ROUTED] = { "routed", BY,
		"A change of the route created a delivery or gave it another role" },
	[EVENT_HELD] = { "held", BY,
		"A delivery waits for a release" },
	[EVENT_FROZEN] = { "frozen", BY,
		"An administrator stopped a delivery" },
	[EVENT_THAWED] = { "thawed", BY,
		"A frozen delivery may go out" },
	[EVENT_RETRIED] = { "retried", BY,
		"An administrator made a delivery due now" },
	[EVENT_DSN] = { "dsn", "id about to action sender",
		"A notification to a sender was queued" },
	[EVENT_RETURNED] = { "returned", "id about leg action status to",
		"A return address of ours took a bounce of a copy" },
	[EVENT_ALARM] = { "alarm", "kind about text",
		"A condition needs an administrator" },
	[EVENT_TOKEN] = { "token", "id about client from reason",
		"A mark in a Received field of our name was not made for this message" },
	[EVENT_GAP] = { "audit.gap", "reason generations records bytes generation offset",
		"Records of the journal never came into the audit trail" },
	[EVENT_LEG] = { "leg", "leg state class reason who",
		"A leg is down, up, suspended or resumed" },
	[EVENT_REFUSED] = { "refused",
		"client listen stage from to code enhanced said reason count",
		"A client was refused" },
	[EVENT_ABORTED] = { "aborted",
		"client listen stage from to bytes reason count",
		"A connection ended in the middle of a mail, without an answer of ours" },
	[EVENT_REPAIRED] = { "repaired",
		"client listen stage from to said reason count",
		"A fault of a client was accepted all the same" },
	[EVENT_CHANGE] = { "change", "change who host command note recipients undid",
		"The cutover table was changed" },
	[EVENT_BODY] = { "body", "id who command",
		"An administrator read or exported the body of a message" },
	[EVENT_IMPORTED] = { "imported", "id who",
		"A message that was exported elsewhere was taken in" },
	[EVENT_SPOOL] = { "spool", "state generations missing reason",
		"The spool is not whole, another one, a restored one, or short of space" },
};

const struct alarm_row alarm_table[ALARMS] = {
	[ALARM_LEG_DOWN] = { "leg-down", "A leg has not been reachable for alarm.interval" },
	[ALARM_LEG_SUSPENDED] = { "leg-suspended",
		"A leg suspended itself after replies that say its set-up is wrong" },
	[ALARM_CONFIGURATION] = { "configuration",
		"A leg refused a message for its set-up or ours, and the message waits" },
	[ALARM_LEG_REFUSES] = { "leg-refuses",
		"A leg refused many messages for its set-up, but takes a question of ours" },
	[ALARM_UNKNOWN_RECIPIENTS] = { "unknown-recipients",
		"A leg suspended itself: it does not know many recipients that it took lately" },
	[ALARM_SPOOL_LOW] = { "spool-low", "Retained mail is given up early" },
	[ALARM_SPOOL_FULL] = { "spool-full", "New mail is answered 452" },
	[ALARM_SPOOL_FAILED] = { "spool-failed", "The disk failed to keep what was written" },
	[ALARM_SPOOL_DAMAGED] = { "spool-damaged",
		"At the start segments of the spool were absent, emptied, cut or damaged" },
	[ALARM_MESSAGE_UNREADABLE] = { "message-unreadable",
		"A message cannot be read from the spool now" },
	[ALARM_TABLE] = { "table", "The cutover table cannot be used" },
	[ALARM_AUDIT] = { "audit", "The audit index cannot be written or is behind" },
	[ALARM_AUDIT_GAP] = { "audit-gap", "Records never came into the audit index" },
	[ALARM_CERTIFICATE] = { "certificate", "A certificate ends soon" },
	[ALARM_IN_CLEAR] = { "in-clear", "Mail went in the clear to a host that offered TLS" },
	[ALARM_AUTHENTICATION] = { "authentication",
		"A leg does not believe the senders of what it gets from us" },
	[ALARM_OUTBOUND_RATE] = { "outbound-rate",
		"A client or user sends to more recipients at the outside than outbound.rate" },
	[ALARM_LOOP] = { "loop", "Mail for an address goes round" },
};
/* clang-format on */
