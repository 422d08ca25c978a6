/* SPDX-License-Identifier: ISC
 *
 * Request lines of the control socket, through a real socket pair of one
 * server that lives as long as the process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/ops/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 8, INPUT_MAX = 100000 /* fits the socket's buffer */ };

struct server {
	struct loop *loop;
	struct ctl *ctl;
	struct sockaddr_un at;
};

static void cmd_echo(void *arg, struct ctl_request *r, const json_t *args)
{
	(void)arg;
	jout_str(ctl_row(r), "say",
	    json_string_value(json_object_get(args, "say")));
	ctl_row_end(r);
	ctl_end(r, 0, NULL);
}

static const struct ctl_command table[] = {{"echo", cmd_echo}, {NULL, NULL}};

static struct server *server_get(void)
{
	static struct server s;
	struct error err;

	if (s.ctl != NULL)
		return &s;
	s.loop = loop_new(&clock_system);
	s.at.sun_family = AF_UNIX;
	snprintf(s.at.sun_path, sizeof(s.at.sun_path), "/tmp/fuzz_ctl.%d",
	    (int)getpid());
	s.ctl = ctl_open(s.loop, s.at.sun_path, table, NULL, &err);
	if (s.ctl == NULL)
		abort();
	return &s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server *s = server_get();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (size > INPUT_MAX)
		size = INPUT_MAX;
	if (connect(fd, (struct sockaddr *)&s->at, sizeof(s->at)) == 0 &&
	    send(fd, data, size, MSG_NOSIGNAL) >= 0)
		for (int i = 0; i < TURNS; i++)
			loop_once(s->loop, 0);
	close(fd);
	for (int i = 0; i < TURNS; i++)
		loop_once(s->loop, 0);
	return 0;
}
