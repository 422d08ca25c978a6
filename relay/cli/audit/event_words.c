/* SPDX-License-Identifier: ISC
 *
 * Events in words: who sent, where each copy went, what the other side said.
 */
#include "relay/cli/audit/event_words.h"

#include <inttypes.h>

#include "relay/cli/common/out.h"

static const char *text(const json_t *e, const char *key)
{
	const char *s = json_string_value(json_object_get(e, key));

	return s == NULL ? "" : s;
}

static int64_t number(const json_t *e, const char *key)
{
	return json_integer_value(json_object_get(e, key));
}

static void add(struct strbuf *out, const char *s)
{
	utf8_show(slice_str(s), out);
}

/* "bob@example.org", and "<>" for nobody. */
static void add_sender(struct strbuf *out, const char *from)
{
	add(out, from[0] == '\0' ? "<>" : from);
}

static void add_plural(struct strbuf *out, int64_t n, const char *what)
{
	strbuf_addf(out, "%" PRId64 " %s%s", n, what, n == 1 ? "" : "s");
}

static void add_client(struct strbuf *out, const json_t *e)
{
	const char *name = text(e, "name");

	add(out, name[0] != '\0' ? name : text(e, "helo"));
	strbuf_adds(out, " [");
	add(out, text(e, "client"));
	strbuf_addc(out, ']');
}

static void say_accepted(const json_t *e, struct strbuf *out)
{
	if (text(e, "listen")[0] == '\0') {
		strbuf_adds(out, "a notification of our own");
	} else {
		strbuf_adds(out, "accepted from ");
		add_client(out, e);
		strbuf_adds(out, " at ");
		add(out, text(e, "listen"));
		if (text(e, "tls")[0] != '\0')
			strbuf_adds(out, " over TLS");
	}
	strbuf_adds(out, ": from ");
	add_sender(out, text(e, "from"));
	strbuf_adds(out, ", ");
	add_plural(out, number(e, "recipients"), "recipient");
	strbuf_adds(out, ", ");
	add_plural(out, number(e, "size"), "byte");
}

static void add_who(struct strbuf *out, const json_t *e)
{
	static const struct {
		const char *key, *word;
	} parts[] = {{"stage", " at "}, {"from", " from "}, {"to", " for "}};

	add(out, text(e, "client"));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (text(e, parts[i].key)[0] == '\0')
			continue;
		strbuf_adds(out, parts[i].word);
		add(out, text(e, parts[i].key));
	}
}

/* Why, what the client said, and how often. */
static void add_reason(struct strbuf *out, const json_t *e)
{
	add(out, text(e, "reason"));
	if (text(e, "said")[0] != '\0') {
		strbuf_adds(out, "; it said \"");
		add(out, text(e, "said"));
		strbuf_addc(out, '"');
	}
	if (number(e, "count") > 1)
		strbuf_addf(out, " (%" PRId64 " times)", number(e, "count"));
}

static void say_refused(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "refused ");
	add_who(out, e);
	strbuf_addf(out, ": %" PRId64 " ", number(e, "code"));
	add(out, text(e, "enhanced"));
	strbuf_addc(out, ' ');
	add_reason(out, e);
}

/* A connection that ended without an answer of ours. */
static void say_aborted(const json_t *e, struct strbuf *out)
{
	add_who(out, e);
	strbuf_adds(out, " had no answer: ");
	add_reason(out, e);
	if (number(e, "bytes") > 0) {
		strbuf_adds(out, ", after ");
		add_plural(out, number(e, "bytes"), "byte");
	}
}

/* What was not right, and was taken. */
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
	add(out, text(e, "to"));
	strbuf_adds(out, " -> ");
	add(out, text(e, "leg"));
	strbuf_addf(out, " (%s): ", text(e, "role"));
}

static void add_reply(struct strbuf *out, const json_t *e)
{
	int64_t code = number(e, "code");
	const char *enh = text(e, "enhanced"), *reply = text(e, "reply");

	if (text(e, "relay")[0] != '\0') {
		strbuf_adds(out, ", ");
		add(out, text(e, "relay"));
	}
	strbuf_adds(out, code != 0 ? " said \"" : ": ");
	if (code != 0)
		strbuf_addf(out, "%" PRId64 " ", code);
	if (enh[0] != '\0' && !slice_starts(slice_str(reply), slice_str(enh))) {
		add(out, enh);
		strbuf_addc(out, ' ');
	}
	add(out, reply);
	strbuf_adds(out, code != 0 ? "\"" : "");
}

static void add_attempt(struct strbuf *out, const json_t *e)
{
	int64_t ms = number(e, "delay_ms");
	const char *uncertain = text(e, "uncertain");

	if (json_object_get(e, "attempt") == NULL)
		return;
	strbuf_addf(out, " (attempt %" PRId64 ", after %" PRId64
	    ".%" PRId64 " s", number(e, "attempt"), ms / 1000,
	    ms % 1000 / 100);
	if (text(e, "address")[0] != '\0') {
		strbuf_adds(out, ", as ");
		add(out, text(e, "address"));
	}
	if (text(e, "tls_failed")[0] != '\0') {
		strbuf_adds(out, ", in the clear since TLS failed: ");
		add(out, text(e, "tls_failed"));
	}
	if (uncertain[0] != '\0')
		strbuf_adds(out, ", may arrive twice");
	strbuf_addc(out, ')');
}

