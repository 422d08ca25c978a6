/* SPDX-License-Identifier: ISC
 *
 * Packs and unpacks the requests and replies of `posthouse-spf`. Pure; any
 * thread.
 */
#include "relay/spf/spf_wire.h"

#include <endian.h>

#include "relay/base/assert.h"

enum {
	LENGTH_BYTES = 4,
	VERSION = 2, /* of both frames: the two programs are of one build */
	TEXT_MAX = 1024,
};

static size_t frame_begin(struct strbuf *frame)
{
	pack_u32(frame, 0);
	pack_u8(frame, VERSION);
	return frame->n;
}

/* `at` is what frame_begin() gave. */
static void frame_end(struct strbuf *frame, size_t at)
{
	uint32_t n;

	if (frame->overflow)
		return;
	PH_ASSERT(at > LENGTH_BYTES && frame->n >= at);
	n = htole32((uint32_t)(frame->n - at + 1));
	memcpy(frame->p + at - 1 - LENGTH_BYTES, &n, sizeof(n));
}

long spf_frame_bytes(struct slice in)
{
	struct unpack u;
	uint32_t n;

	if (in.n < LENGTH_BYTES)
		return 0;
	unpack_init(&u, in);
	n = unpack_u32(&u);
	if (n == 0 || n > SPF_FRAME_MAX - LENGTH_BYTES)
		return -1;
	return (long)n + LENGTH_BYTES;
}

struct slice spf_frame_body(struct slice in)
{
	long n = spf_frame_bytes(in);

	PH_ASSERT(n > 0 && (size_t)n <= in.n);
	return slice_from(slice_head(in, (size_t)n), LENGTH_BYTES);
}

static bool type_known(unsigned type)
{
	return type == SPF_TYPE_A || type == SPF_TYPE_PTR ||
	       type == SPF_TYPE_MX || type == SPF_TYPE_TXT ||
	       type == SPF_TYPE_AAAA;
}

void spf_answer_pack(struct strbuf *answers, const struct spf_answer *a)
{
	PH_ASSERT(type_known(a->type) && a->status <= SPF_ANSWER_FAILED);
	pack_u8(answers, (uint8_t)a->type);
	pack_u8(answers, (uint8_t)a->status);
	pack_bytes(answers, a->name);
	pack_bytes(answers, a->records);
}

bool spf_record_next(struct slice *records, struct slice *record_out)
{
	struct unpack u;

	unpack_init(&u, *records);
	*record_out = unpack_bytes(&u);
	*records = u.rest;
	return unpack_ok(&u);
}

void spf_request_pack(struct strbuf *frame, const struct spf_request *r,
    const struct strbuf *answers)
{
	size_t at = frame_begin(frame);

	pack_bytes(frame, r->client);
	pack_bytes(frame, r->helo);
	pack_bytes(frame, r->local);
	pack_bytes(frame, r->domain);
	pack_u8(frame, (uint8_t)r->others);
	for (int i = 0; i < r->others; i++)
		pack_bytes(frame, r->other[i]);
	pack_u8(frame, (uint8_t)r->answers);
	strbuf_addsl(frame, strbuf_view(answers));
	if (!strbuf_ok(answers))
		frame->overflow = true;
	frame_end(frame, at);
}

/* Addresses have their size, names theirs; the walk ends at the last byte. */
static bool records_fit(const struct spf_answer *a)
{
	struct slice rest = a->records, record;

	if (a->status != SPF_ANSWER_OK)
		return rest.n == 0;
	while (rest.n > 0) {
		if (!spf_record_next(&rest, &record))
			return false;
		if (a->type == SPF_TYPE_A ? record.n != 4 :
		    a->type == SPF_TYPE_AAAA ? record.n != 16 :
		    a->type != SPF_TYPE_TXT && record.n > SPF_NAME_MAX)
			return false;
	}
	return true;
}

static bool unpack_answer(struct unpack *u, struct spf_answer *a)
{
	unsigned type = unpack_u8(u), status = unpack_u8(u);

	a->name = unpack_bytes(u);
	a->records = unpack_bytes(u);
	if (!unpack_ok(u) || !type_known(type) || status > SPF_ANSWER_FAILED ||
	    a->name.n > SPF_NAME_MAX)
		return false;
	a->type = (enum spf_type)type;
	a->status = (enum spf_status)status;
	return records_fit(a);
}

static bool is_address(struct slice s)
{
	return s.n == 4 || s.n == 16;
}

static bool unpack_others(struct unpack *u, struct spf_request *r)
{
	r->others = unpack_u8(u);
	if (!unpack_ok(u) || r->others > SPF_OTHERS_MAX)
		return false;
	for (int i = 0; i < r->others; i++) {
		r->other[i] = unpack_bytes(u);
		if (!is_address(r->other[i]))
			return false;
	}
	return unpack_ok(u);
}

