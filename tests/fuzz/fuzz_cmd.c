/* SPDX-License-Identifier: ISC
 *
 * Command lines: what is taken has no control character in it, parameters
 * keep within their limits, and a refusal is complete. The original recipient
 * that we make of an address is one that we would take.
 */
#include "relay/mail/cmd.h"
#include "relay/mail/codec.h"
#include "tests/fuzz/fuzz.h"

static void check_refusal(const struct smtp_refusal *no)
{
	must(no->code >= 500 && no->code < 560);
	must(no->enh[0] == '5' && no->enh[1] == '.');
	must(no->text[0] != '\0');
}

static void check_mail(struct slice arg)
{
	struct smtp_refusal no = {.code = 0};
	struct mail_from m;

	if (mail_from_parse(arg, &m, &no) < 0) {
		check_refusal(&no);
		must(within(m.from.text, arg) ||
		     within(m.from.text, slice_of(m.room, sizeof(m.room))));
		return;
	}
	must(within(m.from.text, arg) ||
	     within(m.from.text, slice_of(m.room, sizeof(m.room))));
	must(within(m.envid, slice_of(m.value, sizeof(m.value))));
	must(m.utf8 || !m.from.utf8);
	must(m.size <= INT64_MAX && xtext_valid(m.envid) && m.envid.n <= 100);
}

static void check_original(struct slice to)
{
	struct smtp_refusal no;
	struct strbuf line;
	struct rcpt_to r;

	strbuf_init(&line, 4 * ORCPT_MAX);
	strbuf_adds(&line, "TO:<a@b.test> ORCPT=");
	if (orcpt_encode(to, &line))
		must(rcpt_to_parse(strbuf_view(&line), false, &r, &no) == 0 &&
		     r.orcpt.n > 0 && r.orcpt.n <= ORCPT_MAX);
	strbuf_fini(&line);
}

static void check_rcpt(struct slice arg, bool utf8)
{
	struct smtp_refusal no = {.code = 0};
	struct rcpt_to r;

	if (rcpt_to_parse(arg, utf8, &r, &no) < 0) {
		check_refusal(&no);
		return;
	}
	must(within(r.to.text, arg) ||
	     within(r.to.text, slice_of(r.room, sizeof(r.room))));
	must(within(r.orcpt, arg) ||
	     within(r.orcpt, slice_of(r.value, sizeof(r.value))));
	must(r.to.text.n > 0 && r.orcpt.n <= 500 && (utf8 || !r.to.utf8));
	must(r.notify == NOTIFY_NEVER || r.notify < NOTIFY_NEVER);
	check_original(r.to.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line = slice_of(data, size);
	struct smtp_cmd cmd;
	const char *why = NULL;
	uint64_t n;
	bool last;

	if (smtp_cmd_parse(line, &cmd, &why) < 0) {
		must(why != NULL);
		return 0;
	}
	must(slice_find(line, '\r') < 0 && slice_find(line, '\0') < 0);
	must(slice_find(line, '\n') < 0 && cmd.verb.n > 0);
	must(within(cmd.verb, line) && within(cmd.arg, line));
	check_mail(cmd.arg);
	check_rcpt(cmd.arg, false);
	check_rcpt(cmd.arg, true);
	if (bdat_parse(cmd.arg, &n, &last) == 0)
		must(n <= INT64_MAX);
	return 0;
}
