/* SPDX-License-Identifier: ISC
 *
 * Events: which one a move of a delivery is, and how each is written.
 */
#include "relay/audit/event.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/audit/event_table.h"
#include "relay/base/id.h"
#include "relay/base/pack.h"
#include "relay/mail/actor.h"
#include "relay/mail/result.h"

/* Moves are events of these numbers. */
_Static_assert((int)EVENT_DELIVERED == (int)EV_DELIVERED, "first");
_Static_assert((int)EVENT_DSN == (int)EV_DSN, "last");

/* Reasons of moves that no reply and no administrator gave. */
static const char *const why_texts[] = {
	[WHY_NONE] = "",
	[WHY_ATTEMPT] = "",
	[WHY_ROUTE] = "route",
	[WHY_HOLD] = "hold",
	[WHY_RELEASE] = "release",
	[WHY_NO_ROUTE] = "no-route",
	[WHY_LIFETIME] = "lifetime",
	[WHY_ADMIN] = "",
	[WHY_NO_WAY] = "no-way",
	[WHY_LOOP] = "loop",
	[WHY_HINT] = "loop",
	[WHY_LATE] = "late",
	[WHY_GUARD] = "guard",
	[WHY_RETURNED] = "returned",
	[WHY_FORGED] = "forged",
	[WHY_EXPIRED] = "parked-expired",
	[WHY_SPACE] = "space",
	[WHY_TOO_LARGE] = "too-large",
	[WHY_NO_UTF8] = "no-utf8",
	[WHY_RESTORED] = "restored",
};

const char *event_kind_text(enum event_kind k)
{
	if (k == EV_NONE)
		return "none";
	return (unsigned)k < EV_KINDS ? event_table[k].name : "?";
}

enum event_kind event_kind_named(const char *name)
{
	for (int k = EV_NONE + 1; k < EV_KINDS; k++)
		if (strcmp(event_table[k].name, name) == 0)
			return (enum event_kind)k;
	return EV_NONE;
}

/* Open again, or for the first time: the cause tells the event. */
static enum event_kind opened(enum dstate old_state, enum why why)
{
	if (why == WHY_ROUTE)
		return EV_ROUTED;
	if (why == WHY_RELEASE)
		return EV_RELEASED;
	if (why != WHY_ADMIN)
		return EV_NONE;
	return old_state == D_FROZEN ? EV_THAWED : EV_RETRIED;
}

enum event_kind event_kind_of(enum dstate old_state,
    const struct spool_delivery *to)
{
	enum why why = (enum why)to->reason;

	switch ((enum dstate)to->state) {
	case D_DELIVERED:
		return EV_DELIVERED;
	case D_BOUNCED:
		return EV_BOUNCED;
	case D_PARKED:
		return EV_PARKED;
	case D_SUPERSEDED:
		return EV_SUPERSEDED;
	case D_DELETED:
		return EV_DELETED;
	case D_HELD:
		return why == WHY_ROUTE ? EV_ROUTED : EV_HELD;
	case D_FROZEN:
		return EV_FROZEN;
	case D_DEFERRED:
		return why == WHY_ATTEMPT ? EV_DEFERRED
					  : opened(old_state, why);
	case D_QUEUED:
		return old_state == D_NONE && (to->flags & DF_REPLAYED) != 0
			   ? EV_REPLAYED : opened(old_state, why);
	default:
		return EV_NONE;
	}
}

/* ---- notices ----------------------------------------------------------- */

void notice_pack(const struct notice *n, struct strbuf *out)
{
	pack_u64(out, n->id);
	pack_str(out, n->sender);
	pack_str(out, n->action);
}

int notice_unpack(struct slice bytes, struct arena *a,
    struct notice *notice_out)
{
	struct unpack u;
	struct slice sender, action;

	unpack_init(&u, bytes);
	notice_out->id = unpack_u64(&u);
	sender = unpack_bytes(&u);
	action = unpack_bytes(&u);
	notice_out->sender = arena_slicedup(a, sender);
	notice_out->action = arena_slicedup(a, action);
	return unpack_end(&u) ? 0 : -1;
}

/* ---- printing ---------------------------------------------------------- */

static void print_id(struct jout *j, const char *key, uint64_t id)
{
	char text[ID_TEXT];

	id_text(id, text);
	jout_str(j, key, text);
}

static void begin(struct jout *j, struct strbuf *out,
    const struct event_place *at, int64_t time_us, struct slice event)
{
	jout_init(j, out);
	jout_object(j, NULL);
	jout_time(j, "time", time_us);
	jout_int(j, "node", at->node);
	if (at->pos.generation != 0) {
		char pos[48];
		int n = snprintf(pos, sizeof(pos), "%" PRIu64 ":%" PRIu64,
		    at->pos.generation, at->pos.offset);

		jout_slice(j, "pos", slice_of(pos, (size_t)n));
	}
	jout_slice(j, "event", event);
}

/* Of the few that have them. */
static void print_checked(struct jout *j, const struct envelope *e)
{
	uint64_t n;

	if (e->login != NULL && e->login[0] != '\0')
		jout_str(j, "login", e->login);
	if (e->spf_by != NULL && e->spf_by[0] != '\0')
		jout_str(j, "spf_by", e->spf_by);
	if (e->stripped != NULL &&
	    slice_uint(slice_str(e->stripped), UINT32_MAX, &n))
		jout_int(j, "stripped", (int64_t)n);
}

