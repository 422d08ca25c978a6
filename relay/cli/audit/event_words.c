/* SPDX-License-Identifier: ISC
 *
 * Events in words: who sent, where each copy went, what the other side said.
 */
#include "relay/cli/audit/event_words_int.h"

#include <inttypes.h>

#include "relay/base/utf8.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/common/why_waits.h"

void words_add(struct strbuf *out, const char *s)
{
	utf8_show(slice_str(s), out);
}

/* "bob@example.org", and "<>" for the null sender. */
static void add_sender(struct strbuf *out, const char *from)
{
	words_add(out, from[0] == '\0' ? "<>" : from);
}

void words_plural(struct strbuf *out, int64_t n, const char *what)
{
	strbuf_addf(out, "%" PRId64 " %s%s", n, what, n == 1 ? "" : "s");
}

static void add_client(struct strbuf *out, const json_t *e)
{
	const char *name = json_text(e, "name");

	words_add(out, name[0] != '\0' ? name : json_text(e, "helo"));
	strbuf_adds(out, " [");
	words_add(out, json_text(e, "client"));
	strbuf_addc(out, ']');
}

/* " (SPF fail by -all example.org)" */
static void add_spf(struct strbuf *out, const json_t *e)
{
	if (json_text(e, "spf")[0] == '\0')
		return;
	strbuf_adds(out, " (SPF ");
	words_add(out, json_text(e, "spf"));
	if (json_text(e, "spf_by")[0] != '\0') {
		strbuf_adds(out, " by ");
		words_add(out, json_text(e, "spf_by"));
	}
	strbuf_addc(out, ')');
}

static void say_accepted(const json_t *e, struct strbuf *out)
{
	if (json_text(e, "listen")[0] == '\0') {
		strbuf_adds(out, "a notification of our own");
	} else {
		strbuf_adds(out, "accepted from ");
		add_client(out, e);
		strbuf_adds(out, " at ");
		words_add(out, json_text(e, "listen"));
		if (json_text(e, "tls")[0] != '\0')
			strbuf_adds(out, " over TLS");
	}
	strbuf_adds(out, ": from ");
	add_sender(out, json_text(e, "from"));
	add_spf(out, e);
	strbuf_adds(out, ", ");
	words_plural(out, json_number(e, "recipients"), "recipient");
	strbuf_adds(out, ", ");
	words_plural(out, json_number(e, "size"), "byte");
	if (json_number(e, "stripped") > 0) {
		strbuf_adds(out, ", without ");
		words_plural(out, json_number(e, "stripped"), "forged result");
	}
}

static void add_who(struct strbuf *out, const json_t *e)
{
	static const struct {
		const char *key, *word;
	} parts[] = {{"stage", " at "}, {"from", " from "}, {"to", " for "}};

	words_add(out, json_text(e, "client"));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (json_text(e, parts[i].key)[0] == '\0')
			continue;
		strbuf_adds(out, parts[i].word);
		words_add(out, json_text(e, parts[i].key));
	}
}

/* Why, what the client said, and how often. */
static void add_reason(struct strbuf *out, const json_t *e)
{
	words_add(out, json_text(e, "reason"));
	if (json_text(e, "said")[0] != '\0') {
		strbuf_adds(out, "; it said \"");
		words_add(out, json_text(e, "said"));
		strbuf_addc(out, '"');
	}
	if (json_number(e, "count") > 1)
		strbuf_addf(out, " (%" PRId64 " times)",
		    json_number(e, "count"));
}

static void say_refused(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "refused ");
	add_who(out, e);
	strbuf_addf(out, ": %" PRId64 " ", json_number(e, "code"));
	words_add(out, json_text(e, "enhanced"));
	strbuf_addc(out, ' ');
	add_reason(out, e);
}

/* A connection that ended without an answer of ours. */
static void say_aborted(const json_t *e, struct strbuf *out)
{
	add_who(out, e);
	strbuf_adds(out, " had no answer: ");
	add_reason(out, e);
	if (json_number(e, "bytes") > 0) {
		strbuf_adds(out, ", after ");
		words_plural(out, json_number(e, "bytes"), "byte");
	}
}

/* A fault that was accepted all the same. */
static void say_repaired(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "taken from ");
	add_who(out, e);
	strbuf_adds(out, " all the same: ");
	add_reason(out, e);
}

/* "Ann@example.com -> cloud (primary): " */
static void add_delivery(struct strbuf *out, const json_t *e)
{
	words_add(out, json_text(e, "to"));
	strbuf_adds(out, " -> ");
	words_add(out, json_text(e, "leg"));
	strbuf_addf(out, " (%s): ", json_text(e, "role"));
}

