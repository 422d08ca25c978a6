/* SPDX-License-Identifier: ISC
 *
 * The service extensions of a peer: one row a keyword, for reading and for
 * saying (RFC 5321 4.1.1.1).
 */
#include "relay/mail/ehlo.h"

#include <limits.h>

/* In the order in which we say them. */
static const struct {
	const char *keyword;
	unsigned ext;
} extensions[] = {
	{"PIPELINING", EXT_PIPELINING},		/* RFC 2920 */
	{"SIZE", EXT_SIZE},			/* RFC 1870 */
	{"8BITMIME", EXT_8BITMIME},		/* RFC 6152 */
	{"SMTPUTF8", EXT_SMTPUTF8},		/* RFC 6531 */
	{"ENHANCEDSTATUSCODES", EXT_ENHANCED},	/* RFC 2034 */
	{"DSN", EXT_DSN},			/* RFC 3461 */
	{"CHUNKING", EXT_CHUNKING},		/* RFC 3030 */
	{"BINARYMIME", EXT_BINARYMIME},		/* RFC 3030 */
	{"STARTTLS", EXT_STARTTLS},		/* RFC 3207 */
	{"AUTH", EXT_AUTH},			/* RFC 4954 */
	{"LIMITS", EXT_LIMITS},			/* RFC 9422 */
	{"XCLIENT", EXT_XCLIENT},		/* Postfix's XCLIENT_README */
};

static unsigned ext_of(struct slice keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		if (slice_case_eq(keyword, slice_str(extensions[i].keyword)))
			return extensions[i].ext;
	return 0;
}

static void parse_limits(struct slice args, struct ehlo *e)
{
	struct slice arg;

	while (slice_next(&args, ' ', &arg)) {
		long equals = slice_find(arg, '=');
		struct slice name = slice_head(arg, (size_t)equals);
		uint64_t n;

		if (equals < 0 || !slice_uint(slice_from(arg, name.n + 1),
				      INT_MAX, &n))
			continue;
		if (slice_case_eq(name, SLICE("RCPTMAX")))
			e->limit_rcpt = (int)n;
		else if (slice_case_eq(name, SLICE("MAILMAX")))
			e->limit_mail = (int)n;
		else if (slice_case_eq(name, SLICE("RCPTDOMAINMAX")))
			e->limit_domain = (int)n;
	}
}

/* Of AUTH. */
static const struct {
	const char *name;
	unsigned bit;
} mechanisms[] = {{"PLAIN", AUTH_PLAIN}, {"LOGIN", AUTH_LOGIN}};

static const struct {
	const char *name;
	unsigned bit;
} attributes[] = {{"NAME", XCLIENT_NAME}, {"ADDR", XCLIENT_ADDR},
    {"PROTO", XCLIENT_PROTO}, {"HELO", XCLIENT_HELO}};

static void parse_auth(struct slice args, struct ehlo *e)
{
	struct slice arg;

	while (slice_next(&args, ' ', &arg))
		for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
			if (slice_case_eq(arg, slice_str(mechanisms[i].name)))
				e->auth |= mechanisms[i].bit;
}

static void parse_xclient(struct slice args, struct ehlo *e)
{
	struct slice arg;

	while (slice_next(&args, ' ', &arg))
		for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
			if (slice_case_eq(arg, slice_str(attributes[i].name)))
				e->xclient |= attributes[i].bit;
}

static void parse_line(struct slice line, struct ehlo *e)
{
	size_t n = 0;
	struct slice args;
	unsigned ext;

	/* "AUTH=LOGIN" is how some servers before RFC 2554 said it. */
	while (n < line.n && line.p[n] != ' ' && line.p[n] != '=')
		n++;
	ext = ext_of(slice_head(line, n));
	args = slice_trim(slice_from(line, n + 1));
	e->ext |= ext;
	if (ext == EXT_SIZE && !slice_uint(args, UINT64_MAX, &e->size))
		e->size = 0;
	if (ext == EXT_AUTH)
		parse_auth(args, e);
	if (ext == EXT_LIMITS)
		parse_limits(args, e);
	if (ext == EXT_XCLIENT)
		parse_xclient(args, e);
}

void ehlo_parse(struct slice text, struct ehlo *ehlo_out)
{
	struct slice line;

	*ehlo_out = (struct ehlo){.ext = 0};
	if (!slice_next(&text, '\n', &line))
		return;
	while (slice_next(&text, '\n', &line))
		parse_line(slice_trim(line), ehlo_out);
}

static void print_limits(const struct ehlo *e, struct strbuf *out)
{
	if (e->limit_mail > 0)
		strbuf_addf(out, " MAILMAX=%d", e->limit_mail);
	if (e->limit_rcpt > 0)
		strbuf_addf(out, " RCPTMAX=%d", e->limit_rcpt);
}

static void print_auth(const struct ehlo *e, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (e->auth & mechanisms[i].bit)
			strbuf_addf(out, " %s", mechanisms[i].name);
}

void ehlo_print(const struct ehlo *e, const char *name, struct strbuf *out)
{
	/* AUTH without mechanisms and LIMITS without limits say nothing. */
	unsigned say = e->ext;

	say &= ~(unsigned)EXT_XCLIENT; /* a leg's alone */
	if (e->auth == 0)
		say &= ~(unsigned)EXT_AUTH;
	if (e->limit_mail <= 0 && e->limit_rcpt <= 0)
		say &= ~(unsigned)EXT_LIMITS;
	strbuf_adds(out, name);
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		if ((say & extensions[i].ext) == 0)
			continue;
		strbuf_addf(out, "\n%s", extensions[i].keyword);
		if (extensions[i].ext == EXT_SIZE && e->size > 0)
			strbuf_addf(out, " %llu", (unsigned long long)e->size);
		if (extensions[i].ext == EXT_AUTH)
			print_auth(e, out);
		if (extensions[i].ext == EXT_LIMITS)
			print_limits(e, out);
	}
}
