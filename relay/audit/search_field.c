/* SPDX-License-Identifier: ISC
 *
 * The conditions of a search that are texts, for the command line and for the
 * daemon that searches on its behalf.
 */
#include "relay/audit/search.h"

const struct search_field search_fields[] = {
	{ "message-id", offsetof(struct search, message_id) },
	{ "from", offsetof(struct search, from) },
	{ "to", offsetof(struct search, to) },
	{ "client", offsetof(struct search, client) },
	{ NULL, 0 },
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
