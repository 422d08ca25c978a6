/* SPDX-License-Identifier: ISC
 *
 * Holds the conditions of a search against the rows of the index. Pure.
 */
#include "relay/audit/search/search_int.h"

#include <jansson.h>

#include "relay/base/id.h"
#include "relay/mail/result.h"

char search_shown, search_passed;

bool search_hour_in_time(const struct search_work *r, int64_t hour)
{
	return hour >= hour_of(r->since_us) && hour <= hour_of(r->until_us);
}

/* ---- which key --------------------------------------------------------- */

/* Is anything asked of one event of a delivery? */
static bool wants_move(const struct search *q)
{
	return q->outcome != NULL || q->leg != NULL || q->code != NULL ||
	       q->reply != NULL || q->address != NULL || q->remote_id != NULL;
}

/* "550"; 0 for an enhanced code. */
static int basic_code(const char *text)
{
	uint64_t code = 0;

	return text != NULL && slice_uint(slice_str(text), 599, &code)
		   ? (int)code
		   : 0;
}

/* One text that is in the detail suffices: what is found is looked at again
 * for all of them. */
static struct hour_key move_key(const struct search *q)
{
	struct hour_key k = {.by = KEY_MOVE, .leg = q->leg,
	    .code = basic_code(q->code)};

	if (q->outcome != NULL)
		k.kind = event_kind_named(q->outcome);
	if (q->remote_id != NULL)
		k.text = q->remote_id;
	else if (q->address != NULL)
		k.text = q->address;
	else if (q->reply != NULL)
		k.text = q->reply;
	else if (q->code != NULL && k.code == 0)
		k.text = q->code;
	return k;
}

struct hour_key search_key(const struct search_work *r, bool of_note)
{
	const struct search *q = r->q;

	if (q->message_id != NULL && !of_note)
		return (struct hour_key){.by = KEY_MESSAGE_ID,
		    .hash = hour_hash_message_id(q->message_id)};
	if (q->to != NULL)
		return (struct hour_key){
		    .by = KEY_TO, .hash = hour_hash(q->to)};
	if (q->from != NULL && q->from[0] != '\0')
		return (struct hour_key){
		    .by = KEY_FROM, .hash = hour_hash(q->from)};
	if (q->client != NULL)
		return (struct hour_key){
		    .by = KEY_CLIENT, .hash = hour_hash(q->client)};
	if (wants_move(q) && !of_note)
		return move_key(q);
	if (q->subject != NULL && !of_note)
		return (struct hour_key){
		    .by = KEY_SUBJECT, .text = q->subject};
	if (q->domain != NULL && !of_note)
		return (struct hour_key){.by = KEY_DOMAIN, .text = q->domain};
	if (q->from != NULL && !of_note) /* the null sender: many */
		return (struct hour_key){.by = KEY_FROM, .hash = 0};
	return (struct hour_key){.by = KEY_TIME, .since_us = r->since_us,
	    .until_us = r->until_us};
}

/* ---- does it fit ------------------------------------------------------- */

static bool is(const char *want, const char *have)
{
	return want == NULL || slice_case_eq(slice_str(want), slice_str(have));
}

static bool has(const char *want, const char *have)
{
	return want == NULL ||
	       slice_case_has(slice_str(have), slice_str(want));
}

static bool at_domain(const char *domain, const char *address)
{
	struct slice a = slice_str(address);
	long at = slice_rfind(a, '@');

	return at >= 0 && slice_case_eq(slice_from(a, (size_t)at + 1),
			      slice_str(domain));
}

static bool code_is(const char *want, int code, const char *enhanced)
{
	if (want == NULL)
		return true;
	return basic_code(want) != 0 ? basic_code(want) == code
				     : strcmp(want, enhanced) == 0;
}

static bool result_fits(const struct search *q, const struct delivery_event *m)
{
	struct arena *a;
	struct result r;
	bool fits;

	if (q->code == NULL && q->reply == NULL && q->address == NULL &&
	    q->remote_id == NULL)
		return true;
	if (!why_has_result(m->why))
		return false;
	a = arena_new();
	fits = result_unpack(m->detail, a, &r) == 0 &&
	       code_is(q->code, r.code, r.enh) && has(q->reply, r.text) &&
	       is(q->address, r.address) && has(q->remote_id, r.text);
	arena_free(a);
	return fits;
}

bool search_event_fits(const struct search *q, const struct delivery_event *m)
{
	return is(q->outcome, event_kind_text(m->kind)) && is(q->leg, m->leg) &&
	       result_fits(q, m);
}

static bool recipient_fits(const struct search *q, const struct candidate *c)
{
	if (q->to == NULL)
		return true;
	for (unsigned i = 0; i < c->rcpts; i++)
		if (c->to[i] != NULL && is(q->to, c->to[i]))
			return true;
	return false;
}

static bool domain_fits(const struct search *q, const struct candidate *c)
{
	if (q->domain == NULL || at_domain(q->domain, c->env.from))
		return true;
	for (unsigned i = 0; i < c->rcpts; i++)
		if (c->to[i] != NULL && at_domain(q->domain, c->to[i]))
			return true;
	return false;
}

bool search_message_fits(const struct search_work *r, const struct candidate *c)
{
	const struct search *q = r->q;

	if (q->id != 0)
		return true;
	return c->found && c->in_time && (c->moved || !wants_move(q)) &&
	       recipient_fits(q, c) && domain_fits(q, c) &&
	       is(q->from, c->env.from) && is(q->client, c->env.client) &&
	       has(q->subject, c->env.subject) &&
	       (q->message_id == NULL ||
		   hour_hash_message_id(q->message_id) ==
		       hour_hash_message_id(c->env.message_id));
}

/* ---- events of no message ---------------------------------------------- */

static const char *field(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* A note without the field has no sender at all, not the null sender. */
static bool field_is(const char *want, const json_t *o, const char *key)
{
	return want == NULL || (json_object_get(o, key) != NULL &&
				   is(want, field(o, key)));
}

static bool words_fit(const struct search *q, const json_t *o)
{
	int code = (int)json_integer_value(json_object_get(o, "code"));

	return q->subject == NULL && q->address == NULL &&
	       q->remote_id == NULL && q->message_id == NULL &&
	       code_is(q->code, code, field(o, "enhanced")) &&
	       field_is(q->leg, o, "leg") &&
	       (q->reply == NULL || has(q->reply, field(o, "reply")) ||
		   has(q->reply, field(o, "reason")) ||
		   has(q->reply, field(o, "text")));
}

bool search_note_fits(const struct search_work *r, int64_t time_us,
    struct slice object)
{
	const struct search *q = r->q;
	json_t *o;
	uint64_t id;
	bool fits;

	if (time_us < r->since_us || time_us > r->until_us)
		return false;
	o = json_loadb(object.p, object.n, 0, NULL);
	fits = field_is(q->outcome, o, "event") &&
	       field_is(q->from, o, "from") && field_is(q->to, o, "to") &&
	       field_is(q->client, o, "client") &&
	       (q->domain == NULL || at_domain(q->domain, field(o, "from")) ||
		   at_domain(q->domain, field(o, "to"))) &&
	       words_fit(q, o);
	/* A note of a message that was found is told with it. */
	if (id_parse(slice_str(field(o, "id")), &id) == 0 &&
	    map_get(&r->seen, id) == &search_shown)
		fits = false;
	json_decref(o);
	return fits;
}