static void add_reply(struct strbuf *out, const json_t *e)
{
	int64_t code = json_number(e, "code");
	const char *enh = json_text(e, "enhanced");
	const char *reply = json_text(e, "reply");

	if (json_text(e, "relay")[0] != '\0') {
		strbuf_adds(out, ", ");
		words_add(out, json_text(e, "relay"));
	}
	strbuf_adds(out, code != 0 ? " said \"" : ": ");
	if (code != 0)
		strbuf_addf(out, "%" PRId64 " ", code);
	if (enh[0] != '\0' && !slice_starts(slice_str(reply), slice_str(enh))) {
		words_add(out, enh);
		strbuf_addc(out, ' ');
	}
	words_add(out, reply);
	strbuf_adds(out, code != 0 ? "\"" : "");
}

static void add_attempt(struct strbuf *out, const json_t *e)
{
	int64_t ms = json_number(e, "delay_ms");
	const char *uncertain = json_text(e, "uncertain");

	if (json_object_get(e, "attempt") == NULL)
		return;
	strbuf_addf(out, " (attempt %" PRId64 ", after %" PRId64
	    ".%" PRId64 " s", json_number(e, "attempt"), ms / 1000,
	    ms % 1000 / 100);
	if (json_text(e, "address")[0] != '\0') {
		strbuf_adds(out, ", as ");
		words_add(out, json_text(e, "address"));
	}
	if (json_text(e, "tls_failed")[0] != '\0') {
		strbuf_adds(out, ", in the clear since TLS failed: ");
		words_add(out, json_text(e, "tls_failed"));
	}
	if (uncertain[0] != '\0')
		strbuf_adds(out, ", may arrive twice");
	strbuf_addc(out, ')');
}

static void add_why(struct strbuf *out, const json_t *e)
{
	const char *why =
	    why_waits(json_text(e, "class"), json_number(e, "code"));

	if (strcmp(json_text(e, "event"), "deferred") == 0 && why != NULL)
		strbuf_addf(out, "; waits: %s", why);
	if (strcmp(json_text(e, "reason"), "forged") == 0)
		strbuf_adds(out, "; SPF disowns its sender too");
}

static void add_by(struct strbuf *out, const json_t *e)
{
	strbuf_adds(out, " by ");
	words_add(out, json_text(e, "by"));
	if (json_text(e, "reason")[0] != '\0') {
		strbuf_adds(out, " (");
		words_add(out, json_text(e, "reason"));
		strbuf_addc(out, ')');
	}
}

/* The words for the action of a notice; the last for those of later
 * versions. */
static const char *news(const char *action)
{
	static const char *const words[][2] = {{"failed", " failed"},
	    {"delayed", " is delayed"}, {"relayed", " was passed on"},
	    {"delivered", " was delivered"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(action, words[i][0]) == 0)
			return words[i][1];
	return " has news";
}

/* Of a bounce that a return address of ours took. */
static void say_returned(const json_t *e, struct strbuf *out)
{
	const char *action = json_text(e, "action");

	strbuf_adds(out, "its copy to ");
	words_add(out, json_text(e, "leg"));
	strbuf_adds(out, " was answered: ");
	words_add(out, action[0] != '\0' ? action : "a message");
	if (json_text(e, "status")[0] != '\0') {
		strbuf_addc(out, ' ');
		words_add(out, json_text(e, "status"));
	}
	if (json_text(e, "to")[0] != '\0') {
		strbuf_adds(out, " for ");
		words_add(out, json_text(e, "to"));
	}
	strbuf_adds(out, ", by message ");
	words_add(out, json_text(e, "id"));
}

static void say_dsn(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "told ");
	add_sender(out, json_text(e, "sender"));
	strbuf_adds(out, " that mail for ");
	words_add(out, json_text(e, "to"));
	strbuf_adds(out, news(json_text(e, "action")));
	strbuf_adds(out, ", by message ");
	words_add(out, json_text(e, "id"));
}

static void say_body(const json_t *e, struct strbuf *out)
{
	words_add(out, json_text(e, "who"));
	strbuf_adds(out, " read the message with ");
	words_add(out, json_text(e, "command"));
}

static void say_imported(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "carried here from another Posthouse by ");
	words_add(out, json_text(e, "who"));
}

static void say_leg(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "leg ");
	words_add(out, json_text(e, "leg"));
	strbuf_addc(out, ' ');
	words_add(out, json_text(e, "state"));
	if (json_text(e, "reason")[0] != '\0') {
		strbuf_adds(out, ": ");
		words_add(out, json_text(e, "reason"));
	}
}

