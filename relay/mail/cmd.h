/* SPDX-License-Identifier: ISC
 *
 * A command line into verb and argument, and the arguments of MAIL and RCPT
 * with their parameters. Pure; any thread.
 */
#ifndef RELAY_MAIL_CMD_H
#define RELAY_MAIL_CMD_H

#include "relay/mail/addr.h"
#include "relay/mail/codec.h"

enum {
	CMD_LINE_MAX = 512 /* RFC 5321 4.5.3.1.4 */ + 1536
	/* + the parameters of RFC 3461 (ORCPT 500, ENVID 100, RET, NOTIFY),
	 * 6531 and longer local parts; what is over answers 500 */
};

struct smtp_cmd {
	struct slice verb; /* as it came */
	struct slice arg;  /* blanks around it trimmed; empty when none */
};

/* `line` without its CRLF. A NUL, a CR or an LF in it is an error. Words stand
 * between blanks and TABs, also before the verb. 0, or -1 and a constant
 * reason. */
int smtp_cmd_parse(struct slice line, struct smtp_cmd *cmd_out,
    const char **why_out) PH_CHECK;

/* Why an argument was refused: complete, ready for the reply. */
struct smtp_refusal {
	int code;	 /* 501, 553, 555, 552 … */
	const char *enh; /* "5.5.4" */
	const char *text;
};

/* Values that could not be read and were left out: why, constant texts. */
struct smtp_dropped {
	const char *why[2];
	unsigned n;
};

enum { ENVID_MAX = 100 /* RFC 3461 4.4 */ };

enum body_type { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };
enum dsn_ret { RET_NONE, RET_FULL, RET_HDRS };

struct mail_from {
	struct addr from;
	bool size_given;
	uint64_t size;
	enum body_type body;
	bool utf8;
	enum dsn_ret ret;
	struct slice envid; /* xtext, checked */
	struct smtp_dropped dropped;
	char room[ADDR_MAX]; /* an address that had to be written anew */
	char value[ENVID_MAX];
};

/* The argument of MAIL ("FROM:<…> SIZE=…"). Knows SIZE (RFC 1870), BODY (6152,
 * 3030), SMTPUTF8 (6531), RET and ENVID (3461); AUTH (4954) is never used; any
 * other is 555. A SIZE that no counter holds is 552; 8-bit without SMTPUTF8 is
 * 553 5.6.7. A 0 return fills mail_out, -1 fills refusal_out, and
 * mail_out->from.text with what stood for the address. Slices point into `arg`
 * or into *mail_out, which is not to be copied before they are. */
int mail_from_parse(struct slice arg, struct mail_from *mail_out,
    struct smtp_refusal *refusal_out) PH_CHECK;

enum {
	NOTIFY_SUCCESS = 1, NOTIFY_FAILURE = 2, NOTIFY_DELAY = 4,
	NOTIFY_NEVER = 8, /* 0: not given */
};

struct rcpt_to {
	struct addr to;
	unsigned notify;
	struct slice orcpt; /* "rfc822;xtext", checked */
	bool utf8; /* MAIL said SMTPUTF8 */
	struct smtp_dropped dropped;
	char room[ADDR_MAX]; /* an address that had to be written anew */
	char value[ORCPT_MAX];
};

/* The argument of RCPT; NOTIFY and ORCPT (RFC 3461). `utf8` from MAIL. As
 * mail_from_parse(). */
int rcpt_to_parse(struct slice arg, bool utf8, struct rcpt_to *rcpt_out,
    struct smtp_refusal *refusal_out) PH_CHECK;

/* BDAT: "1000", "0 LAST" (RFC 3030). Sizes up to 2^63-1, digits only. */
int bdat_parse(struct slice arg, uint64_t *size_out, bool *last_out) PH_CHECK;
#endif
