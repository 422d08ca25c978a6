/* SPDX-License-Identifier: ISC
 *
 * The choice of an egress, and an attempt that goes by it, goes back, or
 * waits.
 */
#include "relay/delivery/attempt_egress.h"

#include <stdio.h>

#include "policy/chooser.h"
#include "policy/srs.h"
#include "relay/audit/note_post.h"
#include "relay/base/assert.h"
#include "relay/base/id.h"
#include "relay/delivery/attempt_end.h"
#include "relay/delivery/outgoing.h"
#include "relay/egress/egress_text.h"
#include "relay/watch/alarm.h"

/* A DNS that is silent lets attempts wait here, each with its message. */
enum { JUDGING_MAX = 256 };
enum { TEXT_MAX = 600 };

/* ---- what is told -------------------------------------------------------- */

static void note_verdicts(const struct attempt *at,
    const struct egress_judged *judged, struct jout *j)
{
	jout_array(j, "verdicts");
	for (unsigned i = 0; i < judged->n; i++) {
		const struct egress_verdict *v = &judged->way[i];

		jout_object(j, NULL);
		jout_str(j, "egress", names_text(at->w->shared->names,
					  v->leg));
		jout_str(j, "result", spf_result_text(v->result));
		jout_str(j, "mechanism", v->mechanism);
		jout_object_end(j);
	}
	jout_array_end(j);
}

void attempt_egress_note(const struct attempt *at)
{
	const struct egress_judged *judged = at->judged;
	struct shared *sh = at->w->shared;
	struct note_draft n;
	struct jout *j;
	char id[ID_TEXT];

	if (judged == NULL)
		return;
	j = note_open(&n, EVENT_EGRESS);
	id_text(at->mail->env.id, id);
	jout_str(j, "id", id);
	jout_str(j, "from", at->mail->env.from);
	jout_str(j, "egress", judged->leg < 0 ? "" :
	    names_text(sh->names, judged->leg));
	if (judged->choice.way >= 0)
		jout_str(j, "spf", spf_result_text(
		    judged->way[judged->choice.way].result));
	if (judged->choice.rewrite)
		jout_str(j, "rewritten", at->req.from);
	note_verdicts(at, judged, j);
	jout_str(j, "reason", egress_why_name(judged->choice.why));
	if (judged->choice.dmarc_would_fail)
		jout_str(j, "dmarc", "would-fail");
	note_post(&n, sh->spool, NOTE_SYSTEM, clock_wall_us(sh->clock));
}

/* The verdict that a person can do something about: the one that forbids, or
 * doubts, or is in error. */
static const struct egress_verdict *worst(const struct egress_judged *judged)
{
	static const enum spf_result order[] = {SPF_FAIL, SPF_SOFTFAIL,
	    SPF_PERMERROR, SPF_TEMPERROR};

	for (size_t k = 0; k < ARRAY_LEN(order); k++)
		for (unsigned i = 0; i < judged->n; i++)
			if (judged->way[i].result == order[k])
				return &judged->way[i];
	return NULL;
}

static void say_record(const struct attempt *at,
    const struct egress_judged *judged, const struct egress_verdict *v)
{
	const struct conf_leg *leg = conf_leg_by_id(at->snapshot->conf,
	    v->leg);
	struct strbuf text;

	if (leg == NULL)
		return;
	strbuf_init(&text, TEXT_MAX);
	strbuf_addf(&text, "the SPF record of %s says %s of egress \"%s\" "
	    "(%s)", v->domain, spf_result_text(v->result), leg->name,
	    v->mechanism);
	if (judged->choice.own_record) {
		strbuf_adds(&text, "; add ");
		egress_add_term(leg, &text);
		strbuf_adds(&text, " to it");
	}
	strbuf_adds(&text, judged->choice.way < 0 ? "; the mail waits" :
	    judged->choice.rewrite ? "; the mail goes under srs.domain" :
				     "; the mail goes all the same");
	alarm_raise(at->w->alarms, ALARM_EGRESS, v->domain,
	    strbuf_cstr(&text));
	strbuf_fini(&text);
}

