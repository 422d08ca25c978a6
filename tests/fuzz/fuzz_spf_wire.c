/* SPDX-License-Identifier: ISC
 *
 * Frames between the relay and `posthouse-spf`: whatever is taken borrows from
 * the input, and comes out the same when packed again.
 */
#include "relay/spf/spf_wire.h"
#include "tests/fuzz/fuzz.h"

static struct spf_request request;
static struct spf_reply reply;

static void check_records(struct slice rest, struct slice in)
{
	struct slice record;

	while (spf_record_next(&rest, &record))
		must(within(record, in));
	must(rest.n == 0);
}

static void check_request(struct slice in)
{
	struct strbuf answers, frame;
	const char *why = NULL;

	if (spf_request_unpack(in, &request, &why) != 0) {
		must(why != NULL);
		return;
	}
	must(within(request.helo, in) && within(request.domain, in));
	strbuf_init(&answers, SPF_FRAME_MAX);
	strbuf_init(&frame, SPF_FRAME_MAX);
	for (int i = 0; i < request.answers; i++) {
		check_records(request.answer[i].records, in);
		spf_answer_pack(&answers, &request.answer[i]);
	}
	spf_request_pack(&frame, &request, &answers);
	if (strbuf_ok(&frame))
		must(slice_eq(spf_frame_body(strbuf_view(&frame)), in));
	strbuf_fini(&answers);
	strbuf_fini(&frame);
}

static void check_reply(struct slice in)
{
	struct strbuf frame;
	const char *why = NULL;

	if (spf_reply_unpack(in, &reply, &why) != 0) {
		must(why != NULL);
		return;
	}
	must(!has_control(reply.verdict.explanation));
	strbuf_init(&frame, SPF_FRAME_MAX);
	spf_reply_pack(&frame, &reply);
	if (strbuf_ok(&frame))
		must(slice_eq(spf_frame_body(strbuf_view(&frame)), in));
	strbuf_fini(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	must(spf_frame_bytes(in) <= SPF_FRAME_MAX);
	check_request(in);
	check_reply(in);
	return 0;
}