const char *words_waits(const char *class, int64_t code)
{
	static const struct {
		const char *class;
		int64_t from;
		const char *why;
	} words[] = {
		{"recipient", 500, "may be new there, or is known from "
		    "lately: retry.grace, retry.known_wait, soft_bounce"},
		{"configuration", 400, "about the leg's set-up, not the mail"},
		{"mailbox", 400, "about this mailbox alone"},
		{"throttle", 400, "the leg asks for less at once"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (code >= words[i].from &&
		    strcmp(class, words[i].class) == 0)
			return words[i].why;
	return NULL;
}

static void add_why(struct strbuf *out, const json_t *e)
{
	const char *why =
	    words_waits(text(e, "class"), number(e, "code"));

	if (strcmp(text(e, "event"), "deferred") == 0 && why != NULL)
		strbuf_addf(out, "; waits: %s", why);
}

static void add_by(struct strbuf *out, const json_t *e)
{
	strbuf_adds(out, " by ");
	add(out, text(e, "by"));
	if (text(e, "reason")[0] != '\0') {
		strbuf_adds(out, " (");
		add(out, text(e, "reason"));
		strbuf_addc(out, ')');
	}
}

/* What a notice tells of the mail; the last for words of later versions. */
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
	strbuf_adds(out, "its copy to ");
	add(out, text(e, "leg"));
	strbuf_adds(out, " was answered: ");
	add(out, text(e, "action")[0] != '\0' ? text(e, "action")
						: "a message");
	if (text(e, "status")[0] != '\0') {
		strbuf_addc(out, ' ');
		add(out, text(e, "status"));
	}
	if (text(e, "to")[0] != '\0') {
		strbuf_adds(out, " for ");
		add(out, text(e, "to"));
	}
	strbuf_adds(out, ", by message ");
	add(out, text(e, "id"));
}

static void say_dsn(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "told ");
	add_sender(out, text(e, "sender"));
	strbuf_adds(out, " that mail for ");
	add(out, text(e, "to"));
	strbuf_adds(out, news(text(e, "action")));
	strbuf_adds(out, ", by message ");
	add(out, text(e, "id"));
}

static void say_body(const json_t *e, struct strbuf *out)
{
	add(out, text(e, "who"));
	strbuf_adds(out, " read the message with ");
	add(out, text(e, "command"));
}

static void say_change(const json_t *e, struct strbuf *out)
{
	strbuf_addf(out, "change %" PRId64 " by ", number(e, "change"));
	add(out, text(e, "who"));
	if (text(e, "command")[0] != '\0') {
		strbuf_adds(out, " (");
		add(out, text(e, "command"));
		strbuf_addc(out, ')');
	}
	strbuf_adds(out, ", ");
	add_plural(out, number(e, "recipients"), "recipient");
	if (text(e, "note")[0] != '\0') {
		strbuf_adds(out, ": ");
		add(out, text(e, "note"));
	}
}

static void say_leg(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "leg ");
	add(out, text(e, "leg"));
	strbuf_addc(out, ' ');
	add(out, text(e, "state"));
	if (text(e, "reason")[0] != '\0') {
		strbuf_adds(out, ": ");
		add(out, text(e, "reason"));
	}
}

static void say_alarm(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "alarm ");
	add(out, text(e, "kind"));
	strbuf_adds(out, " about ");
	add(out, text(e, "about"));
	strbuf_adds(out, ": ");
	add(out, text(e, "text"));
}

static void say_gap(const json_t *e, struct strbuf *out)
{
	int64_t records = number(e, "records");
	int64_t generations = number(e, "generations");
	const char *reason = text(e, "reason");

	strbuf_adds(out, "the audit trail has a gap: ");
	if (records > 0)
		add_plural(out, records, "record");
	else if (generations > 0)
		add_plural(out, generations, "journal segment");
	else
		add_plural(out, number(e, "bytes"), "byte of the journal");
	if (json_object_get(e, "offset") == NULL) {
		strbuf_adds(out, " could not be kept for it");
		return;
	}
	strbuf_addf(out, " at %lld:%lld, %s",
	    (long long)number(e, "generation"),
	    (long long)number(e, "offset"), reason);
}

/* What has no sentence of its own is shown as it is. */
static void say_fields(const json_t *e, struct strbuf *out)
{
	const char *key;
	json_t *v;

	add(out, text(e, "event"));
	json_object_foreach((json_t *)e, key, v) {
		if (strcmp(key, "time") == 0 || strcmp(key, "node") == 0 ||
		    strcmp(key, "event") == 0 || strcmp(key, "id") == 0)
			continue;
		strbuf_addc(out, ' ');
		add(out, key);
		strbuf_addc(out, '=');
		if (json_is_integer(v))
			strbuf_addf(out, "%" JSON_INTEGER_FORMAT,
			    json_integer_value(v));
		else if (json_is_string(v))
			add(out, json_string_value(v));
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
	{ "change",     NULL,              say_change   },
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
	const char *name = text(event, "event");

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