/* Raised where a record of ours lacks something, where it is in error, and
 * where mail waits for another reason than a silent DNS. */
static void say_choice(const struct attempt *at,
    const struct egress_judged *judged)
{
	const struct egress_verdict *v = worst(judged);
	enum egress_why why = judged->choice.why;
	char text[TEXT_MAX];

	if (v != NULL && (judged->choice.own_record ||
			     why == EGRESS_BROKEN || why == EGRESS_FORBIDDEN))
		say_record(at, judged, v);
	if (why == EGRESS_SRS_FAILS) {
		snprintf(text, sizeof(text), "the SPF record of %s passes no "
		    "egress; add a term for one to it; mail that needs a "
		    "rewritten sender waits", at->snapshot->conf->srs.domain);
		alarm_raise(at->w->alarms, ALARM_EGRESS,
		    at->snapshot->conf->srs.domain, text);
	}
	if (why == EGRESS_NO_WAY)
		alarm_raise(at->w->alarms, ALARM_EGRESS, "outbound.use",
		    "mail waits for a way out, and outbound.use names none; "
		    "name an egress there");
	if (why == EGRESS_NOT_OURS)
		alarm_raise(at->w->alarms, ALARM_EGRESS, "outbound.use",
		    "mail of senders at other domains waits: each egress has "
		    "senders = \"ours\"; add one that takes any sender to "
		    "outbound.use, or srs");
}

/* ---- it waits ------------------------------------------------------------ */

/* For queue show, and for the notice at the end of its lifetime. */
static const char *why_it_waits(struct attempt *at,
    const struct egress_judged *judged)
{
	const struct egress_verdict *v = worst(judged);
	char text[TEXT_MAX];

	switch (judged->choice.why) {
	case EGRESS_TEMPERROR:
		snprintf(text, sizeof(text), "The SPF record of %s cannot be "
		    "read now", v != NULL && v->domain[0] != '\0' ? v->domain :
		    "the sender's domain");
		break;
	case EGRESS_DMARC:
		snprintf(text, sizeof(text), "The SPF record of %s forbids "
		    "every way out (%s), and the DMARC policy of %s forbids "
		    "a rewritten sender", v != NULL ? v->domain : "the "
		    "sender's domain", v != NULL ? v->mechanism : "",
		    at->mail->env.from_domain);
		break;
	case EGRESS_SRS_FAILS:
		snprintf(text, sizeof(text), "The SPF record of %s passes no "
		    "way out", at->snapshot->conf->srs.domain);
		break;
	case EGRESS_NO_WAY:
		snprintf(text, sizeof(text), "There is no way out at present");
		break;
	case EGRESS_NOT_OURS:
		snprintf(text, sizeof(text), "No way out takes a sender of "
		    "another domain");
		break;
	default:
		snprintf(text, sizeof(text), "The SPF record of %s forbids "
		    "every way out (%s)", v != NULL ? v->domain : "the "
		    "sender's domain", v != NULL ? v->mechanism : "");
		break;
	}
	return arena_strdup(at->arena, text);
}

static void wait_on(struct attempt *at)
{
	struct outcome_letter *o;
	const char *text = why_it_waits(at, at->judged);

	attempt_egress_note(at);
	o = attempt_outcome(at, WHY_ATTEMPT);
	for (unsigned i = 0; i < o->n; i++)
		o->row[i].result = (struct result){.outcome = OUT_DEFERRED,
		    .enh = NO_WAY_ENH, .stage = STAGE_QUEUE, .remote = "",
		    .text = text, .tls = "", .address = ""};
	attempt_finish(at, o);
}

/* ---- the question -------------------------------------------------------- */

static enum egress_step take_choice(struct attempt *at,
    const struct egress_judged *judged)
{
	struct egress_judged *kept = arena_alloc(at->arena, sizeof(*kept));

	*kept = *judged;
	at->judged = kept;
	say_choice(at, judged);
	if (judged->leg == at->leg)
		return EGRESS_GO;
	list_remove(&at->node);
	if (judged->leg < 0)
		wait_on(at);
	else
		attempt_return(at, BACK_STALE);
	return EGRESS_OVER;
}

