/* SPDX-License-Identifier: ISC
 *
 * The recipients of one request: what is still to be said, what was said of
 * each, and the results. Knows no socket; one worker's thread.
 *
 * Two recipients whose final addresses are equal are one RCPT (D7): the first
 * stands for all of them. Addresses come from rows and records that were read
 * back, so they are parsed once more before they can get into a command.
 */
#include "relay/client/exchange.h"

#include <stdlib.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

/* Local parts by their bytes, domains in any case; equal ones in order. */
static int domain_order(const char *a, const char *b)
{
	while (*a != '\0' && ascii_lower(*a) == ascii_lower(*b)) {
		a++;
		b++;
	}
	return ascii_lower(*a) - ascii_lower(*b);
}

static int address_order(const char *a, const char *b)
{
	long n = slice_rfind(slice_str(a), '@');
	long m = slice_rfind(slice_str(b), '@');
	int diff;

	if (n != m || n < 0)
		return n != m ? (n < m ? -1 : 1) : strcmp(a, b);
	diff = memcmp(a, b, (size_t)n);
	return diff != 0 ? diff : domain_order(a + n, b + n);
}

static int by_address(const void *a, const void *b)
{
	const struct client_rcpt *const *x = a, *const *y = b;
	int diff = address_order((*x)->address, (*y)->address);

	if (diff != 0)
		return diff;
	return *x < *y ? -1 : *x > *y;
}

/* A notice that one of them wants is asked for; NEVER only when all say so. */
static unsigned notify_both(unsigned a, unsigned b)
{
	if (a == b || b == NOTIFY_NEVER)
		return a;
	if (a == NOTIFY_NEVER)
		return b;
	if (a == 0 || b == 0)
		return a | b | NOTIFY_FAILURE;
	return a | b;
}

static void find_equals(struct exchange *t)
{
	struct client_request *r = t->req;
	struct client_rcpt **order =
	    arena_alloc(r->arena, r->rcpts * sizeof(struct client_rcpt *));
	unsigned first = 0;

	for (unsigned i = 0; i < r->rcpts; i++)
		order[i] = &r->rcpt[i];
	qsort(order, r->rcpts, sizeof(struct client_rcpt *), by_address);
	for (unsigned i = 0; i < r->rcpts; i++) {
		unsigned at = (unsigned)(order[i] - r->rcpt);

		if (i == 0 || address_order(order[i - 1]->address,
				  order[i]->address) != 0)
			first = at;
		t->rcpt[at].same = first;
		t->rcpt[first].notify =
		    notify_both(t->rcpt[first].notify, r->rcpt[at].notify);
	}
}

static void check_address(struct exchange *t, unsigned i)
{
	static const struct result bad = {.outcome = OUT_FAILED,
	    .class = CLASS_RECIPIENT,
	    .enh = "5.1.3",
	    .stage = STAGE_RCPT,
	    .text = "the recipient's address cannot be said in SMTP"};
	struct addr a;
	const char *why;

	if (addr_parse(slice_str(t->req->rcpt[i].address), true, &a, &why) != 0)
		exchange_settle(t, i, &bad);
	t->rcpt[i].utf8 = a.utf8;
	t->rcpt[i].utf8_local = a.utf8_local;
}

struct exchange *exchange_new(struct client_request *r)
{
	struct exchange *t = arena_alloc(r->arena, sizeof(struct exchange));

	t->req = r;
	t->rcpt =
	    arena_alloc(r->arena, r->rcpts * sizeof(struct exchange_rcpt));
	t->batch = arena_alloc(r->arena, r->rcpts * sizeof(unsigned));
	t->remote = t->tls = t->tls_failed = "";
	for (unsigned i = 0; i < r->rcpts; i++) {
		t->rcpt[i].same = i;
		t->rcpt[i].notify = r->rcpt[i].notify;
	}
	if (r->rcpts > 1)
		find_equals(t);
	t->open = r->rcpts;
	for (unsigned i = 0; i < r->rcpts; i++) {
		if (t->rcpt[i].same == i) {
			check_address(t, i);
		} else {
			t->rcpt[i].state = RCPT_SETTLED;
			t->open--;
		}
	}
	return t;
}

