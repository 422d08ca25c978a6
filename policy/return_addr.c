/* SPDX-License-Identifier: ISC
 *
 * Return addresses: made, and known again. An address at their domain that was
 * not made by us is forged, except the role addresses that any sender may
 * write to (RFC 5321 4.5.1, RFC 2142).
 */
#include "policy/return_addr.h"

#include "policy/keyed.h"
#include "relay/base/assert.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/mail/domain.h"

enum { DAY_DIGITS_MAX = 6 };

static const char purpose[] = "return";
static const char prefix[] = "ret.";

/* The part that is signed, between prefix and mark. */
static void print_fields(const struct return_addr *a, struct strbuf *out)
{
	char id[ID_TEXT];

	id_text_lower(a->id, id);
	strbuf_addf(out, "%s.%lld.%s", id, (long long)a->day, a->leg);
}

bool return_addr_make(const struct conf *c, uint64_t id, const char *leg,
    int64_t now_us, struct strbuf *out)
{
	struct return_addr a = {.id = id,
	    .day = (now_us + c->ret.lifetime_ms * 1000) / DAY_US};
	struct slice name = slice_head(slice_str(leg), RETURN_LEG_MAX);
	struct strbuf fields;
	char mark[KEYED_TEXT];

	if (c->ret.domain[0] == '\0')
		return false;
	memcpy(a.leg, name.p, name.n);
	strbuf_init(&fields, ADDR_LOCAL_MAX);
	print_fields(&a, &fields);
	keyed_mark(&c->ret.key, purpose, strbuf_view(&fields), mark);
	strbuf_addf(out, "%s%s.%s@%s", prefix, strbuf_cstr(&fields), mark,
	    c->ret.domain);
	strbuf_fini(&fields);
	return true;
}

/* The parts, in their order. False: it has not this form. */
static bool split(struct slice local, struct return_addr *a,
    struct slice *mark_out)
{
	struct slice id, day, leg;
	uint64_t n;

	if (!slice_case_starts(local, slice_str(prefix)))
		return false;
	local = slice_from(local, sizeof(prefix) - 1);
	if (!slice_next(&local, '.', &id) || !slice_next(&local, '.', &day) ||
	    !slice_next(&local, '.', &leg) ||
	    id_parse(id, &a->id) < 0 || day.n > DAY_DIGITS_MAX ||
	    !slice_uint(day, 999999, &n) || leg.n == 0 ||
	    leg.n > RETURN_LEG_MAX)
		return false;
	a->day = (int64_t)n;
	for (size_t i = 0; i < leg.n; i++)
		a->leg[i] = ascii_lower(leg.p[i]);
	*mark_out = local;
	return true;
}

static bool is_ours(const struct conf *c, const struct return_addr *a,
    struct slice mark)
{
	struct strbuf fields;
	bool good;

	strbuf_init(&fields, ADDR_LOCAL_MAX);
	print_fields(a, &fields);
	good = keyed_check(&c->ret.key, purpose, strbuf_view(&fields), mark);
	strbuf_fini(&fields);
	return good;
}

static bool is_at(const struct conf *c, const struct addr *to)
{
	return c->ret.domain[0] != '\0' &&
	       domain_is(to->domain, slice_str(c->ret.domain));
}

enum return_verdict return_addr_check(const struct conf *c,
    const struct addr *to, int64_t now_us, struct return_addr *out)
{
	struct slice mark;

	*out = (struct return_addr){.id = 0};
	if (!is_at(c, to) || addr_is_role(to))
		return RETURN_NONE;
	if (!split(to->local, out, &mark) || !is_ours(c, out, mark))
		return RETURN_FORGED;
	return now_us / DAY_US > out->day ? RETURN_EXPIRED : RETURN_GOOD;
}

bool return_addr_decide(const struct conf *c, const struct addr *to,
    int64_t now_us, struct return_addr *out, struct decision *decision_out)
{
	enum return_verdict verdict = return_addr_check(c, to, now_us, out);

	if (verdict == RETURN_NONE)
		return false;
	*decision_out = (struct decision){.verdict = VERDICT_REFUSE,
	    .rule = RULE_RETURN, .row.route_text = ""};
	if (verdict == RETURN_GOOD)
		decision_out->verdict = VERDICT_ACCEPT;
	else
		reply_set(&decision_out->reply, 550, "5.7.1", "%s",
		    verdict == RETURN_EXPIRED
			? "This return address has expired, no mail is taken "
			  "for it"
			: "This is no return address of ours");
	PH_ASSERT(decision_ok(decision_out));
	return true;
}
