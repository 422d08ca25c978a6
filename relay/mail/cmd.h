/* SPDX-License-Identifier: ISC
 *
 * A command line into verb and argument, and the arguments of MAIL and RCPT
 * with their parameters. Pure; any thread.
 */
#ifndef RELAY_MAIL_CMD_H
#define RELAY_MAIL_CMD_H

#include "relay/mail/addr.h"

enum {
	CMD_LINE_MAX = 512 /* RFC 5321 4.5.3.1.4 */ + 1536
	/* + the parameters of RFC 3461 (ORCPT 500, ENVID 100, RET, NOTIFY),
	 * 6531 and longer local parts; what is over answers 500 */
};

struct smtp_cmd {
	struct slice verb; /* as it came */
	struct slice arg;  /* blanks around it trimmed; empty when none */
};

/* `line` without its CRLF. A NUL, bare CR or other control anywhere is an
 * error. 0, or -1 and a constant reason. */
int smtp_cmd_parse(struct slice line, struct smtp_cmd *cmd_out,
    const char **why_out) PH_CHECK;

/* Why an argument was refused: complete, ready for the reply. */
struct smtp_refusal {
	int code;	 /* 501, 553, 555, 552 … */
	const char *enh; /* "5.5.4" */
	const char *text;
};

enum body_type { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };
enum dsn_ret { RET_NONE, RET_FULL, RET_HDRS };

struct mail_from {
	struct addr from;
	bool size_given;
	uint64_t size;
	enum body_type body;
	bool utf8;
	enum dsn_ret ret;
	struct slice envid; /* raw xtext, checked */
};

/* The argument of MAIL ("FROM:<…> SIZE=…"); blanks after the colon pass. Knows
 * SIZE (RFC 1870), BODY (6152, 3030), SMTPUTF8 (6531), RET and ENVID (3461);
 * AUTH (4954) is checked and dropped; any other is 555, a double one 501. A
 * SIZE that no counter holds is 552; 8-bit without SMTPUTF8 is 553 5.6.7. A 0
 * return fills mail_out, -1 fills refusal_out. */
int mail_from_parse(struct slice arg, struct mail_from *mail_out,
    struct smtp_refusal *refusal_out) PH_CHECK;

enum {
	NOTIFY_SUCCESS = 1, NOTIFY_FAILURE = 2, NOTIFY_DELAY = 4,
	NOTIFY_NEVER = 8, /* 0: not given */
};

struct rcpt_to {
	struct addr to;
	unsigned notify;
	struct slice orcpt; /* "rfc822;xtext", raw and checked */
};

/* The argument of RCPT; NOTIFY and ORCPT (RFC 3461). `utf8` from MAIL. */
int rcpt_to_parse(struct slice arg, bool utf8, struct rcpt_to *rcpt_out,
    struct smtp_refusal *refusal_out) PH_CHECK;

/* BDAT: "1000", "0 LAST" (RFC 3030). Sizes up to 2^63-1, no sign. */
int bdat_parse(struct slice arg, uint64_t *size_out, bool *last_out) PH_CHECK;
/* EHLO and HELO: a domain or an address literal; what real clients say (an
 * underscore, a bare name) passes, control and blanks do not. */
int helo_parse(struct slice arg, struct slice *name_out) PH_CHECK;

#endif
