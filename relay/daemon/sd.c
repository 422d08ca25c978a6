/* SPDX-License-Identifier: ISC
 *
 * Notifies systemd (sd_notify(3)): a datagram to a socket whose name is in the
 * environment. A stable protocol; its library would pull in a compressor.
 */
#include "relay/daemon/sd.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/slice.h"

void sd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	n = strlen(path);
	if (n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A missing receiver is no reason to stop. */
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		n = 0;
	close(fd);
}

int64_t sd_watchdog_ms(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	uint64_t v;

	if (us == NULL || !slice_uint(slice_str(us), INT64_MAX, &v))
		return 0;
	return (int64_t)(v / 2000);
}
