/* SPDX-License-Identifier: ISC
 *
 * The macros of SPF (RFC 7208 7): their syntax, and what they expand to. Pure;
 * any thread. The text is a stranger's: its length, its macros and the numbers
 * in them have a ceiling.
 */
#ifndef RELAY_SPF_MACRO_H
#define RELAY_SPF_MACRO_H

#include "relay/base/strbuf.h"

enum {
	MACRO_TERM_MAX = 20,	/* macros in one domain-spec */
	MACRO_NAME_MAX = 253,	/* bytes of a name that is asked (7.3) */
};

enum macro_kind {
	MACRO_STRING,  /* macro-string: the value of an unknown modifier */
	MACRO_DOMAIN,  /* domain-spec */
	MACRO_EXPLAIN, /* explain-string: blanks, and %{c} %{r} %{t} */
};

/* A bit for each letter that a text uses. */
static inline unsigned macro_bit(char letter)
{
	return 1U << (ascii_lower(letter) - 'a');
}

/* Is it well formed, by the ABNF of RFC 7208 7.1? 0 and the letters used, or
 * -1 and why. */
int macro_check(enum macro_kind kind, struct slice text,
    unsigned *letters_out, const char **why_out) PH_CHECK;

/* Appends the value of a letter (lower case); false: it is not known yet. */
typedef bool (*macro_value_fn)(void *arg, char letter, struct strbuf *to);

/* Expands a text that macro_check() took. false: a value is not known yet. The
 * ceiling of `to` is the caller's. */
bool macro_expand(struct slice text, macro_value_fn value, void *arg,
    struct strbuf *to);
/* As macro_expand(), to a name in lower case that has no final dot and is cut
 * from the left, label by label, to MACRO_NAME_MAX. */
bool macro_expand_name(struct slice text, macro_value_fn value, void *arg,
    struct strbuf *to);
/* Labels of 1 to 63 octets, none of them NUL, at most MACRO_NAME_MAX: can it
 * be asked? */
bool macro_name_valid(struct slice name);

#endif