/* A slot is for those that can go. What came in spite of a shut gate keeps it:
 * there is no second one. */
static void give_slot(struct attempt *at)
{
	const struct ledger *l = at->w->shared->ledger;

	if (!at->slot || at->trial || ledger_gates(l, at->leg) != 0)
		return;
	at->slot = false;
	ledger_give(at->w->shared->ledger, at->leg);
}

enum egress_step attempt_put_aside(struct attempt *at,
    void (*go_on)(struct attempt *at))
{
	if (at->w->outgoing->judgings == JUDGING_MAX) {
		egress_forget(at->question);
		at->question = NULL; /* it is not counted */
		attempt_return(at, BACK_TROUBLE);
		return EGRESS_OVER;
	}
	at->go_on = go_on;
	give_slot(at);
	attempt_permit_end(at, PERMIT_UNUSED); /* as a slot */
	at->w->outgoing->judgings++;
	list_push_back(&at->w->outgoing->judging, &at->node);
	return EGRESS_LATER;
}

void attempt_take_up(struct attempt *at)
{
	at->question = NULL;
	at->w->outgoing->judgings--;
	list_remove(&at->node);
}

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct attempt *at = arg;

	attempt_take_up(at);
	if (take_choice(at, judged) == EGRESS_GO)
		at->go_on(at);
}

static bool is_outbound(const struct attempt *at, const struct job_row *row)
{
	struct addr to;

	return mail_rcpt_addr(at->mail, row->ref.rcpt, &to) &&
	       recipient_chooser(at->snapshot->conf, &at->mail->env, &to) ==
		   CHOOSER_EGRESS;
}

/* False: none is for an egress. Others beside those that are have come to a
 * domain of ours by a reload: the table decides about them. */
static bool keep_outbound(struct attempt *at)
{
	const char *egress = at->mail->env.egress;
	unsigned kept = 0, others = 0;
	struct job_row *rest;

	if (egress == NULL || egress[0] == '\0')
		return false;
	rest = arena_alloc(at->arena, at->n * sizeof(*rest));
	for (unsigned i = 0; i < at->n; i++) {
		if (is_outbound(at, &at->row[i]))
			at->row[kept++] = at->row[i];
		else
			rest[others++] = at->row[i];
	}
	if (kept == 0)
		return false;
	at->n = kept;
	if (others > 0)
		attempt_give_back(at->w, at->mail->env.id, rest, others,
		    BACK_STALE);
	return true;
}

enum egress_step attempt_egress(struct attempt *at,
    void (*go_on)(struct attempt *at))
{
	struct egress_subject s;
	const struct egress_judged *judged;

	if (at->snapshot == NULL)
		at->snapshot = snapshot_ref(at->w->snapshot);
	if (at->judged != NULL || !keep_outbound(at))
		return EGRESS_GO;
	s = egress_subject_of(at->snapshot->conf, &at->mail->env,
	    clock_wall_us(at->w->shared->clock));
	judged = egress_judge(at->w->outgoing->egress, &s, on_judged, at,
	    &at->question);
	if (judged != NULL)
		return take_choice(at, judged);
	return attempt_put_aside(at, go_on);
}

const char *attempt_srs(struct attempt *at)
{
	const struct envelope *e = &at->mail->env;
	struct srs_sender s = {.id = e->id,
	    .now_us = clock_wall_us(at->w->shared->clock)};
	const char *from, *why;
	struct strbuf text;
	struct addr a;
	bool made;

	s.from = &a;
	strbuf_init(&text, ADDR_MAX);
	made = addr_parse(slice_str(e->from), true, &a, &why) == 0 &&
	       srs_make(at->snapshot->conf, &s, &text) && strbuf_ok(&text);
	from = made ? arena_slicedup(at->arena, strbuf_view(&text)) : NULL;
	strbuf_fini(&text);
	return from;
}

const char *attempt_egress_sender(struct attempt *at)
{
	const char *from;

	if (at->judged == NULL || !at->judged->choice.rewrite)
		return at->mail->env.from;
	from = attempt_srs(at);
	/* It is chosen only where it can be made (egress_judge.c). */
	PH_ASSERT(from != NULL);
	return from;
}
