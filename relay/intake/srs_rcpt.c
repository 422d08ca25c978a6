/* SPDX-License-Identifier: ISC
 *
 * See srs_rcpt.h. Each client that knows an SRS address can send mail to it, so
 * each true recipient has a limit per hour. Marks can be guessed, so a client
 * that says forged ones is told 421 for the rest of the minute, also for good
 * ones: else a guess would show that it is right.
 */
#include "relay/intake/srs_rcpt.h"

#include "policy/srs.h"
#include "relay/audit/lookup.h"
#include "relay/base/hash.h"
#include "relay/intake/rate_table.h"
#include "relay/mail/codec.h"

enum { FORGED_A_MINUTE = 10, MESSAGES_AN_HOUR = 60 };

static int64_t now_ms(const struct intake *in)
{
	return clock_mono_ms(in->w->shared->clock);
}

static void no_address(struct reply *r)
{
	reply_set(r, 550, "5.7.1", "This is no SRS address of ours");
}

static bool within_hour(const struct intake *in, uint64_t key, struct reply *r)
{
	if (rate_table_take(in->w->intake->c.srs_mail, key, MESSAGES_AN_HOUR,
		now_ms(in)) == RATE_TAKEN)
		return true;
	reply_set(r, 450, "4.7.1", "Too many messages for this address in this "
	    "hour, try again later");
	return false;
}

static bool within_hour_of(const struct intake *in, const struct addr *to,
    struct reply *r)
{
	struct strbuf key;
	uint64_t hash;

	strbuf_init(&key, ADDR_MAX);
	addr_key(to, '\0', &key);
	hash = hash_slice(strbuf_view(&key));
	strbuf_fini(&key);
	return within_hour(in, hash, r);
}

/* RFC 3461 5.2.3: notices about it name the address that their reader knows. */
static void keep_said(struct arena *a, struct rcpt_to *t)
{
	struct strbuf text;

	if (t->orcpt.n != 0)
		return;
	strbuf_init(&text, ORCPT_MAX);
	strbuf_adds(&text, "rfc822;");
	xtext_encode(t->to.text, &text);
	if (strbuf_ok(&text))
		t->orcpt = slice_str(arena_slicedup(a, strbuf_view(&text)));
	strbuf_fini(&text);
}

/* False: *r refuses. */
static bool lead(struct intake *in, struct slice text, struct rcpt_to *t,
    struct reply *r)
{
	struct arena *a = in->mail->arena;
	const char *why;
	struct addr to;

	if (addr_parse(slice_str(arena_slicedup(a, text)), true, &to, &why) <
	    0) {
		no_address(r);
		return false;
	}
	if (!within_hour_of(in, &to, r))
		return false;
	keep_said(a, t);
	t->to = to;
	in->led_back = true;
	return true;
}

/* False: *r refuses. */
static bool is_heard(const struct intake *in, enum srs_verdict verdict,
    struct reply *r)
{
	struct rate_table *forged = in->w->intake->c.srs_forged;
	uint64_t client = netaddr_client_key(session_client(in->session));
	struct decision d;

	if (rate_table_is_over(forged, client, FORGED_A_MINUTE, now_ms(in))) {
		reply_set(r, 421, "4.7.0", "Too many SRS addresses that are "
		    "not ours, try again in a minute");
		return false;
	}
	if (verdict == SRS_FORGED)
		rate_table_take(forged, client, FORGED_A_MINUTE, now_ms(in));
	if (!srs_refuses(verdict, &d))
		return true;
	*r = d.reply;
	return false;
}

enum srs_led srs_rcpt(struct intake *in, struct rcpt_to *t, uint64_t *id_out,
    struct reply *r)
{
	enum srs_led led = LED_REFUSED;
	enum srs_verdict verdict;
	struct strbuf back;

	in->led_back = false;
	strbuf_init(&back, 2 * ADDR_MAX);
	verdict = srs_check(intake_conf(in), &t->to,
	    steady_wall_us(in->w->shared), &back, id_out);
	if (verdict == SRS_NONE)
		led = LED_NOT;
	else if (!is_heard(in, verdict, r))
		led = LED_REFUSED;
	else if (verdict == SRS_ADDRESS)
		led = lead(in, strbuf_view(&back), t, r) ? LED_BACK
							 : LED_REFUSED;
	else if (within_hour(in, hash_bytes(id_out, sizeof(*id_out)), r))
		led = LED_LATER;
	strbuf_fini(&back);
	return led;
}

bool srs_rcpt_found(struct intake *in, const struct lookup *l,
    struct rcpt_to *t, struct reply *r)
{
	if (l->found && l->from != NULL && l->from[0] != '\0')
		return lead(in, slice_str(l->from), t, r);
	reply_set(r, 451, "4.3.0", "The sender that this address stands for "
	    "cannot be looked up now, try again later");
	return false;
}
