/* SPDX-License-Identifier: ISC
 *
 * Replies of a leg: whatever comes, its head is kept, it is harmless, and
 * it ends. The same text then serves as an EHLO reply, whose extensions are
 * printed and read again, and as a reply of ours, which must be well formed.
 */
#include "relay/base/utf8.h"
#include "relay/mail/domain.h"
#include "relay/mail/ehlo.h"
#include "relay/mail/reply.h"
#include "relay/mail/reply_words.h"
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

/* Words are lower case with one blank between, and nothing that is quoted is
 * among them. */
static void check_words(struct slice text)
{
	struct reply_words w;
	size_t n;

	reply_words_read(text, &w);
	n = strlen(w.text);
	must(n > 0 && n < REPLY_WORDS_MAX);
	must(w.text[0] == ' ' && w.text[n - 1] == ' ');
	for (size_t i = 0; i < n; i++) {
		must(w.text[i] != '@' && w.text[i] != '<' &&
		     w.text[i] != '"' && w.text[i] != ':');
		must(ascii_lower(w.text[i]) == w.text[i]);
		must(w.text[i] != '.' ||
		     (w.text[i - 1] == ' ' && w.text[i + 1] == ' '));
	}
	must(!reply_words_have(&w, "no ... such ... phrase ... as-this"));
}

static void check_ehlo(struct slice text)
{
	struct ehlo e, back;
	struct strbuf out;

	ehlo_parse(text, &e);
	must(e.limit_rcpt >= 0 && e.limit_mail >= 0 && e.limit_domain >= 0);
	must(e.auth <= (AUTH_PLAIN | AUTH_LOGIN));
	must(e.auth == 0 || (e.ext & EXT_AUTH) != 0);
	strbuf_init(&out, 4096);
	ehlo_print(&e, "h.example", &out);
	must(strbuf_ok(&out));
	ehlo_parse(strbuf_view(&out), &back);
	must(back.size == e.size && back.limit_rcpt == e.limit_rcpt);
	must((back.ext | EXT_AUTH | EXT_LIMITS) ==
	     (e.ext | EXT_AUTH | EXT_LIMITS));
	strbuf_fini(&out);
}

/* A printed reply is read again as one reply, of lines that are not longer
 * than may be. */
static void check_printed(const struct reply_parser *p)
{
	struct slice kept = strbuf_view(&p->text), rest, line;
	enum reply_state s = REPLY_MORE;
	struct reply_parser back;
	struct strbuf out;
	struct reply r;

	reply_set(&r, p->code, p->enh, "%.*s", (int)kept.n,
	    kept.n > 0 ? kept.p : "");
	strbuf_init(&out, 1 << 16);
	reply_print(&r, &out);
	must(strbuf_ok(&out) && out.n > 2);
	reply_parser_init(&back);
	rest = slice_head(strbuf_view(&out), out.n - 1);
	while (slice_next(&rest, '\n', &line)) {
		must(s == REPLY_MORE);
		must(line.n <= 511 && line.p[line.n - 1] == '\r');
		line.n--;
		must(!has_control(line));
		s = reply_parser_line(&back, line);
	}
	must(s == REPLY_DONE && back.code == p->code);
	must(p->enh[0] == '\0' || strcmp(back.enh, p->enh) == 0);
	reply_parser_fini(&back);
	strbuf_fini(&out);
}

/* The connection ends behind the last byte. */
static void check_closed(struct reply_parser *p, struct slice in)
{
	long lf = slice_rfind(in, '\n');
	enum reply_state s;

	if (lf > 0 && (lf = slice_rfind(slice_head(in, (size_t)lf), '\n')) >= 0)
		in = slice_from(in, (size_t)lf + 1);
	lf = slice_find(in, '\n');
	if (lf >= 0)
		(void)reply_parser_line(p, slice_head(in, (size_t)lf));
	s = reply_parser_close(p, slice_from(in, (size_t)(lf + 1)));
	check_kept(p);
	must(s != REPLY_MORE && (s == REPLY_BAD) == (p->why != NULL));
	must(s == REPLY_BAD || (p->code >= 200 && p->lines > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), line;
	struct reply_parser p;

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
			check_ehlo(strbuf_view(&p.text));
			check_words(strbuf_view(&p.text));
			check_printed(&p);
		}
		reply_parser_reset(&p);
		must(p.text.n == 0 && p.code == 0 && p.why == NULL);
	}
	check_closed(&p, slice_of(data, size));
	reply_parser_fini(&p);
	return 0;
}
