/* SPDX-License-Identifier: ISC
 *
 * Shows what whereis knows: one line, or one JSON object.
 */
#include "relay/cli/route/whereis.h"

#include <inttypes.h>

#include "policy/rule.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/cli/common/json_get.h"

/* ---- one line ---------------------------------------------------------- */

static void add_legs(struct cli *c, const struct whereis *w,
    struct strbuf *out)
{
	const struct route *r = &w->d.route;

	if (w->d.verdict == VERDICT_REFUSE)
		strbuf_addf(out, "refused, %d %s %s", w->d.reply.code,
		    w->d.reply.enh, w->d.reply.text);
	for (unsigned i = 0; w->d.verdict == VERDICT_ACCEPT &&
			     r->kind == ROUTE_LEGS && i < r->legs; i++) {
		struct strbuf address;

		strbuf_init(&address, 2 * ADDR_MAX);
		route_address(&w->d, r->leg[i], &w->to, c->conf, &address);
		strbuf_addf(out, "%s%s", i == 0 ? "" : " + ",
		    names_text(c->names, r->leg[i]));
		if (!slice_eq(strbuf_view(&address), w->to.text))
			strbuf_addf(out, " as %s", strbuf_cstr(&address));
		strbuf_fini(&address);
	}
	if (w->d.held)
		strbuf_adds(out, ", held");
}

static void add_since(const struct whereis *w, struct strbuf *out)
{
	char when[CLOCK_RFC3339_MAX];

	if (w->known) {
		clock_rfc3339(w->by.time_us, when);
		strbuf_addf(out, "; since %s by %s (change %" PRIu64 ", %s)",
		    when, w->by.who, w->by.change, w->by.command);
	} else {
		strbuf_adds(out, "; no change is on record");
	}
	if (w->d.row.found && w->d.key[0] == '@')
		strbuf_addf(out, " of the row %s", w->d.key);
}

static void add_marks(const struct whereis *w, struct strbuf *out)
{
	char when[CLOCK_RFC3339_MAX];

	if (w->wave != NULL)
		strbuf_addf(out, "; wave %s, %s", w->wave, w->wave_state);
	for (unsigned i = 0; i < w->marks; i++) {
		const struct watermark *m = &w->mark[i];

		clock_rfc3339(m->at_us, when);
		strbuf_addf(out, "; watermark of %s %s %s", m->leg,
		    watermark_state_text((int)m->state), when);
	}
	if (w->no_marks != NULL)
		strbuf_addf(out, "; watermark ? (%s)", w->no_marks);
}

static void add_open(const struct whereis *w, struct strbuf *out)
{
	bool first = true;

	if (w->open == NULL) {
		strbuf_addf(out, "; open ? (%s)", w->no_open);
		return;
	}
	strbuf_addf(out, "; open %" PRId64, json_number(w->open, "open"));
	for (int s = 0; s < D_STATES; s++) {
		const char *name = dstate_text((enum dstate)s);
		int64_t n = dstate_live((enum dstate)s)
				? json_number(w->open, name) : 0;

		if (n == 0)
			continue;
		strbuf_addf(out, "%s%" PRId64 " %s", first ? " (" : ", ", n,
		    name);
		first = false;
	}
	strbuf_adds(out, first ? "" : ")");
}

static void say_line(struct cli *c, const struct whereis *w)
{
	struct strbuf line;

	strbuf_init(&line, 1 << 16);
	strbuf_addf(&line, "%s: ", c->arg[0]);
	add_legs(c, w, &line);
	add_since(w, &line);
	add_marks(w, &line);
	add_open(w, &line);
	out_say(&c->out, "%s", strbuf_cstr(&line));
	strbuf_fini(&line);
}

/* ---- JSON -------------------------------------------------------------- */

static void put_legs(struct cli *c, struct jout *j, const struct whereis *w)
{
	const struct route *r = &w->d.route;

	jout_array(j, "legs");
	for (unsigned i = 0; r->kind == ROUTE_LEGS && i < r->legs; i++) {
		struct strbuf address;

		strbuf_init(&address, 2 * ADDR_MAX);
		route_address(&w->d, r->leg[i], &w->to, c->conf, &address);
		jout_object(j, NULL);
		jout_str(j, "leg", names_text(c->names, r->leg[i]));
		jout_str(j, "role",
		    role_text(i == 0 ? ROLE_PRIMARY : ROLE_COPY));
		jout_slice(j, "address", strbuf_view(&address));
		jout_object_end(j);
		strbuf_fini(&address);
	}
	jout_array_end(j);
}

static void put_since(struct jout *j, const struct whereis *w)
{
	if (!w->known)
		return;
	jout_time(j, "since", w->by.time_us);
	jout_int(j, "change", (int64_t)w->by.change);
	jout_str(j, "who", w->by.who);
	jout_str(j, "host", w->by.host);
	jout_str(j, "command", w->by.command);
}

static void put_marks(struct jout *j, const struct whereis *w)
{
	char id[ID_TEXT];

	jout_array(j, "watermarks");
	for (unsigned i = 0; i < w->marks; i++) {
		const struct watermark *m = &w->mark[i];

		jout_object(j, NULL);
		jout_str(j, "leg", m->leg);
		jout_str(j, "state", watermark_state_text((int)m->state));
		jout_time(j, "at", m->at_us);
		if (m->time_us != 0) {
			id_text(m->id, id);
			jout_time(j, "last", m->time_us);
			jout_str(j, "id", id);
		}
		jout_object_end(j);
	}
	jout_array_end(j);
	if (w->no_marks != NULL)
		jout_str(j, "watermarks_unknown", w->no_marks);
}

static void put_open(struct jout *j, const struct whereis *w)
{
	const char *key;
	json_t *value;

	if (w->open == NULL) {
		jout_str(j, "open", NULL);
		jout_str(j, "open_unknown", w->no_open);
		return;
	}
	jout_object(j, "open");
	json_object_foreach (w->open, key, value)
		jout_int(j, key, json_integer_value(value));
	jout_object_end(j);
}

static void put_object(struct cli *c, const struct whereis *w)
{
	struct jout *j = out_row(&c->out);

	jout_str(j, "address", c->arg[0]);
	jout_str(j, "row", w->d.row.found ? w->d.key : NULL);
	jout_str(j, "rule", rule_name(w->d.rule));
	jout_str(j, "verdict",
	    w->d.verdict == VERDICT_ACCEPT ? "accept" : "refuse");
	put_legs(c, j, w);
	jout_bool(j, "held", w->d.held);
	put_since(j, w);
	jout_str(j, "wave", w->wave);
	jout_str(j, "wave_state", w->wave_state);
	put_marks(j, w);
	put_open(j, w);
	out_row_end(&c->out);
}

void whereis_print(struct cli *c, const struct whereis *w)
{
	if (c->json)
		put_object(c, w);
	else
		say_line(c, w);
}
