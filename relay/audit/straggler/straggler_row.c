/* SPDX-License-Identifier: ISC
 *
 * Adds up what is counted of a straggler.
 */
#include "relay/audit/straggler/straggler_row.h"

#include "relay/base/clock.h"
#include "relay/base/mem.h"

/* ---- senders ------------------------------------------------------------- */

void straggler_senders_fini(struct straggler_senders *s)
{
	for (unsigned i = 0; i < s->n; i++)
		mem_free(s->top[i].domain);
	s->n = 0;
}

/* Moves the last counted one up, so that the most come first. */
static void sort_up(struct straggler_senders *s, unsigned at)
{
	for (; at > 0 && s->top[at].messages > s->top[at - 1].messages; at--) {
		char *domain = s->top[at].domain;
		uint64_t messages = s->top[at].messages;

		s->top[at] = s->top[at - 1];
		s->top[at - 1].domain = domain;
		s->top[at - 1].messages = messages;
	}
}

void straggler_senders_add(struct straggler_senders *s, struct slice domain,
    uint64_t messages)
{
	unsigned at = 0;

	while (at < s->n && !slice_eq(slice_str(s->top[at].domain), domain))
		at++;
	if (at == s->n && s->n < STRAGGLER_SENDERS) {
		s->top[s->n].domain = mem_slicedup(domain);
		s->top[s->n++].messages = 0;
	} else if (at == s->n) {
		at--;
		mem_free(s->top[at].domain);
		s->top[at].domain = mem_slicedup(domain);
	}
	s->top[at].messages += messages;
	sort_up(s, at);
}

void straggler_senders_print(const struct straggler_senders *s,
    struct strbuf *out)
{
	for (unsigned i = 0; i < s->n; i++) {
		strbuf_adds(out, i == 0 ? "" : " ");
		strbuf_adds(out, s->top[i].domain[0] == '\0'
		    ? "-" : s->top[i].domain);
		strbuf_addc(out, ' ');
		strbuf_addu(out, s->top[i].messages);
	}
}

void straggler_senders_parse(struct straggler_senders *s, struct slice text)
{
	struct slice domain, count;
	uint64_t n;

	while (slice_next(&text, ' ', &domain) &&
	       slice_next(&text, ' ', &count))
		if (domain.n > 0 && slice_uint(count, INT64_MAX, &n))
			straggler_senders_add(s, slice_eq(domain, SLICE("-"))
			    ? SLICE("") : domain, n);
}

/* ---- rows ---------------------------------------------------------------- */

void straggler_row_fini(struct straggler_row *r)
{
	mem_free(r->name);
	mem_free(r->helo);
	mem_free(r->tls);
	mem_free(r->day);
	straggler_senders_fini(&r->senders);
	*r = (struct straggler_row){.name = NULL};
}

void straggler_row_text(char **text, struct slice value)
{
	if (*text != NULL && slice_eq(slice_str(*text), value))
		return;
	mem_free(*text);
	*text = mem_slicedup(value);
}

static void widen_gap(struct straggler_row *r, int64_t gap_us)
{
	if (gap_us > r->gap_us)
		r->gap_us = gap_us;
}

void straggler_row_seen(struct straggler_row *r, int64_t time_us)
{
	if (r->last_us != 0)
		widen_gap(r, time_us - r->last_us);
	if (r->first_us == 0 || time_us < r->first_us)
		r->first_us = time_us;
	if (time_us > r->last_us)
		r->last_us = time_us;
}

/* Most rows have one day, the newest. */
struct straggler_day *straggler_row_day(struct straggler_row *r,
    int64_t time_us)
{
	int64_t day = time_us / DAY_US;
	unsigned at = r->days;

	while (at > 0 && r->day[at - 1].day > day)
		at--;
	if (at > 0 && r->day[at - 1].day == day)
		return &r->day[at - 1];
	r->day = mem_resize(r->day, (r->days + 1) * sizeof(*r->day));
	memmove(&r->day[at + 1], &r->day[at],
	    (r->days - at) * sizeof(*r->day));
	r->day[at] = (struct straggler_day){.day = day};
	r->days++;
	return &r->day[at];
}

static void merge_times(struct straggler_row *r,
    const struct straggler_row *more)
{
	if (more->last_us == 0)
		return;
	/* Logs of an older time may come later. */
	if (r->last_us != 0)
		widen_gap(r, r->first_us - more->last_us);
	straggler_row_seen(r, more->first_us);
	widen_gap(r, more->gap_us);
	if (more->last_us > r->last_us)
		r->last_us = more->last_us;
}

static void merge_text(char **text, const char *from)
{
	if (from != NULL)
		straggler_row_text(text, slice_str(from));
}

static void merge_days(struct straggler_row *r,
    const struct straggler_row *more)
{
	for (unsigned i = 0; i < more->days; i++) {
		const struct straggler_day *from = &more->day[i];
		struct straggler_day *to =
		    straggler_row_day(r, from->day * DAY_US);

		to->messages += from->messages;
		to->recipients += from->recipients;
		to->refused += from->refused;
	}
}

void straggler_row_merge(struct straggler_row *r,
    const struct straggler_row *more)
{
	merge_times(r, more);
	merge_days(r, more);
	merge_text(&r->name, more->name);
	merge_text(&r->helo, more->helo);
	merge_text(&r->tls, more->tls);
	for (unsigned i = 0; i < more->senders.n; i++)
		straggler_senders_add(&r->senders,
		    slice_str(more->senders.top[i].domain),
		    more->senders.top[i].messages);
	r->messages += more->messages;
	r->recipients += more->recipients;
	r->refused += more->refused;
	r->judged += more->judged;
	r->passed += more->passed;
	r->delivered += more->delivered;
	r->proven += more->proven;
	r->wants += more->wants;
	if (more->wants_us > r->wants_us)
		r->wants_us = more->wants_us;
}
