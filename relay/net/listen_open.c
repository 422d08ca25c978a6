/* SPDX-License-Identifier: ISC
 *
 * Listening sockets: opened by us, or by the service manager.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/net/listen_int.h"

enum {
	BACKLOG = 1024,
	FDS_START = 3, /* SD_LISTEN_FDS_START */
	FDS_MAX = 1024,
};

static const char *hint(int no)
{
	if (no == EADDRINUSE)
		return " (ss -ltnp shows whose it is)";
	if (no == EACCES)
		return " (a port below 1024 needs CAP_NET_BIND_SERVICE)";
	if (no == EADDRNOTAVAIL)
		return " (ip address shows which there are)";
	return "";
}

static int bind_and_listen(int fd, const struct netaddr *at, bool dual)
{
	int on = 1, only6 = !dual;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (at->sa.sa_family == AF_INET6 &&
	    setsockopt(
		fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof(only6)) < 0)
		return -1;
	if (bind(fd, &at->sa, at->len) < 0)
		return -1;
	return listen(fd, BACKLOG);
}

int listen_open(const struct netaddr *at, bool dual, struct error *err)
{
	int fd = socket(at->sa.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[NETADDR_TEXT];
	int no;

	if (fd >= 0 && bind_and_listen(fd, at, dual) == 0)
		return fd;
	no = errno;
	if (fd >= 0)
		close(fd);
	netaddr_text(at, text);
	return error_sys(err, no, "cannot listen on %s%s", text, hint(no));
}

static bool is_listener(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
	       on != 0;
}

static uint64_t number(const char *name, uint64_t max)
{
	const char *text = getenv(name);
	uint64_t value;

	if (text == NULL || !slice_uint(slice_str(text), max, &value))
		return 0;
	return value;
}

struct inherited *listen_inherit(int *count_out)
{
	int fds = (int)number("LISTEN_FDS", FDS_MAX);
	struct inherited *list;

	*count_out = 0;
	if (fds == 0 || number("LISTEN_PID", INT32_MAX) != (uint64_t)getpid())
		return NULL;
	list = NEW_ARRAY(struct inherited, fds);
	for (int fd = FDS_START; fd < FDS_START + fds; fd++) {
		struct inherited *i = &list[*count_out];

		if (!is_listener(fd) ||
		    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
		    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			continue;
		i->fd = fd;
		netaddr_local(&i->at, fd);
		(*count_out)++;
	}
	return list;
}

void acceptor_log(const struct acceptor *a, const struct conf *c)
{
	struct netaddr at;
	char text[NETADDR_TEXT];

	for (int i = 0; i < c->listens; i++)
		for (int k = 0; k < c->listen[i].addresses; k++)
			if (acceptor_address(a, i, k, &at)) {
				netaddr_text(&at, text);
				log_info("listen",
				    kv_str("name", c->listen[i].name),
				    kv_str("address", text));
			}
}
