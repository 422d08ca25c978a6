/* SPDX-License-Identifier: ISC
 *
 * The conditions of a search that are texts, for the command line and for the
 * daemon that searches on its behalf.
 */
#include "relay/audit/search/search.h"

const struct search_field search_fields[] = {
	{ "message-id", false, offsetof(struct search, message_id) },
	{ "from", true, offsetof(struct search, from) },
	{ "to", true, offsetof(struct search, to) },
	{ "client", false, offsetof(struct search, client) },
	{ "domain", false, offsetof(struct search, domain) },
	{ "subject", false, offsetof(struct search, subject) },
	{ "outcome", false, offsetof(struct search, outcome) },
	{ "leg", false, offsetof(struct search, leg) },
	{ "code", false, offsetof(struct search, code) },
	{ "reply", false, offsetof(struct search, reply) },
	{ "address", true, offsetof(struct search, address) },
	{ "remote-id", false, offsetof(struct search, remote_id) },
	{ NULL, false, 0 },
};

static const char **place(struct search *q, const struct search_field *f)
{
	return (const char **)(void *)((char *)q + f->offset);
}

void search_set(struct search *q, const struct search_field *f,
    const char *text)
{
	*place(q, f) = text;
}

const char *search_text(const struct search *q, const struct search_field *f)
{
	return *(const char *const *)(const void *)((const char *)q +
						    f->offset);
}
