/* SPDX-License-Identifier: ISC
 *
 * One end of a connection in the hand of a peer.
 */
#include "tests/sim/sim_peer.h"

#include <errno.h>
#include <stdio.h>

#include "relay/base/loop.h"

enum { IN_MAX = 4 << 20, STEP = 8192 };

void peer_take(struct peer *p, int fd)
{
	*p = (struct peer){.fd = fd};
	strbuf_init(&p->in, IN_MAX);
}

bool peer_connect(struct peer *p, const char *from_ip, const char *to_ip)
{
	int64_t end = sim_now_us() + PEER_WAIT_US;
	struct netaddr from, to;
	int fd = sim_socket();

	netaddr_parse(&from, slice_str(from_ip), 0);
	netaddr_parse(&to, slice_str(to_ip), 25);
	peer_take(p, fd);
	sim_bind(fd, &from);
	sim_connect(fd, &to);
	while ((sim_fd_ready(fd) & IO_WRITE) == 0 && sim_now_us() < end)
		sim_fd_wait(fd, end);
	if (sim_fd_error(fd) == 0 && sim_now_us() < end)
		return true;
	peer_close(p, false);
	return false;
}

/* More input, or its end. */
static bool more(struct peer *p)
{
	int64_t end = sim_now_us() + PEER_WAIT_US;
	char buf[STEP];
	ssize_t n;

	for (;;) {
		if (p->lost)
			return false;
		n = sim_recv(p->fd, buf, sizeof(buf));
		if (n > 0)
			break;
		p->lost = n == 0 || errno != EAGAIN || sim_now_us() >= end;
		if (!p->lost)
			sim_fd_wait(p->fd, end);
	}
	strbuf_add(&p->in, buf, (size_t)n);
	return true;
}

bool peer_line(struct peer *p, char line[PEER_LINE])
{
	for (;;) {
		long at = slice_find(strbuf_view(&p->in), '\n');
		size_t n = (size_t)at;

		if (at >= 0) {
			if (n > 0 && p->in.p[n - 1] == '\r')
				n--;
			n = n < PEER_LINE - 1 ? n : PEER_LINE - 1;
			memcpy(line, p->in.p, n);
			line[n] = '\0';
			strbuf_drop_front(&p->in, (size_t)at + 1);
			return true;
		}
		if (!more(p))
			return false;
	}
}

bool peer_bytes(struct peer *p, size_t n, struct strbuf *to)
{
	while (p->in.n < n)
		if (!more(p))
			return false;
	strbuf_add(to, p->in.p, n);
	strbuf_drop_front(&p->in, n);
	return true;
}

bool peer_say(struct peer *p, struct slice bytes)
{
	int64_t end = sim_now_us() + PEER_WAIT_US;

	while (bytes.n > 0 && !p->lost) {
		ssize_t n = sim_send(p->fd, bytes.p, bytes.n);

		if (n > 0)
			bytes = slice_from(bytes, (size_t)n);
		else if (errno == EAGAIN && sim_now_us() < end)
			sim_fd_wait(p->fd, end);
		else
			p->lost = true;
	}
	return !p->lost;
}

bool peer_sayf(struct peer *p, const char *fmt, ...)
{
	char line[PEER_LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return peer_say(p, slice_of(line, (size_t)n));
}

void peer_close(struct peer *p, bool reset)
{
	if (p->fd < 0)
		return;
	if (reset)
		sim_reset(p->fd);
	else
		sim_close(p->fd);
	strbuf_fini(&p->in);
	p->fd = -1;
}