void event_print_accepted(struct strbuf *out, const struct event_place *at,
    const struct envelope *e)
{
	struct jout j;

	begin(&j, out, at, e->accepted_us, SLICE("accepted"));
	print_id(&j, "id", e->id);
	jout_str(&j, "client", e->client);
	jout_str(&j, "name", e->client_name);
	jout_str(&j, "listen", e->listen);
	jout_str(&j, "helo", e->helo);
	jout_str(&j, "tls", e->tls);
	jout_str(&j, "from", e->from);
	jout_str(&j, "message_id", e->message_id);
	jout_int(&j, "size", (int64_t)e->size);
	jout_int(&j, "recipients", e->rcpts);
	jout_str(&j, "spf", e->spf);
	print_checked(&j, e);
	if (envelope_came_back(e))
		jout_str(&j, "came_from",
		    e->came_from == NULL ? "" : e->came_from);
	if (e->parent != 0)
		print_id(&j, "parent", e->parent);
	jout_object_end(&j);
}

/* Also of what ends without another attempt: its leg may have it twice. */
static void print_uncertain(struct jout *j, const struct delivery_event *m,
    bool now)
{
	if (now || m->uncertain != UNC_NO)
		jout_str(j, "uncertain",
		    now || m->uncertain == UNC_YES ? "yes" : "possible");
}

/* The words of a remote server, or of ours when none spoke. */
static void print_result(struct jout *j, const struct delivery_event *m,
    const struct result *r)
{
	jout_str(j, "relay", r->remote);
	jout_int(j, "code", r->code);
	jout_str(j, "enhanced", r->enh);
	jout_str(j, "reply", r->text);
	jout_str(j, "class", reply_class_text(r->class));
	jout_str(j, "stage", stage_text(r->stage));
	jout_int(j, "attempt", m->attempt);
	if (m->accepted_us != 0)
		jout_int(j, "delay_ms", (m->time_us - m->accepted_us) / 1000);
	jout_str(j, "tls", r->tls);
	if (r->tls_failed[0] != '\0')
		jout_str(j, "tls_failed", r->tls_failed);
	if (r->address[0] != '\0')
		jout_str(j, "address", r->address);
	print_uncertain(j, m, r->uncertain);
}

static void print_by(struct jout *j, const struct delivery_event *m,
    const struct actor *actor)
{
	const char *why =
	    m->why < ARRAY_LEN(why_texts) && why_texts[m->why] != NULL
		? why_texts[m->why] : "";
	char text[40];
	int n = 0;

	if (actor->who[0] != '\0') {
		jout_str(j, "by", actor->who);
	} else if (m->change != 0 && (m->why == WHY_ROUTE ||
		       m->why == WHY_HOLD || m->why == WHY_RELEASE)) {
		n = snprintf(text, sizeof(text), "change %" PRIu64, m->change);
		jout_slice(j, "by", slice_of(text, (size_t)n));
	} else {
		jout_str(j, "by", "policy");
	}
	jout_str(j, "reason", actor->reason[0] != '\0' ? actor->reason : why);
	print_uncertain(j, m, false);
}

static void print_delivery(struct jout *j, const struct delivery_event *m)
{
	jout_str(j, "to", m->to);
	jout_str(j, "leg", m->leg);
	jout_str(j, "role", role_text((enum role)m->role));
	jout_int(j, "change", (int64_t)m->change);
}

static void print_detail(struct jout *j, const struct delivery_event *m)
{
	struct arena *a = arena_new();
	struct result result;
	struct actor actor;

	if (!why_has_result(m->why)) {
		if (actor_unpack(m->detail, a, &actor) == 0)
			print_by(j, m, &actor);
	} else if (result_unpack(m->detail, a, &result) == 0) {
		print_result(j, m, &result);
		if (m->why == WHY_FORGED)
			jout_str(j, "reason", why_texts[WHY_FORGED]);
	}
	arena_free(a);
}

static void print_notice(struct jout *j, const struct delivery_event *m)
{
	struct arena *a = arena_new();
	struct notice n;

	if (notice_unpack(m->detail, a, &n) == 0) {
		print_id(j, "id", n.id);
		print_id(j, "about", m->id);
		jout_str(j, "to", m->to);
		jout_str(j, "action", n.action);
		jout_str(j, "sender", n.sender);
	}
	arena_free(a);
}

void event_print_delivery(struct strbuf *out, const struct event_place *at,
    const struct delivery_event *m)
{
	struct jout j;

	begin(&j, out, at, m->time_us, slice_str(event_kind_text(m->kind)));
	if (m->kind == EV_DSN) {
		print_notice(&j, m);
	} else {
		print_id(&j, "id", m->id);
		print_delivery(&j, m);
		print_detail(&j, m);
	}
	jout_object_end(&j);
}

void event_print_note(struct strbuf *out, const struct event_place *at,
    int64_t time_us, struct slice event, struct slice fields)
{
	struct jout j;

	begin(&j, out, at, time_us, event);
	if (fields.n > 0) {
		strbuf_addc(out, ',');
		strbuf_addsl(out, fields);
	}
	jout_object_end(&j);
}
