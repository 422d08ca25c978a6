/* SPDX-License-Identifier: ISC
 *
 * The bytes between the relay and `posthouse-spf`: a request is a check with
 * all that the DNS has answered so far, a reply is its verdict or the names
 * that it needs. The helper remembers nothing between two requests.
 *
 * A frame is a length of four bytes and that many bytes; a request and a reply
 * are a frame each, in order. Bytes inside have their lengths before them,
 * since a name from a macro or from the DNS may hold any octet. Both sides
 * check all that they read: the relay does not trust a library that strangers
 * can break, the helper may be handed anything. Pure; any thread.
 */
#ifndef RELAY_SPF_SPF_WIRE_H
#define RELAY_SPF_SPF_WIRE_H

#include "relay/base/pack.h"
#include "relay/mail/spf_result.h"

enum {
	SPF_FRAME_MAX = 128 * 1024, /* with its length; over it: permerror */
	SPF_QUESTIONS_MAX = 50,	    /* of one check */
	SPF_NAME_MAX = 255,	    /* bytes of a name, dots between labels */
	SPF_READS_MAX = 16,	    /* records that a check may read */
	SPF_OTHERS_MAX = 4,	    /* addresses beside the client's */
};

/* The numbers of DNS, RFC 1035 3.2.2 and RFC 3596. */
enum spf_type {
	SPF_TYPE_A = 1,
	SPF_TYPE_PTR = 12,
	SPF_TYPE_MX = 15,
	SPF_TYPE_TXT = 16,
	SPF_TYPE_AAAA = 28,
};

enum spf_status {
	SPF_ANSWER_OK,
	SPF_ANSWER_NODATA,
	SPF_ANSWER_NXDOMAIN,
	SPF_ANSWER_FAILED, /* no answer in time, SERVFAIL, nonsense */
};

/* An answer of the DNS. Its name is the question's, octet for octet as the
 * reply asked for it; records stand in the order that a reader keeps: */
struct spf_answer {
	enum spf_type type;
	enum spf_status status;
	struct slice name;
	/* Each packed by pack_bytes(): A 4 bytes, AAAA 16, PTR and MX the
	 * name without a final dot, MX by preference ("" is the null MX), TXT
	 * its strings joined (RFC 7208 3.3). */
	struct slice records;
};

struct spf_request {
	/* 4 bytes, or 16 (never a mapped IPv4 address: unmap it first). */
	struct slice client;
	struct slice helo;
	/* The sender, split at its last @, as it came but for its domain, which
	 * is in A-labels without a final dot. The driver has applied RFC 7208
	 * 2.4 and 4.3: `local` is "postmaster" where the sender has none,
	 * `domain` is the HELO name for a null sender. */
	struct slice local, domain;
	/* Addresses over which the same sender is judged later: what would the
	 * verdict be for each, as the client's? */
	int others;
	struct slice other[SPF_OTHERS_MAX];
	int answers;
	struct spf_answer answer[SPF_QUESTIONS_MAX];
};

/* Which of the check's own values a record that was read used, in a macro:
 * two checks that differ in none of them have one verdict. */
enum spf_used {
	SPF_USED_HELO = 1,   /* %{h} */
	SPF_USED_SENDER = 2, /* %{s} */
	SPF_USED_LOCAL = 4,  /* %{l} */
};

struct spf_question {
	enum spf_type type;
	struct slice name; /* lower case, no final dot */
};

/* Of an address of spf_request.other. Not known: the answers do not suffice,
 * or it depends on more than the address and the domain. */
struct spf_other {
	bool known;
	struct spf_verdict verdict;
};

struct spf_reply {
	/* Names wanted; none: the verdict is final. With a verdict of
	 * SPF_FAIL they are for its explanation alone. */
	int questions;
	struct spf_question question[SPF_QUESTIONS_MAX];
	struct spf_verdict verdict;
	unsigned used; /* of enum spf_used */
	/* Names whose TXT answer has a record that was read, in order. */
	int reads;
	struct slice read[SPF_READS_MAX];
	/* All of the request, in its order; none while names are wanted. */
	int others;
	struct spf_other other[SPF_OTHERS_MAX];
};

/* A driver packs each answer once, into a buffer that it keeps for the check,
 * and hands the whole of it to each request. */
void spf_answer_pack(struct strbuf *answers, const struct spf_answer *a);
/* Appends the frame of a request; `r->answer` is not looked at, `answers` are
 * the packed ones, `r->answers` their number. Both buffers have SPF_FRAME_MAX
 * for their ceiling: ask strbuf_ok(frame), which fails for either. */
void spf_request_pack(struct strbuf *frame, const struct spf_request *r,
    const struct strbuf *answers);
/* Takes the inside of a frame, without its length; all slices borrow from it.
 * 0, or -1 and why. */
int spf_request_unpack(struct slice body, struct spf_request *request_out,
    const char **why_out) PH_CHECK;
/* Walks the records of an answer; false at the end. */
bool spf_record_next(struct slice *records, struct slice *record_out);

void spf_reply_pack(struct strbuf *frame, const struct spf_reply *r);
/* As spf_request_unpack(). Texts that are no printable ASCII are refused. */
int spf_reply_unpack(struct slice body, struct spf_reply *reply_out,
    const char **why_out) PH_CHECK;

/* The bytes of the frame that `in` begins with, with its length; 0: its length
 * is not all there yet; -1: it would be over SPF_FRAME_MAX or is empty. */
long spf_frame_bytes(struct slice in);
/* The frame's inside: `in` has all its spf_frame_bytes(). */
struct slice spf_frame_body(struct slice in);

#endif
