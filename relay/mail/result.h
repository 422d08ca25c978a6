/* SPDX-License-Identifier: ISC
 *
 * The fate of one recipient at one attempt: a value, from a reply or from a
 * broken socket alike; to and from the bytes that the journal keeps.
 */
#ifndef RELAY_MAIL_RESULT_H
#define RELAY_MAIL_RESULT_H

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/mail/stage.h"

enum outcome {
	OUT_DELIVERED,
	OUT_DEFERRED, /* try again                            */
	OUT_FAILED,   /* for good: bounce (primary), park (copy) */
	OUT_UNTRIED,  /* nothing was said about it: rest of a cut dialog */
	OUT_PARKED,   /* for good, but a matter for an administrator: kept, no
		       * sender is told */
};

/* The class of a reply (D4): what it means to the queue. */
enum reply_class {
	CLASS_NONE, CLASS_MESSAGE, CLASS_RECIPIENT, CLASS_THROTTLE,
	CLASS_MAILBOX, CLASS_CONFIGURATION, CLASS_NETWORK,
	CLASS_AUTHENTICATION, CLASS_LOOP, CLASS_SPLIT, CLASSES
};

struct result {
	enum outcome outcome;
	enum reply_class class;
	int code;	    /* SMTP code; 0 if no server spoke            */
	char enh[12];	    /* "4.4.1" (RFC 3463), ours when code is 0    */
	enum stage stage;   /* NONE: no attempt says this */
	const char *remote; /* "mx1.example.net [192.0.2.7]:25"           */
	const char *text;   /* reply text or our reason, one line         */
	const char *tls;    /* "TLSv1.3 …", "" in the clear               */
	const char *tls_failed; /* it was offered, failed so, and mail went in
				 * the clear; "", or NULL for the same    */
	const char *address; /* final address when rewritten, else ""     */
	bool uncertain;	    /* lost after the final dot (D8)              */
};

const char *reply_class_text(enum reply_class c);
void result_pack(const struct result *r, struct strbuf *out);
/* The code alone; 0 when these are no packed result. */
int result_code(struct slice packed);
/* The class alone; CLASS_NONE then. */
enum reply_class result_class(struct slice packed);
int result_unpack(struct slice bytes, struct arena *a,
    struct result *result_out) PH_CHECK;

#endif
