/* SPDX-License-Identifier: ISC
 *
 * The server of a worker: its sessions come, are counted, and go.
 */
#include "relay/server/server.h"

#include "relay/server/session_int.h"

struct server *server_new(const struct server_config *c)
{
	struct server *sv = NEW(struct server);

	sv->c = *c;
	list_init(&sv->sessions);
	return sv;
}

void server_free(struct server *sv)
{
	if (sv == NULL)
		return;
	list_each_safe(n, &sv->sessions)
		session_free(LIST_ENTRY(n, struct session, node));
	mem_free(sv);
}

void server_accept(struct server *sv, struct accepted *a)
{
	session_begin(sv, a);
	mem_free(a);
}

void server_drain(struct server *sv)
{
	sv->draining = true;
	list_each_safe(n, &sv->sessions)
		session_drain(LIST_ENTRY(n, struct session, node));
}

int server_sessions(const struct server *sv)
{
	return sv->count;
}
