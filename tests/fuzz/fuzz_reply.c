/* SPDX-License-Identifier: ISC
 *
 * Replies of a leg: whatever comes, a kilobyte is kept, it is harmless, and
 * it ends; the same text then serves as an EHLO reply.
 */
#include "relay/mail/domain.h"
#include "relay/mail/ehlo.h"
#include "relay/mail/reply.h"
#include "tests/fuzz/fuzz.h"

static void check_kept(const struct reply_parser *p)
{
	must(p->text.n <= REPLY_KEEP && p->text.cap <= REPLY_KEEP + 1);
	must(strbuf_ok(&p->text) && utf8_valid(strbuf_view(&p->text)));
	for (size_t i = 0; i < p->text.n; i++)
		must(p->text.p[i] == '\n' ||
		     (unsigned char)p->text.p[i] >= ' ');
	must(strlen(p->enh) < sizeof(p->enh));
	must(p->enh[0] == '\0' || p->enh[0] - '0' == p->code / 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), line;
	struct reply_parser p;
	struct ehlo e;

	reply_parser_init(&p);
	while (slice_next(&in, '\n', &line)) {
		enum reply_state s = reply_parser_line(&p, line);

		check_kept(&p);
		must((s == REPLY_BAD) == (p.why != NULL));
		if (s == REPLY_MORE) {
			must(p.bytes <= REPLY_BYTES);
			continue;
		}
		if (s == REPLY_DONE) {
			must(p.code >= 200 && p.code <= 599 && p.lines > 0);
			ehlo_parse(strbuf_view(&p.text), &e);
			must(e.limit_rcpt >= 0 && e.limit_mail >= 0);
		}
		reply_parser_reset(&p);
		must(p.text.n == 0 && p.code == 0 && p.why == NULL);
	}
	reply_parser_fini(&p);
	return 0;
}
