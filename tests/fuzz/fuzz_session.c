/* SPDX-License-Identifier: ISC
 *
 * Whole sessions over arbitrary bytes: the owner of servertest.c watches the
 * contract of server.h, and what is said back must be well-formed replies.
 *
 * The first byte chooses the owner and the listener; in the rest, byte 1 ends
 * a segment.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/net/stream.h"
#include "tests/unit/servertest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LATER = 1, HOLD = 2, PROXY = 4, NORMALIZE = 8, EARLY = 16, SLOW = 32 };
enum { TURNS = 4000, SEGMENT_END = 1, SLOW_BYTES = 7, LINE_BYTES = 512 };

/* Socket calls have no argument of ours. */
static struct slice input;
static struct strbuf said;
static bool talks, slow;

static ssize_t fake_recv(int fd, void *p, size_t n)
{
	struct slice piece = input;
	long end = slice_find(input, SEGMENT_END);

	(void)fd;
	if (!talks) {
		errno = EAGAIN;
		return -1;
	}
	if (input.n == 0)
		return 0;
	if (end >= 0)
		piece = slice_head(input, (size_t)end);
	piece = slice_head(piece, n);
	if (piece.n > 0)
		memcpy(p, piece.p, piece.n);
	input = slice_from(input, piece.n);
	if ((size_t)end == piece.n)
		input = slice_from(input, 1);
	if (piece.n == 0) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)piece.n;
}

static ssize_t fake_send(int fd, const void *p, size_t n)
{
	(void)fd;
	if (slow && n > SLOW_BYTES)
		n = SLOW_BYTES;
	strbuf_add(&said, p, n);
	talks = true;
	return (ssize_t)n;
}

static int fake_close(int fd)
{
	return close(fd);
}

static const struct sock_ops fake = {
	.recv = fake_recv, .send = fake_send, .close = fake_close,
};

static void check_line(struct slice line)
{
	must(line.n >= 5 && line.n <= LINE_BYTES - 1);
	must(line.p[line.n - 1] == '\r');
	must(line.p[0] >= '2' && line.p[0] <= '5');
	must(ascii_digit(line.p[1]) && ascii_digit(line.p[2]));
	must(line.p[3] == ' ' || line.p[3] == '-');
	for (size_t i = 4; i + 1 < line.n; i++)
		must(line.p[i] >= ' ' && line.p[i] <= '~');
}

static void check_replies(void)
{
	struct slice all = strbuf_view(&said);
	long lf;

	must(strbuf_ok(&said));
	/* The last one may be cut: the client was gone. */
	while ((lf = slice_find(all, '\n')) >= 0) {
		check_line(slice_head(all, (size_t)lf));
		all = slice_from(all, (size_t)lf + 1);
	}
}

static void choose(struct rig *r, int how)
{
	r->o.later = how & LATER;
	r->o.hold = how & HOLD;
	r->net[0] = (struct conf_net){AF_INET, {0}, 0};
	if (how & PROXY)
		r->listen.proxy_from = (struct conf_nets){r->net, 1};
	if (how & NORMALIZE)
		r->listen.bare_newline_clients =
		    (struct conf_nets){r->net, 1};
	r->conf.limits.message_bytes = 2000;
	talks = how & (EARLY | PROXY);
	slow = how & SLOW;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig r;

	if (size < 1)
		return 0;
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	input = slice_of(data + 1, size - 1);
	strbuf_init(&said, 16 << 20);
	rig_init_on(&r, &fake);
	choose(&r, data[0]);
	rig_accept(&r, eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "192.0.2.1");
	for (int turns = 0; turns < TURNS && !r.o.closed; turns++)
		loop_once(r.loop, 0);
	check_replies();
	rig_fini(&r);
	must(r.o.closed && !r.o.in_tx && r.o.left == 1);
	strbuf_fini(&said);
	return 0;
}
