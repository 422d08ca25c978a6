/* SPDX-License-Identifier: ISC
 *
 * Notes: a name, a NUL, a JSON object.
 */
#include "relay/audit/note.h"

struct jout *note_begin(struct note_writer *w, struct strbuf *to,
    enum event_id event)
{
	strbuf_adds(to, event_table[event].name);
	strbuf_addc(to, '\0');
	jout_init(&w->jout, to);
	jout_object(&w->jout, NULL);
	return &w->jout;
}

void note_end(struct note_writer *w)
{
	jout_object_end(&w->jout);
}

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.n > 0;
}

int note_parse(struct slice bytes, struct slice *event_out,
    struct slice *fields_out)
{
	long nul = slice_find(bytes, '\0');
	struct slice object;

	if (nul < 0)
		return -1;
	*event_out = slice_head(bytes, (size_t)nul);
	object = slice_from(bytes, (size_t)nul + 1);
	if (!is_name(*event_out) || object.n < 2 || object.p[0] != '{' ||
	    object.p[object.n - 1] != '}')
		return -1;
	*fields_out = slice_of(object.p + 1, object.n - 2);
	return 0;
}
