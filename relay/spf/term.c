/* SPDX-License-Identifier: ISC
 *
 * The terms of a record of SPF. Pure; any thread.
 */
#include "relay/spf/term.h"

#include <arpa/inet.h>

enum target { TARGET_NONE, TARGET_MAY, TARGET_MUST };

static const struct term_form {
	const char *name;
	enum target target;
	bool cidr, asks;
} mechanisms[] = {
	/* clang-format off */
	[TERM_ALL]     = { "all",     TARGET_NONE, false, false },
	[TERM_INCLUDE] = { "include", TARGET_MUST, false, true  },
	[TERM_A]       = { "a",       TARGET_MAY,  true,  true  },
	[TERM_MX]      = { "mx",      TARGET_MAY,  true,  true  },
	[TERM_PTR]     = { "ptr",     TARGET_MAY,  false, true  },
	[TERM_IP4]     = { "ip4",     TARGET_MUST, true,  false },
	[TERM_IP6]     = { "ip6",     TARGET_MUST, true,  false },
	[TERM_EXISTS]  = { "exists",  TARGET_MUST, false, true  },
	[TERM_REDIRECT] = { "",       TARGET_MUST, false, true  },
	[TERM_EXP]     = { "",        TARGET_MUST, false, false },
	/* clang-format on */
};

bool spf_term_asks(const struct spf_term *t)
{
	return mechanisms[t->kind].asks;
}

bool spf_record_is(struct slice txt)
{
	static const struct slice version = SLICE("v=spf1");

	return slice_case_starts(txt, version) &&
	       (txt.n == version.n || txt.p[version.n] == ' ');
}

/* The number behind the last "/" of `s`, cut off with it. A number has no
 * leading zero. 1, 0 when there is none, -1 when it is over `max`. */
static int cut_cidr(struct slice *s, uint64_t max, unsigned *bits_out)
{
	size_t at = s->n;
	struct slice digits;
	uint64_t bits;

	while (at > 0 && ascii_digit(s->p[at - 1]))
		at--;
	digits = slice_from(*s, at);
	if (digits.n == 0 || at == 0 || s->p[at - 1] != '/')
		return 0;
	s->n = at - 1;
	if ((digits.n > 1 && digits.p[0] == '0') ||
	    !slice_uint(digits, max, &bits))
		return -1;
	*bits_out = (unsigned)bits;
	return 1;
}

/* RFC 7208 5.6: dual-cidr-length at the end of `s`. */
static const char *cut_cidrs(struct slice *s, struct spf_term *t)
{
	struct slice six = *s;
	int found = cut_cidr(&six, 128, &t->cidr6);

	if (found != 0 && six.n > 0 && six.p[six.n - 1] == '/') {
		if (found < 0)
			return "a network of IPv6 has 0 to 128 bits";
		*s = slice_head(six, six.n - 1);
	} else {
		t->cidr6 = 128;
	}
	if (cut_cidr(s, 32, &t->cidr4) < 0)
		return "a network of IPv4 has 0 to 32 bits";
	return NULL;
}

static const char *read_address(int family, struct slice s, unsigned max,
    struct spf_term *t)
{
	char text[INET6_ADDRSTRLEN];
	unsigned *bits = family == AF_INET ? &t->cidr4 : &t->cidr6;

	if (cut_cidr(&s, max, bits) < 0)
		return "a network has more bits than an address";
	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return "an address is none";
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(family, text, t->addr) != 1)
		return family == AF_INET ? "an IPv4 address is none" :
					   "an IPv6 address is none";
	return NULL;
}

/* `value` is what stands behind the mechanism's name. */
static const char *read_value(struct slice value, struct spf_term *t)
{
	const struct term_form *m = &mechanisms[t->kind];
	const char *why;
	bool colon = value.n > 0 && value.p[0] == ':';

	if (colon && m->target == TARGET_NONE)
		return "a mechanism takes no value";
	if (!colon && m->target == TARGET_MUST)
		return "a mechanism lacks its value";
	if (t->kind == TERM_IP4)
		return read_address(AF_INET, slice_from(value, 1), 32, t);
	if (t->kind == TERM_IP6)
		return read_address(AF_INET6, slice_from(value, 1), 128, t);
	why = m->cidr ? cut_cidrs(&value, t) : NULL;
	if (why != NULL)
		return why;
	if (!colon)
		return value.n == 0 ? NULL : "a mechanism takes no value";
	t->target = slice_from(value, 1);
	if (macro_check(MACRO_DOMAIN, t->target, &t->letters, &why) != 0)
		return why;
	return NULL;
}

