/* SPDX-License-Identifier: ISC
 *
 * Reads a report: its delivery-status part is a run of header sections, the
 * first about the message, each further one about a recipient. Only the top
 * level of parts is looked at, and no transfer encoding is undone: RFC 3464
 * 2.1 has none there but 7bit, or 8bit in RFC 6533.
 */
#include "relay/mail/dsn_read.h"

#include <stdio.h>
#include <string.h>

#include "relay/mail/codec.h"
#include "relay/mail/header.h"

enum { BOUNDARY_MAX = 70 /* RFC 2046 5.1.1 */, FIELD_MAX = 1000,
	PARTS_MAX = 16 };

static const char *const actions[] = {
	"failed", "delayed", "delivered", "relayed", "expanded"};

/* ---- the part ---- */

/* boundary="x", boundary=x; as it stands in an unfolded Content-Type. */
static struct slice boundary_of(struct slice type)
{
	static const struct slice key = {"boundary=", 9};
	struct slice value;
	size_t n = 0;
	bool quoted;

	while (type.n > 0 && !slice_case_starts(type, key))
		type = slice_from(type, 1);
	value = slice_from(type, key.n);
	quoted = value.n > 0 && value.p[0] == '"';
	value = slice_from(value, quoted);
	while (n < value.n && (quoted ? value.p[n] != '"'
			: strchr("; \t", value.p[n]) == NULL))
		n++;
	return n > BOUNDARY_MAX ? slice_of("", 0) : slice_head(value, n);
}

/* "--x", also as the head of "--x--". */
static bool is_boundary(struct slice line, struct slice boundary)
{
	return slice_starts(line, SLICE("--")) &&
	       slice_starts(slice_from(line, 2), boundary);
}

/* Cuts off what stands before the next boundary; false: there is none. */
static bool skip_part(struct slice *rest, struct slice boundary)
{
	struct slice line;

	while (slice_next(rest, '\n', &line))
		if (is_boundary(line, boundary))
			return true;
	return false;
}

static struct slice body_of(struct slice part)
{
	struct header_field f;

	while (header_next(&part, &f))
		;
	if (slice_starts(part, SLICE("\r\n")))
		return slice_from(part, 2);
	return slice_from(part, slice_starts(part, SLICE("\n")));
}

static bool has_type(struct slice part, const char *const *types, size_t n)
{
	struct slice value;

	if (!header_find(part, "Content-Type", &value))
		return false;
	value = slice_trim(value);
	for (size_t i = 0; i < n; i++)
		if (slice_case_starts(value, slice_str(types[i])))
			return true;
	return false;
}

/* The body of the part; its end is the next boundary, which is no field. */
static bool find_status(struct slice message, struct slice boundary,
    struct slice *body_out)
{
	static const char *const types[] = {
		"message/delivery-status", "message/global-delivery-status"};
	struct slice rest = body_of(message);

	for (int i = 0; i < PARTS_MAX && boundary.n > 0; i++) {
		if (!skip_part(&rest, boundary))
			break;
		if (!has_type(rest, types, ARRAY_LEN(types)))
			continue;
		*body_out = body_of(rest);
		return true;
	}
	return false;
}

/* ---- its fields ---- */

/* "rfc822; ann@x" without its type. */
static void take_address(struct slice value, char out[DSN_ADDRESS])
{
	struct slice text =
	    slice_trim(slice_from(value, (size_t)slice_find(value, ';') + 1));
	struct strbuf clean;

	strbuf_init(&clean, FIELD_MAX);
	text_clean(text, true, DSN_ADDRESS - 1, &clean);
	snprintf(out, DSN_ADDRESS, "%s", strbuf_cstr(&clean));
	strbuf_fini(&clean);
}

static void take_action(struct slice value, char out[DSN_ACTION])
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (slice_case_starts(value, slice_str(actions[i])))
			snprintf(out, DSN_ACTION, "%s", actions[i]);
}

static void take_status(struct slice value, char out[DSN_STATUS])
{
	size_t n = 0;

	while (n < value.n && n < DSN_STATUS - 1 &&
	       (ascii_digit(value.p[n]) || value.p[n] == '.'))
		n++;
	if (n >= sizeof("5.0.0") - 1)
		snprintf(out, DSN_STATUS, "%.*s", (int)n, value.p);
}

static void take_field(const struct header_field *f, struct dsn_said *said)
{
	struct strbuf text;
	struct slice value;

	strbuf_init(&text, FIELD_MAX);
	header_unfold(f->value, FIELD_MAX, &text);
	value = strbuf_view(&text);
	if (slice_case_eq(f->name, SLICE("Action")))
		take_action(value, said->action);
	else if (slice_case_eq(f->name, SLICE("Status")))
		take_status(value, said->status);
	else if (slice_case_eq(f->name, SLICE("Original-Recipient")) ||
	    (slice_case_eq(f->name, SLICE("Final-Recipient")) &&
		said->address[0] == '\0'))
		take_address(value, said->address);
	strbuf_fini(&text);
}

bool dsn_read(struct slice message, struct dsn_said *said_out)
{
	static const char *const report[] = {"multipart/report"};
	struct slice value, status;
	struct header_field f;
	struct strbuf type;
	bool found = false;

	memset(said_out, 0, sizeof(*said_out));
	if (!has_type(message, report, 1) ||
	    !header_find(message, "Content-Type", &value))
		return false;
	strbuf_init(&type, FIELD_MAX);
	header_unfold(value, FIELD_MAX, &type);
	found = find_status(message, boundary_of(strbuf_view(&type)), &status);
	strbuf_fini(&type);
	if (!found)
		return false;
	status = body_of(status); /* what is about the message is over */
	while (header_next(&status, &f))
		take_field(&f, said_out);
	return true;
}
