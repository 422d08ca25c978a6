/* SPDX-License-Identifier: ISC
 *
 * Decodes a login: AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN. Pure; any
 * thread. sasl_fini() overwrites what was decoded.
 */
#ifndef RELAY_MAIL_SASL_H
#define RELAY_MAIL_SASL_H

#include "relay/base/slice.h"

enum {
	SASL_LINE_MAX = 12288, /* a line without its end, RFC 4954 4 */
	SASL_DECODED_MAX = SASL_LINE_MAX / 4 * 3,
};

enum sasl_mechanism { SASL_NONE, SASL_PLAIN, SASL_LOGIN };

/* A login that is being said. The caller may look at `mechanism` alone. */
struct sasl {
	enum sasl_mechanism mechanism;
	bool named; /* LOGIN: the name was said */
	size_t name_n, n;
	char text[2 * SASL_DECODED_MAX]; /* decoded; of LOGIN first the name */
};

struct credentials {
	struct slice name, password; /* in the struct sasl; neither is empty */
};

enum sasl_next {
	SASL_ASK,	/* *challenge_out is said with 334         */
	SASL_DONE,	/* *out is there                           */
	SASL_CANCELLED, /* the client said "*"                     */
	SASL_MALFORMED, /* no base64, or not as the mechanism says */
	SASL_UNKNOWN,	/* no such mechanism                       */
};

/* The argument of AUTH: a mechanism, and perhaps the first response ("=": an
 * empty one). `challenge_out`: base64, "" for PLAIN. */
enum sasl_next sasl_begin(struct sasl *s, struct slice arg,
    const char **challenge_out, struct credentials *out);
/* A line after 334. An identity to act for that is not the name itself is
 * SASL_MALFORMED, as an empty name or password and a NUL within one are. */
enum sasl_next sasl_respond(struct sasl *s, struct slice line,
    const char **challenge_out, struct credentials *out);
void sasl_fini(struct sasl *s);

/* "PLAIN", "LOGIN", as it may be put on record: anything else behind AUTH,
 * which could be a password, is "". */
const char *sasl_said(struct slice arg);

#endif
