/* SPDX-License-Identifier: ISC
 *
 * Events of the cutover in words: changes, decisions, waves, watermarks and
 * replays.
 */
#include "relay/cli/audit/event_words_int.h"

#include <inttypes.h>

#include "relay/cli/common/json_get.h"

void words_decision(const json_t *e, struct strbuf *out)
{
	strbuf_addf(out, "decision %" PRId64 " by ",
	    json_number(e, "decision"));
	words_add(out, json_text(e, "who"));
	strbuf_adds(out, " (");
	words_add(out, json_text(e, "command"));
	strbuf_adds(out, ") about ");
	words_add(out, json_text(e, "about"));
	strbuf_adds(out, ": ");
	words_add(out, json_text(e, "detail"));
	if (json_text(e, "note")[0] != '\0') {
		strbuf_adds(out, "; ");
		words_add(out, json_text(e, "note"));
	}
}

void words_change(const json_t *e, struct strbuf *out)
{
	strbuf_addf(out, "change %" PRId64 " by ", json_number(e, "change"));
	words_add(out, json_text(e, "who"));
	if (json_text(e, "command")[0] != '\0') {
		strbuf_adds(out, " (");
		words_add(out, json_text(e, "command"));
		strbuf_addc(out, ')');
	}
	strbuf_adds(out, ", ");
	words_plural(out, json_number(e, "recipients"), "recipient");
	if (json_text(e, "note")[0] != '\0') {
		strbuf_adds(out, ": ");
		words_add(out, json_text(e, "note"));
	}
}

void words_wave(const json_t *e, struct strbuf *out)
{
	strbuf_adds(out, "wave ");
	words_add(out, json_text(e, "name"));
	strbuf_adds(out, " is ");
	words_add(out, json_text(e, "state"));
	if (json_number(e, "slice") > 0)
		strbuf_addf(out, ", slice %" PRId64 " of ",
		    json_number(e, "slice"));
	if (json_number(e, "slice") > 0)
		words_plural(out, json_number(e, "members"), "member");
	if (json_text(e, "reason")[0] != '\0') {
		strbuf_adds(out, ": ");
		words_add(out, json_text(e, "reason"));
	}
}

/* "ann@corp.example at legacy: watermark reached, last delivery …" */
void words_watermark(const json_t *e, struct strbuf *out)
{
	words_add(out, json_text(e, "to"));
	strbuf_adds(out, " at ");
	words_add(out, json_text(e, "leg"));
	strbuf_adds(out, ": watermark ");
	words_add(out, json_text(e, "state"));
	if (json_text(e, "last")[0] != '\0') {
		strbuf_adds(out, ", last delivery ");
		words_add(out, json_text(e, "last"));
		strbuf_addc(out, ' ');
		words_add(out, json_text(e, "message"));
	} else {
		strbuf_adds(out, ", no delivery on record since ");
		words_add(out, json_text(e, "since"));
	}
}

void words_replay(const json_t *e, struct strbuf *out)
{
	strbuf_addf(out, "replay %" PRId64 " from ",
	    json_number(e, "number"));
	words_add(out, json_text(e, "from_leg"));
	strbuf_adds(out, " to ");
	words_add(out, json_text(e, "to_leg"));
	strbuf_adds(out, " is ");
	words_add(out, json_text(e, "state"));
	if (json_number(e, "made") > 0)
		strbuf_addf(out, ", made %" PRId64 " %s",
		    json_number(e, "made"), json_number(e, "made") == 1
			? "delivery" : "deliveries");
	if (json_text(e, "reason")[0] != '\0') {
		strbuf_adds(out, ": ");
		words_add(out, json_text(e, "reason"));
	}
}

void words_verdict(const json_t *e, struct strbuf *out)
{
	words_add(out, json_text(e, "who"));
	strbuf_adds(out, " was told ");
	words_add(out, json_text(e, "state"));
	strbuf_adds(out, " for leg ");
	words_add(out, json_text(e, "leg"));
	if (json_number(e, "waived") > 0) {
		strbuf_adds(out, " with ");
		words_plural(out, json_number(e, "waived"), "waiver");
	}
	if (json_text(e, "reason")[0] != '\0') {
		strbuf_adds(out, ": ");
		words_add(out, json_text(e, "reason"));
	}
}