static void set_state(struct exchange *t, unsigned i, enum rcpt_state to)
{
	t->open -= t->rcpt[i].state == RCPT_OPEN;
	t->open += to == RCPT_OPEN;
	t->rcpt[i].state = to;
}

static const char *domain_of(const char *address)
{
	return address + slice_rfind(slice_str(address), '@') + 1;
}

const char *exchange_domain(const struct exchange *t)
{
	for (unsigned i = 0; i < t->req->rcpts; i++)
		if (t->rcpt[i].state == RCPT_OPEN)
			return domain_of(t->req->rcpt[i].address);
	return "";
}

void exchange_begin(struct exchange *t, unsigned limit, const char *domain)
{
	t->batched = t->answered = t->accepted = t->judged = t->enough = 0;
	for (unsigned i = 0; i < t->req->rcpts && t->batched < limit; i++) {
		if (t->rcpt[i].state != RCPT_OPEN ||
		    (domain != NULL &&
			domain_order(domain_of(t->req->rcpt[i].address),
			    domain) != 0))
			continue;
		set_state(t, i, RCPT_SENT);
		t->batch[t->batched++] = i;
	}
}

void exchange_undo(struct exchange *t)
{
	for (unsigned i = 0; i < t->batched; i++)
		if (t->rcpt[t->batch[i]].state != RCPT_SETTLED)
			set_state(t, t->batch[i], RCPT_OPEN);
	t->batched = t->answered = t->accepted = t->judged = t->enough = 0;
}

long exchange_undecided(struct exchange *t)
{
	while (t->judged < t->batched &&
	       t->rcpt[t->batch[t->judged]].state != RCPT_ACCEPTED)
		t->judged++;
	return t->judged < t->batched ? (long)t->batch[t->judged] : -1;
}

void exchange_reopen(struct exchange *t, unsigned i)
{
	set_state(t, i, RCPT_OPEN);
}

/* `address` is the caller's word: what a rewrite made of the recipient. */
static void set_result(struct exchange *t, unsigned i, const struct result *r)
{
	struct result *to = &t->req->rcpt[i].result;
	const char *address = to->address;

	*to = *r;
	to->address = address == NULL ? "" : address;
	if (to->remote == NULL)
		to->remote = t->remote;
	if (to->tls == NULL)
		to->tls = t->tls;
	if (to->tls_failed == NULL)
		to->tls_failed = t->tls_failed;
}

void exchange_settle(struct exchange *t, unsigned i, const struct result *r)
{
	PH_ASSERT(t->rcpt[i].state != RCPT_SETTLED);
	set_result(t, i, r);
	set_state(t, i, RCPT_SETTLED);
}

void exchange_settle_all(
    struct exchange *t, unsigned states, const struct result *r)
{
	for (unsigned i = 0; i < t->req->rcpts; i++)
		if (states & STATE_BIT(t->rcpt[i].state))
			exchange_settle(t, i, r);
}

void exchange_finish(struct exchange *t)
{
	static const struct result untried = {.outcome = OUT_UNTRIED,
	    .class = CLASS_NETWORK,
	    .enh = "4.4.2",
	    .stage = STAGE_MAIL,
	    .text = "the dialog ended before its turn"};

	exchange_settle_all(t, STATE_BIT(RCPT_OPEN), &untried);
	for (unsigned i = 0; i < t->req->rcpts; i++) {
		const struct client_rcpt *same =
		    &t->req->rcpt[t->rcpt[i].same];

		if (t->rcpt[i].same == i)
			continue;
		set_result(t, i, &same->result);
		t->req->rcpt[i].dsn = same->dsn;
	}
}
