/* SPDX-License-Identifier: ISC
 *
 * Prints a soak.
 */
#include "relay/cli/wave/show_soak.h"

#include <inttypes.h>

#include "policy/wave/file/soak_verdict.h"
#include "relay/cli/common/human.h"

static uint64_t tried(const struct soak_counts *n)
{
	return n->delivered + n->failed;
}

static double percent(const struct soak_counts *n)
{
	return tried(n) == 0 ? 0
			     : 100 * (double)n->failed / (double)tried(n);
}

static void add_share(struct strbuf *b, const struct soak_counts *n)
{
	human_count((int64_t)n->failed, b);
	strbuf_adds(b, " of ");
	human_count((int64_t)tried(n), b);
	strbuf_addf(b, " (%.1f %%)", percent(n));
}

static void add_end(struct strbuf *b, const struct soak *s)
{
	strbuf_addf(b, "slice %" PRIu64 ", ", s->slice);
	if (s->end == SOAK_OPEN)
		strbuf_addf(b, "%s so far",
		    brake_verdict_text(soak_mail(s).verdict));
	else
		strbuf_adds(b, soak_end_text(s->end));
	if (s->end == SOAK_ACCEPTED)
		strbuf_addf(b, " by %s", s->who);
	if (s->back != 0)
		strbuf_addf(b, ", rolled back by change %" PRIu64, s->back);
}

void show_soak(struct cli *c, const struct soak *s)
{
	struct brake_interval i = soak_mail(s).interval;
	struct strbuf b;

	if (s->slice == 0)
		return;
	strbuf_init(&b, OUT_LINE_MAX);
	add_end(&b, s);
	strbuf_adds(&b, ": ");
	add_share(&b, &s->now);
	strbuf_addf(&b, " failed at the first attempt, of %" PRIu64
	    " recipients", s->users);
	if (s->now.trouble > 0)
		strbuf_addf(&b, "; %" PRIu64 " met trouble of the leg",
		    s->now.trouble);
	if (s->complaints > 0)
		strbuf_addf(&b, "; %" PRIu64 " complained", s->complaints);
	out_say(&c->out, "%-10s %s", "soak", strbuf_cstr(&b));
	strbuf_reset(&b);
	strbuf_adds(&b, s->of_leg ? "all at the new leg: " : "the same "
	    "recipients: ");
	add_share(&b, &s->base);
	strbuf_addf(&b, "; the difference is between %+.1f and %+.1f points",
	    100 * i.lower, 100 * i.upper);
	out_say(&c->out, "%-10s %s", "before", strbuf_cstr(&b));
	strbuf_fini(&b);
}

static void put_counts(struct jout *j, const char *key,
    const struct soak_counts *n)
{
	jout_object(j, key);
	jout_int(j, "delivered", (int64_t)n->delivered);
	jout_int(j, "failed", (int64_t)n->failed);
	jout_int(j, "trouble", (int64_t)n->trouble);
	jout_object_end(j);
}

void show_soak_json(struct jout *j, const struct soak *s)
{
	struct brake_judged judged = soak_mail(s);

	if (s->slice == 0)
		return;
	jout_object(j, "soak");
	jout_int(j, "slice", (int64_t)s->slice);
	jout_str(j, "end", soak_end_text(s->end));
	jout_str(j, "verdict", brake_verdict_text(judged.verdict));
	put_counts(j, "now", &s->now);
	jout_int(j, "users", (int64_t)s->users);
	jout_int(j, "complaints", (int64_t)s->complaints);
	put_counts(j, "before", &s->base);
	jout_bool(j, "before_of_leg", s->of_leg);
	jout_int(j, "lower_permille", (int64_t)(1000 * judged.interval.lower));
	jout_int(j, "upper_permille", (int64_t)(1000 * judged.interval.upper));
	jout_time(j, "began", s->began_us);
	jout_time(j, "looked", s->looked_us);
	if (s->ended_us != 0)
		jout_time(j, "ended", s->ended_us);
	if (s->back != 0)
		jout_int(j, "back", (int64_t)s->back);
	if (s->who[0] != '\0')
		jout_str(j, "who", s->who);
	jout_object_end(j);
}
