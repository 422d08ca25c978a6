/* SPDX-License-Identifier: ISC
 *
 * DATA content. The first bytes choose where the rest is cut. Written and
 * read back it is the same; read raw it does not matter where it is cut, it
 * ends where a search for the five bytes says, and repaired it has no bare
 * line end.
 */
#include "relay/mail/body.h"
#include "tests/fuzz/fuzz.h"

enum { CUTS = 4 };

struct reading {
	struct data_reader r;
	struct strbuf content;
	size_t used;
	bool ended;
};

static void feed(struct reading *x, struct slice in)
{
	while (in.n > 0 && !x->ended) {
		size_t before = in.n;
		struct slice out;

		x->ended = data_reader_next(&x->r, &in, &out);
		must(in.n < before || out.n > 0);
		strbuf_addsl(&x->content, out);
		x->used += before - in.n;
	}
}

static void read_all(struct reading *x, struct slice in, const uint8_t *cuts,
    bool normalize)
{
	*x = (struct reading){.used = 0};
	strbuf_init(&x->content, 4 * in.n + 16);
	data_reader_init(&x->r, normalize);
	for (int i = 0; cuts != NULL && i < CUTS; i++) {
		feed(x, slice_head(in, cuts[i]));
		in = slice_from(in, cuts[i]);
	}
	feed(x, in);
	must(strbuf_ok(&x->content));
}

/* Where the data ends by RFC 5321, found the slow way; 0: nowhere. */
static size_t true_end(struct slice in)
{
	const char *at;

	if (slice_starts(in, SLICE(".\r\n")))
		return 3;
	at = in.n < 5 ? NULL : memmem(in.p, in.n, "\r\n.\r\n", 5);
	return at == NULL ? 0 : (size_t)(at - in.p) + 5;
}

static void check_reading(struct slice in, const uint8_t *cuts, bool normalize)
{
	struct reading cut, whole;
	struct content_watch w = {.bare = false};
	size_t end = true_end(in);

	read_all(&cut, in, cuts, normalize);
	read_all(&whole, in, NULL, normalize);
	must(slice_eq(strbuf_view(&cut.content), strbuf_view(&whole.content)));
	must(cut.ended == whole.ended && cut.used == whole.used);
	must(cut.r.bare == whole.r.bare);
	must(cut.r.eight_bit == whole.r.eight_bit);
	must(whole.ended == (end > 0));
	must(whole.used == (end > 0 ? end : in.n));
	if (whole.ended) {
		content_watch_add(&w, strbuf_view(&whole.content));
		content_watch_end(&w);
		must(w.bare == whole.r.bare);
		must(w.eight_bit == whole.r.eight_bit);
	}
	strbuf_fini(&cut.content);
	strbuf_fini(&whole.content);
}

static void write_all(struct slice in, size_t room, struct strbuf *wire)
{
	struct data_writer w;

	strbuf_init(wire, 4 * in.n + 16);
	data_writer_init(&w);
	while (in.n > 0) {
		size_t before = wire->n;

		data_writer_add(&w, &in, room, wire);
		must(wire->n > before && wire->n - before <= room);
	}
	data_writer_end(&w, wire);
	must(strbuf_ok(wire));
}

static void check_round_trip(struct slice in, const uint8_t *cuts)
{
	struct strbuf wire;
	struct reading x;
	struct slice back;

	write_all(in, cuts[0] + 1u, &wire);
	must(true_end(strbuf_view(&wire)) == wire.n);
	read_all(&x, strbuf_view(&wire), cuts, false);
	must(x.ended && x.used == wire.n);
	back = strbuf_view(&x.content);
	/* At most the missing line end was added. */
	must(slice_starts(back, in) && back.n <= in.n + 2);
	strbuf_fini(&wire);
	strbuf_fini(&x.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in;

	if (size < CUTS)
		return 0;
	in = slice_of(data + CUTS, size - CUTS);
	check_reading(in, data, false);
	check_reading(in, data, true);
	check_round_trip(in, data);
	return 0;
}
