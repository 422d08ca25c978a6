/* SPDX-License-Identifier: ISC
 *
 * The names of the formats, and what their readers have in common.
 */
#include "policy/import/import_int.h"

#include <stdio.h>

#include "policy/row.h"

/* clang-format off */
static const struct {
	const char *name;
	void (*read)(struct import_run *r, int fd);
} formats[] = {
	[IMPORT_CSV]       = {"csv",               NULL},
	[IMPORT_EXCHANGE]  = {"exchange",          directory_read},
	[IMPORT_GOOGLE]    = {"google",            directory_read},
	[IMPORT_TRANSPORT] = {"postfix-transport", transport_read},
	[IMPORT_VIRTUAL]   = {"postfix-virtual",   virtual_read},
	[IMPORT_PASSWD]    = {"passwd",            passwd_read},
};
/* clang-format on */

int import_format_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (strcmp(name, formats[i].name) == 0)
			return (int)i;
	return -1;
}

int import_key_at(struct slice name, struct slice domain, char out[ADDR_MAX],
    struct error *err)
{
	struct strbuf address;
	int rc;

	strbuf_init(&address, ADDR_MAX);
	strbuf_addsl(&address, name);
	strbuf_addc(&address, '@');
	strbuf_addsl(&address, domain);
	rc = strbuf_ok(&address)
		 ? row_key_text(strbuf_view(&address), out, err)
		 : error_set(err, "'%.60s…' is too long for an address",
		       strbuf_cstr(&address));
	strbuf_fini(&address);
	return rc;
}

bool import_is_ours(const struct import_run *r, const char *key)
{
	return conf_domain(r->how->conf, row_domain(slice_str(key))) != NULL;
}

void import_foreign(struct import_run *r, const char *key)
{
	struct import_counts *n = r->counts;

	if (n->foreign++ == 0)
		snprintf(n->first_foreign, sizeof(n->first_foreign), "%s",
		    key);
}

int import_give(struct import_run *r, const struct import_row *row,
    struct error *err)
{
	struct import_row full = *row;

	if (!import_is_ours(r, row->key)) {
		import_foreign(r, row->key);
		return 0;
	}
	if (full.route == NULL)
		full.route = r->how->route;
	return r->sink->row(r->sink->arg, &full, err);
}

void import_fault(struct import_run *r, uint64_t line, const char *why)
{
	r->sink->fault(r->sink->arg, line, why);
}

void import_progress(struct import_run *r, const struct csv *c)
{
	enum { EVERY = 4096 };

	if (c->lines - r->lines < EVERY || r->sink->read == NULL)
		return;
	r->lines = c->lines;
	r->sink->read(r->sink->arg, c->file.bytes);
}

const struct conf_leg *import_leg_of(const struct import_run *r,
    const char *key)
{
	const struct conf_leg *l;

	if (import_is_ours(r, key))
		return NULL;
	l = conf_leg_of_domain(r->how->conf, row_domain(slice_str(key)));
	return l == NULL || l->egress ? NULL : l;
}

void import_read(const struct import_how *how, int fd,
    const struct import_sink *sink, struct import_counts *counts_out)
{
	struct import_run r = {.how = how, .sink = sink,
	    .counts = counts_out};

	*counts_out = (struct import_counts){0};
	formats[how->format].read(&r, fd);
}