/* … and of a leg that is told another sender. */
static void say_egress(const json_t *e, struct strbuf *out)
{
	const char *egress = json_text(e, "egress"), *leg = json_text(e, "leg");

	strbuf_adds(out, leg[0] != '\0' ? "goes to " :
	    egress[0] != '\0' ? "goes out by " : "waits for a way out");
	words_add(out, leg[0] != '\0' ? leg : egress);
	strbuf_adds(out, " (");
	words_add(out, json_text(e, "reason"));
	strbuf_addc(out, ')');
	if (json_text(e, "rewritten")[0] != '\0') {
		strbuf_adds(out, " as ");
		add_sender(out, json_text(e, "rewritten"));
	}
}

static void say_alarm(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "alarm ");
	words_add(out, json_text(e, "kind"));
	strbuf_adds(out, " about ");
	words_add(out, json_text(e, "about"));
	strbuf_adds(out, ": ");
	words_add(out, json_text(e, "text"));
}

static void say_gap(const json_t *e, struct strbuf *out)
{
	int64_t records = json_number(e, "records");
	int64_t generations = json_number(e, "generations");
	const char *reason = json_text(e, "reason");

	strbuf_adds(out, "the audit trail has a gap: ");
	if (records > 0)
		words_plural(out, records, "record");
	else if (generations > 0)
		words_plural(out, generations, "journal segment");
	else
		words_plural(out, json_number(e, "bytes"),
		    "byte of the journal");
	if (json_object_get(e, "offset") == NULL) {
		strbuf_adds(out, " could not be kept for it");
		return;
	}
	strbuf_addf(out, " at %lld:%lld, %s",
	    (long long)json_number(e, "generation"),
	    (long long)json_number(e, "offset"), reason);
}

/* Shows fields that have no sentence of their own as they are. */
static void say_fields(const json_t *e, struct strbuf *out)
{
	const char *key;
	json_t *v;

	words_add(out, json_text(e, "event"));
	json_object_foreach((json_t *)e, key, v) {
		if (strcmp(key, "time") == 0 || strcmp(key, "node") == 0 ||
		    strcmp(key, "event") == 0 || strcmp(key, "id") == 0)
			continue;
		strbuf_addc(out, ' ');
		words_add(out, key);
		strbuf_addc(out, '=');
		if (json_is_integer(v))
			strbuf_addf(out, "%" JSON_INTEGER_FORMAT,
			    json_integer_value(v));
		else if (json_is_string(v))
			words_add(out, json_string_value(v));
	}
}

static const struct {
	const char *event;
	const char *said; /* of a delivery; NULL: `say` has it all */
	void (*say)(const json_t *e, struct strbuf *out);
} events[] = {
	/* clang-format off */
	{ "accepted",   NULL,              say_accepted },
	{ "refused",    NULL,              say_refused  },
	{ "aborted",    NULL,              say_aborted  },
	{ "repaired",   NULL,              say_repaired },
	{ "delivered",  "delivered",       NULL         },
	{ "deferred",   "not yet",         NULL         },
	{ "bounced",    "failed for good", NULL         },
	{ "parked",     "parked",          NULL         },
	{ "superseded", "superseded",      NULL         },
	{ "released",   "released",        NULL         },
	{ "deleted",    "deleted",         NULL         },
	{ "replayed",   "queued again",    NULL         },
	{ "routed",     "routed here",     NULL         },
	{ "held",       "held",            NULL         },
	{ "frozen",     "frozen",          NULL         },
	{ "thawed",     "thawed",          NULL         },
	{ "retried",    "due now",         NULL         },
	{ "dsn",        NULL,              say_dsn      },
	{ "returned",   NULL,              say_returned },
	{ "body",       NULL,              say_body     },
	{ "imported",   NULL,              say_imported },
	{ "change",     NULL,              words_change   },
	{ "decision",   NULL,              words_decision },
	{ "egress",     NULL,              say_egress   },
	{ "rewritten",  NULL,              say_egress   },
	{ "wave",       NULL,              words_wave     },
	{ "watermark",  NULL,              words_watermark },
	{ "replay",     NULL,              words_replay   },
	{ "verdict",    NULL,              words_verdict  },
	{ "leg",        NULL,              say_leg      },
	{ "alarm",      NULL,              say_alarm    },
	{ "audit.gap",  NULL,              say_gap      },
	/* clang-format on */
};

static void say_delivery(const json_t *e, const char *said, struct strbuf *out)
{
	add_delivery(out, e);
	strbuf_adds(out, said);
	if (json_object_get(e, "code") != NULL)
		add_reply(out, e);
	else
		add_by(out, e);
	add_attempt(out, e);
	add_why(out, e);
}

void words_event(const json_t *event, struct strbuf *out)
{
	const char *name = json_text(event, "event");

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (strcmp(events[i].event, name) != 0)
			continue;
		if (events[i].say != NULL)
			events[i].say(event, out);
		else
			say_delivery(event, events[i].said, out);
		return;
	}
	say_fields(event, out);
}
