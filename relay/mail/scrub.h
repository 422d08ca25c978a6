/* SPDX-License-Identifier: ISC
 *
 * Removes internal names from a leg's reply: a sender learns neither the
 * addresses by which a leg knows the recipients, nor the leg's own domains,
 * nor its hosts (D9). Pure.
 */
#ifndef RELAY_MAIL_SCRUB_H
#define RELAY_MAIL_SCRUB_H

#include "relay/base/strbuf.h"

enum { SCRUB_DOMAINS = 64 };

struct scrub {
	const char *shown; /* the address that the sender knows */
	const char *inner; /* … by which the leg knows it, "" : the same */
	const char *remote; /* "mx1.example.net [192.0.2.7]:25", "" : none */
	/* Names inside, with all that is below them; A-labels. */
	const char *domain[SCRUB_DOMAINS];
	unsigned domains;
};

/* More than SCRUB_DOMAINS are not remembered, nor is an empty one. */
void scrub_domain(struct scrub *s, const char *name);
/* Appends `text` with each inner address replaced by the shown one, each name
 * and address of a host inside by "internal". */
void scrub_text(const struct scrub *s, struct slice text, struct strbuf *out);

#endif
