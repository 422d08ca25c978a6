/* SPDX-License-Identifier: ISC
 *
 * Headers: fields lie one after the other, their sum is the section, what is
 * unfolded is one harmless line; and a DSN about such a header is clean.
 */
#include "relay/base/mem.h"
#include "relay/base/utf8.h"
#include "relay/mail/author.h"
#include "relay/mail/domain.h"
#include "relay/mail/dsn.h"
#include "relay/mail/header.h"
#include "relay/mail/subject.h"
#include "relay/mail/received.h"
#include "tests/fuzz/fuzz.h"

static void check_unfolded(struct slice value)
{
	struct strbuf out;

	strbuf_init(&out, 100);
	header_unfold(value, 50, &out);
	must(out.n <= 50 && !has_control(strbuf_view(&out)));
	must(utf8_valid(strbuf_view(&out)));
	must(out.n == 0 || (out.p[0] != ' ' && out.p[out.n - 1] != ' '));
	strbuf_fini(&out);
}

static void check_report(struct slice message, struct slice header, bool utf8)
{
	/* The header's text is everything else that came from outside. */
	char *text = mem_slicedup(slice_head(header, 2000));
	const struct dsn_recipient r[] = {
		{text, text, DSN_FAILED, "5.0.0", text, text, 1, 1},
		{"a@b", "", DSN_DELAYED, "4.4.1", "", "", 0, 1},
	};
	struct dsn d = {.hostname = "h", .id = "i", .about = "j", .to = text,
		.envid = text, .utf8 = utf8, .rcpt = r, .rcpts = 2,
		.header = header, .whole = message, .boundary = "bound"};
	struct strbuf out;
	struct slice rest, line;

	strbuf_init(&out, 1 << 24);
	dsn_print(&d, &out);
	must(strbuf_ok(&out));
	rest = strbuf_view(&out);
	must(slice_find(rest, '\0') < 0);
	must(dsn_brings_all(&d) ||
	     (utf8 ? utf8_valid(rest) : ascii_only(rest)));
	while (slice_next(&rest, '\n', &line)) {
		must(line.n <= 999);
		must(rest.p == NULL ? line.n == 0
				    : slice_find(line, '\r') ==
					  (long)line.n - 1);
	}
	strbuf_fini(&out);
	mem_free(text);
}

static void check_tokens(struct slice message, int hops)
{
	struct slice rest = message;
	struct received_token t;
	struct strbuf shown;

	strbuf_init(&shown, message.n);
	received_unmark(message, &shown);
	must(strbuf_ok(&shown));
	strbuf_fini(&shown);
	while (received_token_next(&rest, &t)) {
		must(t.by.n == 0 || within(t.by, message));
		must(t.date.n == 0 || within(t.date, message));
		must(hops-- > 0);
		must(t.id.n > 0 && within(t.id, message));
		must(t.mark.n > 0 && t.mark.n <= RECEIVED_TOKEN);
		must(within(t.mark, message));
		must(t.id.p + t.id.n < t.mark.p);
	}
}

static void check_hops(struct slice message, int hops)
{
	struct slice rest = message, from, address;

	while (received_from_next(&rest, &from)) {
		must(hops-- > 0 && (from.n == 0 || within(from, message)));
		while (received_from_address(&from, &address))
			must(address.n > 1 && within(address, message));
	}
}

static void check_subject(struct slice value)
{
	struct strbuf b;

	strbuf_init(&b, 998);
	subject_text(value, &b);
	must(strbuf_ok(&b) && b.n <= SUBJECT_MAX);
	must(b.n == 0 || memchr(b.p, '\n', b.n) == NULL);
	strbuf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = slice_of(data, size), rest = message;
	struct slice section = header_section(message), value;
	struct author_fields fields;
	struct header_field f;
	size_t sum = 0;
	int hops = 0;

	while (header_next(&rest, &f)) {
		must(f.whole.p == message.p + sum);
		must(f.name.n > 0 && within(f.name, f.whole));
		must(within(f.value, f.whole));
		must(f.whole.p + f.whole.n == rest.p ||
		     (rest.n == 0 && sum + f.whole.n == size));
		sum += f.whole.n;
		hops += slice_case_eq(f.name, SLICE("received"));
		check_unfolded(f.value);
		check_subject(f.value);
	}
	must(section.n == sum && sum + rest.n == size);
	author_read(message, &fields);
	must(fields.hops == hops);
	must(header_find(message, "Received", &value) == (hops > 0));
	check_tokens(message, hops);
	check_hops(message, hops);
	check_report(message, section, false);
	check_report(message, section, true);
	return 0;
}
