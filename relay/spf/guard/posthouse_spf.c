/* SPDX-License-Identifier: ISC
 *
 * posthouse-spf: the process in which libspf2 runs. It reads requests of
 * spf_wire.h from descriptor 0, answers each there, and ends when the other
 * side closes. It has no network, no file and no secret, so a record that
 * breaks libspf2 costs one check.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/spf/guard/guard.h"
#include "relay/spf/guard/confine.h"

/* Exit: 0 the other side closed, 1 it said what is no request. */
enum { CLOSED = 0, NONSENSE = 1, NOT_CONFINED = 2 };

static struct spf_request request;
static struct spf_reply reply;

static bool write_all(struct slice s)
{
	while (s.n > 0) {
		ssize_t n = write(STDIN_FILENO, s.p, s.n);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			s = slice_from(s, (size_t)n);
	}
	return true;
}

static bool answer(struct guard *g, struct slice body)
{
	struct arena *mem;
	struct strbuf frame;
	const char *why;
	int64_t now_s;
	bool sent;

	if (spf_request_unpack(body, &request, &why) != 0)
		return false;
	mem = arena_new();
	now_s = clock_wall_us(&clock_system) / 1000000;
	guard_check(g, &request, now_s, mem, &reply);
	guard_check_others(g, &request, now_s, mem, &reply);
	strbuf_init(&frame, SPF_FRAME_MAX);
	spf_reply_pack(&frame, &reply);
	sent = strbuf_ok(&frame) && write_all(strbuf_view(&frame));
	strbuf_fini(&frame);
	arena_free(mem);
	return sent;
}

/* All whole frames that have arrived. */
static bool answer_all(struct guard *g, struct strbuf *in)
{
	for (;;) {
		struct slice s = strbuf_view(in);
		long n = spf_frame_bytes(s);

		if (n < 0)
			return false;
		if (n == 0 || s.n < (size_t)n)
			return true;
		if (!answer(g, spf_frame_body(s)))
			return false;
		strbuf_drop_front(in, (size_t)n);
	}
}

static int serve(struct guard *g)
{
	static char bytes[16 * 1024];
	struct strbuf in;
	ssize_t n;

	strbuf_init(&in, SPF_FRAME_MAX + sizeof(bytes));
	do {
		n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n > 0)
			strbuf_add(&in, bytes, (size_t)n);
		if (n > 0 && !answer_all(g, &in))
			return NONSENSE;
	} while (n > 0 || (n < 0 && errno == EINTR));
	strbuf_fini(&in);
	return CLOSED;
}

int main(int argc, char **argv)
{
	struct guard *g;
	int code;

	(void)argv;
	if (argc > 1 || isatty(STDIN_FILENO)) {
		fprintf(stderr, "posthouse-spf: started by posthoused and by "
				"posthouse spf check, not by hand\n");
		return EXIT_FAILURE;
	}
	g = guard_new();
	if (!confine())
		return NOT_CONFINED;
	code = serve(g);
	guard_free(g);
	return code;
}
