/* SPDX-License-Identifier: ISC
 *
 * A daemon of the old kind.
 */
#include "relay/daemon/background.h"

#include <stdio.h>
#include <unistd.h>

static int ready_fd = -1;

int background_enter(void)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		return 0;
	pid = fork();
	if (pid < 0) {
		perror("posthoused: fork");
		return 0;
	}
	ready_fd = fds[pid == 0];
	close(fds[pid != 0]);
	if (pid != 0)
		return 1;
	setsid();
	return 0;
}

int background_wait(void)
{
	char c;

	return read(ready_fd, &c, 1) == 1 ? 0 : 1;
}

void background_ready(void)
{
	if (ready_fd < 0)
		return;
	if (write(ready_fd, "+", 1) != 1)
		perror("posthoused: telling the parent");
	close(ready_fd);
	ready_fd = -1;
}
