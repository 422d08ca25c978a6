/* SPDX-License-Identifier: ISC
 *
 * The envelope of a message (client, sender, recipients, options), to and from
 * the bytes that the journal keeps. Pure.
 */
#ifndef RELAY_MAIL_ENVELOPE_H
#define RELAY_MAIL_ENVELOPE_H

#include "relay/base/mem.h"
#include "relay/mail/cmd.h"

enum { ENVELOPE_FORMAT = 3 }; /* the newest that is read */
enum { ENVELOPE_MAX = 1 << 20 }; /* packed; further RCPTs get 452 4.5.3 */
enum { HAD_MAX = 16 }; /* legs that one message may have come back from */

struct envelope_rcpt {
	const char *to;	   /* as it came; bare postmaster is qualified */
	unsigned notify;   /* NOTIFY_… */
	const char *orcpt; /* "rfc822;…" raw, or ""; of a return address of
			    * ours what the report says: "failed 5.1.1 a@b" */
	uint16_t had;	   /* bit i: had_leg[i] is not to get it (D6) */
};

struct envelope {
	uint64_t id;
	int64_t accepted_us; /* wall clock */
	/* the session; "" when not known */
	const char *client;	 /* address, text */
	const char *client_name; /* PTR, forward confirmed; or "" */
	const char *listen;	 /* listener's name; "" for our own DSN */
	const char *helo;
	bool esmtp;
	const char *tls; /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" */
	/* MAIL */
	const char *from; /* "" is the null sender */
	enum body_type body;
	bool utf8;
	enum dsn_ret ret;
	const char *envid; /* raw xtext */
	/* seen in the message */
	const char *message_id;
	const char *subject; /* as people read it, where it is kept; "" */
	const char *spf; /* the result for its sender; "": it was not judged */
	uint64_t size;	 /* bytes of the body as stored, trace block included */
	bool bare_lf;	 /* came by BDAT with a bare CR or LF in it */
	bool eight_bit;	 /* there is a byte over 127 */
	bool utf8_header; /* there is one in the header */
	/* RCPT */
	struct envelope_rcpt *rcpt;
	unsigned rcpts;
	/* Mail that a leg hands back (D6). Legs by name: their numbers are one
	 * process's. */
	const char *came_from; /* "cloud", those that had it: "a+b"; or none */
	uint64_t parent;       /* the message of ours that it was, or whose
				* copy it bounces; 0 */
	const char *had_leg[HAD_MAX];
	unsigned had_legs;
	/* Tagged values; "" or NULL: there is none. */
	const char *egress; /* the way out to the internet that was chosen */
	const char *srs;    /* the sender's rewritten form for it */
	const char *login;  /* the user that the client proved to be */
	/* The PROXY header before it: "v1", "v2" (it named the client),
	 * "local", "unknown" (it did not: `client` is the proxy itself). */
	const char *proxy;
	/* The term that gave `spf` and the domain whose record has it:
	 * "ip4:192.0.2.0/24 example.org"; "default …": none of its terms. */
	const char *spf_by;
	const char *stripped; /* fields removed as forged: their number */
	/* Of its header, for DMARC, where mail goes out or a recipient has a
	 * row (relay/mail/author.h): the domain in From, "" when it is
	 * unclear; and those that signed it and may be aligned, one blank
	 * apart. */
	const char *from_domain;
	const char *dkim;
	struct slice unknown; /* tags of a newer version, packed; kept */
};

/* Is there anything to say of where it came from? */
bool envelope_came_back(const struct envelope *e);
/* Is `client` the client, and not a proxy that spoke for itself? */
bool envelope_names_client(const struct envelope *e);
/* The bit of envelope_rcpt.had for that leg, which is added when it is new; 0
 * when there is no room for it. */
uint16_t envelope_had(struct envelope *e, struct arena *a, const char *leg);
/* Must that recipient's mail never go to that leg? */
bool envelope_loops(const struct envelope *e, unsigned rcpt, const char *leg);

void envelope_pack(const struct envelope *e, struct strbuf *out);
/* The format of an envelope that a newer version packed, which
 * envelope_unpack() refuses; else 0. */
unsigned envelope_newer(struct slice bytes);
/* Strings are copied into `a`. 0, or -1 when the bytes are not an envelope:
 * also for a control character in what goes into commands again (addresses,
 * ENVID, ORCPT) and for an empty recipient. A NULL was packed as "". */
int envelope_unpack(struct slice bytes, struct arena *a,
    struct envelope *env_out) PH_CHECK;

#endif