int spf_request_unpack(struct slice body, struct spf_request *r,
    const char **why_out)
{
	struct unpack u;
	bool good;

	unpack_init(&u, body);
	good = unpack_u8(&u) == VERSION;
	r->client = unpack_bytes(&u);
	r->helo = unpack_bytes(&u);
	r->local = unpack_bytes(&u);
	r->domain = unpack_bytes(&u);
	*why_out = "a request is cut, or of another version";
	if (!good || !unpack_ok(&u))
		return -1;
	*why_out = "a client is no IPv4 or IPv6 address";
	if (!is_address(r->client))
		return -1;
	*why_out = "other addresses are cut, too many, or neither IPv4 nor "
	    "IPv6";
	if (!unpack_others(&u, r))
		return -1;
	r->answers = unpack_u8(&u);
	*why_out = "answers are cut, too many, or one is none";
	if (!unpack_ok(&u) || r->answers > SPF_QUESTIONS_MAX)
		return -1;
	for (int i = 0; i < r->answers; i++)
		if (!unpack_answer(&u, &r->answer[i]))
			return -1;
	*why_out = "a request goes on behind its end";
	return unpack_end(&u) ? 0 : -1;
}

static void pack_verdict(struct strbuf *frame, const struct spf_verdict *v)
{
	pack_u8(frame, (uint8_t)v->result);
	pack_u16(frame, (uint16_t)v->lookups);
	pack_u16(frame, (uint16_t)v->voids);
	pack_bytes(frame, v->mechanism);
	pack_bytes(frame, v->domain);
	pack_bytes(frame, v->explanation);
	pack_bytes(frame, v->problem);
}

void spf_reply_pack(struct strbuf *frame, const struct spf_reply *r)
{
	size_t at = frame_begin(frame);

	PH_ASSERT(r->questions >= 0 && r->questions <= SPF_QUESTIONS_MAX);
	PH_ASSERT(r->reads >= 0 && r->reads <= SPF_READS_MAX);
	PH_ASSERT(r->others >= 0 && r->others <= SPF_OTHERS_MAX);
	pack_verdict(frame, &r->verdict);
	pack_u8(frame, (uint8_t)r->used);
	pack_u8(frame, (uint8_t)r->questions);
	pack_u8(frame, (uint8_t)r->reads);
	for (int i = 0; i < r->questions; i++) {
		pack_u8(frame, (uint8_t)r->question[i].type);
		pack_bytes(frame, r->question[i].name);
	}
	for (int i = 0; i < r->reads; i++)
		pack_bytes(frame, r->read[i]);
	pack_u8(frame, (uint8_t)r->others);
	for (int i = 0; i < r->others; i++) {
		pack_u8(frame, r->other[i].known);
		if (r->other[i].known)
			pack_verdict(frame, &r->other[i].verdict);
	}
	frame_end(frame, at);
}

static struct slice unpack_text(struct unpack *u)
{
	struct slice s = unpack_bytes(u);

	if (s.n > TEXT_MAX)
		u->bad = true;
	for (size_t i = 0; !u->bad && i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			u->bad = true;
	return s;
}

static struct slice unpack_name(struct unpack *u)
{
	struct slice s = unpack_bytes(u);

	if (s.n == 0 || s.n > SPF_NAME_MAX)
		u->bad = true;
	return s;
}

static bool unpack_verdict(struct unpack *u, struct spf_verdict *v)
{
	unsigned result = unpack_u8(u);

	v->lookups = unpack_u16(u);
	v->voids = unpack_u16(u);
	v->mechanism = unpack_text(u);
	v->domain = unpack_text(u);
	v->explanation = unpack_text(u);
	v->problem = unpack_text(u);
	v->result = result < SPF_RESULTS ? (enum spf_result)result :
					   SPF_TEMPERROR;
	return unpack_ok(u) && result < SPF_RESULTS;
}

static bool unpack_question(struct unpack *u, struct spf_question *q)
{
	unsigned type = unpack_u8(u);

	q->name = unpack_name(u);
	if (!unpack_ok(u) || !type_known(type))
		return false;
	q->type = (enum spf_type)type;
	return true;
}

static bool unpack_other(struct unpack *u, struct spf_other *o)
{
	unsigned known = unpack_u8(u);

	o->known = known == 1;
	return unpack_ok(u) && known <= 1 &&
	       (!o->known || unpack_verdict(u, &o->verdict));
}

int spf_reply_unpack(struct slice body, struct spf_reply *r,
    const char **why_out)
{
	struct unpack u;
	bool good;

	*why_out = "a reply is cut, or of another version";
	unpack_init(&u, body);
	good = unpack_u8(&u) == VERSION;
	if (!unpack_verdict(&u, &r->verdict) || !good)
		return -1;
	r->used = unpack_u8(&u);
	r->questions = unpack_u8(&u);
	r->reads = unpack_u8(&u);
	*why_out = "names of a reply are cut, too many, or one is none";
	if (!unpack_ok(&u) || r->questions > SPF_QUESTIONS_MAX ||
	    r->reads > SPF_READS_MAX)
		return -1;
	for (int i = 0; i < r->questions; i++)
		if (!unpack_question(&u, &r->question[i]))
			return -1;
	for (int i = 0; i < r->reads; i++)
		r->read[i] = unpack_name(&u);
	if (!unpack_ok(&u))
		return -1;
	r->others = unpack_u8(&u);
	*why_out = "other verdicts are cut, too many, or one is none";
	if (!unpack_ok(&u) || r->others > SPF_OTHERS_MAX)
		return -1;
	for (int i = 0; i < r->others; i++)
		if (!unpack_other(&u, &r->other[i]))
			return -1;
	*why_out = "a reply goes on behind its end";
	return unpack_end(&u) ? 0 : -1;
}