static const char *read_mechanism(struct slice term, struct spf_term *t)
{
	size_t n = 0;

	*t = (struct spf_term){.qualifier = '+', .cidr4 = 32, .cidr6 = 128,
	    .text = term};
	if (strchr("+-~?", term.p[0]) != NULL) {
		t->qualifier = term.p[0];
		term = slice_from(term, 1);
	}
	while (n < term.n && (ascii_alpha(term.p[n]) || ascii_digit(term.p[n])))
		n++;
	for (int k = TERM_ALL; k <= TERM_EXISTS; k++)
		if (slice_case_eq(slice_head(term, n),
		    slice_str(mechanisms[k].name))) {
			t->kind = (enum term_kind)k;
			return read_value(slice_from(term, n), t);
		}
	return "a mechanism is unknown";
}

/* RFC 7208 12: the name of a modifier; 0 when the term is none. */
static size_t modifier_name(struct slice term)
{
	size_t n = 0;

	while (n < term.n && (ascii_alpha(term.p[n]) || (n > 0 &&
	    (ascii_digit(term.p[n]) ||
	    (term.p[n] != '\0' && strchr("-_.", term.p[n]) != NULL)))))
		n++;
	return n < term.n && term.p[n] == '=' ? n : 0;
}

static const char *read_modifier(struct slice term, size_t name,
    struct spf_terms *terms)
{
	struct slice word = slice_head(term, name);
	struct slice value = slice_from(term, name + 1);
	bool redirect = slice_case_eq(word, SLICE("redirect"));
	struct spf_term *t = redirect ? &terms->redirect : &terms->exp;
	unsigned letters;
	const char *why = NULL;

	if (!redirect && !slice_case_eq(word, SLICE("exp"))) {
		if (macro_check(MACRO_STRING, value, &letters, &why) != 0)
			return why;
		return NULL;
	}
	if (t->target.n > 0)
		return "a modifier is there twice";
	*t = (struct spf_term){.qualifier = '+', .text = term,
	    .kind = redirect ? TERM_REDIRECT : TERM_EXP, .target = value};
	if (macro_check(MACRO_DOMAIN, value, &t->letters, &why) != 0)
		return why;
	return NULL;
}

static const char *read_term(struct slice term, struct spf_terms *terms)
{
	size_t name = modifier_name(term);
	struct spf_term *t = &terms->term[terms->count];
	const char *why;

	if (name > 0)
		return read_modifier(term, name, terms);
	if (terms->count == SPF_TERMS_MAX)
		return "a record has more than 100 mechanisms";
	why = read_mechanism(term, t);
	if (why == NULL) {
		terms->letters |= t->letters;
		terms->count++;
	}
	return why;
}

static bool is_visible(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

int spf_terms_parse(struct slice record, struct spf_terms *terms,
    const char **why_out, struct slice *wrong_out)
{
	struct slice rest = slice_from(record, sizeof("v=spf1") - 1), term;

	terms->count = 0;
	terms->redirect.target = terms->exp.target = slice_of(NULL, 0);
	terms->letters = 0;
	*wrong_out = slice_of(NULL, 0);
	*why_out = "a record is longer than 4096 bytes";
	if (record.n > SPF_RECORD_MAX)
		return -1;
	*why_out = "a record has a byte that is no printable ASCII";
	if (!is_visible(record))
		return -1;
	*why_out = NULL;
	while (slice_next(&rest, ' ', &term)) {
		if (term.n == 0)
			continue;
		*wrong_out = term;
		*why_out = read_term(term, terms);
		if (*why_out != NULL)
			return -1;
	}
	terms->letters |= terms->redirect.target.n > 0 ?
			      terms->redirect.letters : 0;
	return 0;
}
