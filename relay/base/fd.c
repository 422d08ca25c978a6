/* SPDX-License-Identifier: ISC
 *
 * Keeps the last descriptors for ourselves. The system gives the lowest
 * number that is free, so a high one says how few are left.
 */
#include "relay/base/fd.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

bool fd_is_reserved(int fd)
{
	struct rlimit lim;

	/* Asked for each time: another process may have changed it. */
	return fd >= 0 && getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    lim.rlim_cur != RLIM_INFINITY &&
	    (rlim_t)fd + FDS_RESERVED >= lim.rlim_cur;
}

int fd_for_peer(int fd)
{
	if (!fd_is_reserved(fd))
		return fd;
	close(fd);
	errno = EMFILE;
	return -1;
}
