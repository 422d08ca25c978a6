/* SPDX-License-Identifier: ISC
 *
 * Records of strangers through the guard and libspf2, as a driver would take
 * a check through its rounds. The input's first byte picks the client and the
 * sender, its lines are the TXT records in the order that they are asked for;
 * other questions are answered by what their name is. However the records are:
 * the check ends, asks each name once and at most 50, and says nothing that
 * is not printable.
 */
#include "relay/base/mem.h"
#include "relay/spf/guard/guard.h"
#include "relay/spf/macro.h"
#include "tests/fuzz/fuzz.h"

enum { ROUNDS_MAX = 60, TEXT_MAX = 400, RECORDS_MAX = 11 };

static struct spf_request request;
static struct spf_reply reply;

static const char *const locals[] = {"ann", "a-b.c+d_e=f", "\xff\x80 \"\\%",
    "postmaster"};
static const char six[16] = {0x20, 1, 0xd, (char)0xb8, [15] = 1};

static void printable(struct slice s, size_t most)
{
	must(s.n <= most && !has_control(s));
	for (size_t i = 0; i < s.n; i++)
		must((unsigned char)s.p[i] < 127);
}

static void check_questions(int answered)
{
	must(answered + reply.questions <= SPF_QUESTIONS_MAX);
	for (int i = 0; i < reply.questions; i++) {
		must(macro_name_valid(reply.question[i].name));
		for (int j = 0; j < answered; j++)
			must(request.answer[j].type !=
				 reply.question[i].type ||
			     !slice_case_eq(request.answer[j].name,
				 reply.question[i].name));
	}
}

static unsigned hash(struct slice s)
{
	unsigned h = 5381;

	for (size_t i = 0; i < s.n; i++)
		h = h * 33 + (unsigned char)s.p[i];
	return h;
}

static struct slice address_or_host(enum spf_type type, unsigned i)
{
	if (type == SPF_TYPE_A)
		return slice_of(six + i % 8, 4);
	if (type == SPF_TYPE_AAAA)
		return slice_of(six, 16);
	return slice_head(SLICE("h.d.example"), 11 - i % 5);
}

static void add_records(struct strbuf *to, enum spf_type type,
    struct slice txt, unsigned h)
{
	if (type == SPF_TYPE_TXT)
		pack_bytes(to, txt);
	for (unsigned i = 0; type != SPF_TYPE_TXT && i < h % 13; i++)
		pack_bytes(to, address_or_host(type, i));
}

/* A fifth of all names is not there, a fifth never answers. */
static void answer(struct arena *mem, struct spf_answer *a,
    const struct spf_question *q, struct slice *lines)
{
	struct slice txt = SLICE("");
	struct strbuf records;
	unsigned h = hash(q->name);

	*a = (struct spf_answer){.type = q->type};
	a->name = slice_of(arena_slicedup(mem, q->name), q->name.n);
	if (q->type == SPF_TYPE_TXT && !slice_next(lines, '\n', &txt))
		a->status = SPF_ANSWER_NODATA;
	else if (q->type != SPF_TYPE_TXT && h % 5 < 2)
		a->status = h % 5 == 0 ? SPF_ANSWER_FAILED :
					 SPF_ANSWER_NXDOMAIN;
	if (a->status != SPF_ANSWER_OK)
		return;
	strbuf_init(&records, SPF_FRAME_MAX);
	add_records(&records, q->type, txt, h / 5);
	a->records = slice_of(arena_slicedup(mem, strbuf_view(&records)),
	    records.n);
	strbuf_fini(&records);
}

static void begin(unsigned char first)
{
	request.client = first & 1 ? slice_of(six, 16) :
				     SLICE("\xc0\0\x02\x01");
	request.helo = first & 2 ? SLICE("MY \xff PC %{d}") :
				   SLICE("h.example");
	request.local = slice_str(locals[first >> 2 & 3]);
	request.domain = SLICE("D.example");
	request.others = 2;
	request.other[0] = slice_of(six, 16);
	request.other[1] = SLICE("\xcb\0\x71\a");
	request.answers = 0;
}

static void run(struct guard *g, struct arena *mem, struct slice lines)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		guard_check(g, &request, 1, mem, &reply);
		check_questions(request.answers);
		if (reply.questions == 0)
			return;
		for (int i = 0; i < reply.questions; i++)
			answer(mem, &request.answer[request.answers++],
			    &reply.question[i], &lines);
	}
	must(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guard *g;
	struct arena *mem;

	if (size == 0)
		return 0;
	if (g == NULL)
		g = guard_new();
	mem = arena_new();
	begin(data[0]);
	run(g, mem, slice_of(data + 1, size - 1));
	must(reply.verdict.result < SPF_RESULTS);
	must(reply.reads <= RECORDS_MAX && reply.verdict.lookups <= 11);
	must(!slice_case_has(reply.verdict.problem, SLICE("libspf2")));
	printable(reply.verdict.explanation, TEXT_MAX);
	printable(reply.verdict.mechanism, MACRO_NAME_MAX);
	printable(reply.verdict.domain, MACRO_NAME_MAX);
	printable(reply.verdict.problem, MACRO_NAME_MAX);
	guard_check_others(g, &request, 1, mem, &reply);
	for (int i = 0; i < reply.others; i++) {
		must(reply.other[i].verdict.result < SPF_RESULTS);
		printable(reply.other[i].verdict.mechanism, MACRO_NAME_MAX);
		printable(reply.other[i].verdict.domain, MACRO_NAME_MAX);
	}
	arena_free(mem);
	return 0;
}
