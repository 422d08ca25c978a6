/* SPDX-License-Identifier: ISC
 *
 * The arguments of MAIL and RCPT with their parameters: SIZE (RFC 1870), BODY
 * (RFC 6152, 3030), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461,
 * 6533), AUTH (RFC 4954). A parameter is a row of a table; the table also
 * sees that none is said twice.
 *
 * Strict but for one thing: blanks after "FROM:" and "TO:" are so common in
 * devices that refusing them would lose mail.
 */
#include "relay/mail/cmd.h"

#include "relay/base/utf8.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"

enum { ENVID_MAX = 100, SIZE_DIGITS = 20 };

struct param {
	const char *name;
	bool wants_value;
	/* NULL, or why the value is refused. `to` is the struct that is
	 * filled: mail_from or rcpt_to. */
	const char *(*take)(struct slice value, void *to);
};

static const char too_big[] = "Message size exceeds any limit";
static const char no_utf8[] = "8-bit address without SMTPUTF8";

static int refuse(struct smtp_refusal *r, int code, const char *enh,
    const char *text)
{
	*r = (struct smtp_refusal){.code = code, .enh = enh, .text = text};
	return -1;
}

static const char *take_size(struct slice value, void *to)
{
	struct mail_from *m = to;

	for (size_t i = 0; i < value.n; i++)
		if (!ascii_digit(value.p[i]) || i == SIZE_DIGITS)
			return "SIZE is no number";
	if (!slice_uint(value, INT64_MAX, &m->size))
		return too_big;
	m->size_given = true;
	return NULL;
}

static const char *take_body(struct slice value, void *to)
{
	static const char *const names[] = {
		[BODY_7BIT] = "7BIT",
		[BODY_8BITMIME] = "8BITMIME",
		[BODY_BINARYMIME] = "BINARYMIME",
	};
	struct mail_from *m = to;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_case_eq(value, slice_str(names[i]))) {
			m->body = (enum body_type)i;
			return NULL;
		}
	}
	return "BODY is 7BIT or 8BITMIME";
}

static const char *take_utf8(struct slice value, void *to)
{
	struct mail_from *m = to;

	(void)value;
	m->utf8 = true;
	return NULL;
}

static const char *take_ret(struct slice value, void *to)
{
	struct mail_from *m = to;

	if (slice_case_eq(value, SLICE("FULL")))
		m->ret = RET_FULL;
	else if (slice_case_eq(value, SLICE("HDRS")))
		m->ret = RET_HDRS;
	else
		return "RET is FULL or HDRS";
	return NULL;
}

/* xtext that stands for printable ASCII (RFC 3461 4.4). */
static bool printable_xtext(struct slice value, size_t max)
{
	struct strbuf text;
	bool ok;

	strbuf_init(&text, max);
	ok = value.n > 0 && value.n <= max && xtext_decode(value, &text);
	for (size_t i = 0; ok && i < text.n; i++)
		ok = text.p[i] >= ' ' && text.p[i] < 127;
	strbuf_fini(&text);
	return ok;
}

static const char *take_envid(struct slice value, void *to)
{
	struct mail_from *m = to;

	if (!printable_xtext(value, ENVID_MAX))
		return "ENVID is no xtext";
	m->envid = value;
	return NULL;
}

/* Who submitted the mail elsewhere is nothing that we rely on. */
static const char *take_auth(struct slice value, void *to)
{
	(void)to;
	return slice_eq(value, SLICE("<>")) || xtext_valid(value)
		   ? NULL
		   : "AUTH is no xtext";
}

static const char *take_notify(struct slice value, void *to)
{
	static const struct {
		const char *name;
		unsigned bit;
	} words[] = {
		{"SUCCESS", NOTIFY_SUCCESS},
		{"FAILURE", NOTIFY_FAILURE},
		{"DELAY", NOTIFY_DELAY},
		{"NEVER", NOTIFY_NEVER},
	};
	struct rcpt_to *r = to;
	struct slice word;

	while (slice_next(&value, ',', &word)) {
		size_t i = 0;

		while (i < ARRAY_LEN(words) &&
		       !slice_case_eq(word, slice_str(words[i].name)))
			i++;
		if (i == ARRAY_LEN(words))
			return "NOTIFY has an unknown word";
		r->notify |= words[i].bit;
	}
	if ((r->notify & NOTIFY_NEVER) != 0 && r->notify != NOTIFY_NEVER)
		return "NOTIFY=NEVER stands alone";
	return NULL;
}

/* "\x{HEX}" at the head of `s`: its length, 0 when it is none or stands for a
 * control character (RFC 6533 3). */
static size_t embedded_char(struct slice s)
{
	static const char hex[] = "0123456789ABCDEF";
	uint32_t c = 0;
	size_t i = 3;

	if (!slice_starts(s, SLICE("\\x{")))
		return 0;
	for (; i < s.n && s.p[i] != '}'; i++) {
		const char *digit = memchr(hex, s.p[i], sizeof(hex) - 1);

		if (digit == NULL || i == 9)
			return 0;
		c = c * 16 + (uint32_t)(digit - hex);
	}
	return i == s.n || c < ' ' || c == 127 || c > 0x10ffff ? 0 : i + 1;
}

/* utf-8-addr-xtext or -unitext (RFC 6533 3). */
static bool utf8_address(struct slice s)
{
	if (s.n == 0 || !utf8_valid(s))
		return false;
	while (s.n > 0) {
		size_t n = 1;

		if (s.p[0] == '\\')
			n = embedded_char(s);
		else if (s.p[0] == '+' || s.p[0] == '=')
			n = 0;
		if (n == 0)
			return false;
		s = slice_from(s, n);
	}
	return true;
}

static const char *take_orcpt(struct slice value, void *to)
{
	static const char bad[] = "ORCPT is no type;xtext";
	struct rcpt_to *r = to;
	long semicolon = slice_find(value, ';');
	struct slice type, text;

	if (semicolon <= 0 || value.n > ORCPT_MAX)
		return bad;
	type = slice_head(value, (size_t)semicolon);
	text = slice_from(value, type.n + 1);
	for (size_t i = 0; i < type.n; i++)
		if (!ascii_alpha(type.p[i]) && !ascii_digit(type.p[i]) &&
		    type.p[i] != '-')
			return bad;
	if (slice_case_eq(type, SLICE("utf-8")) ? !utf8_address(text)
						: !printable_xtext(text,
							  ORCPT_MAX))
		return bad;
	r->orcpt = value;
	return NULL;
}

static const struct param mail_params[] = {
	{"SIZE", true, take_size},
	{"BODY", true, take_body},
	{"SMTPUTF8", false, take_utf8},
	{"RET", true, take_ret},
	{"ENVID", true, take_envid},
	{"AUTH", true, take_auth},
	{NULL, false, NULL},
};

static const struct param rcpt_params[] = {
	{"NOTIFY", true, take_notify},
	{"ORCPT", true, take_orcpt},
	{NULL, false, NULL},
};

static bool keyword_ok(struct slice s)
{
	if (s.n == 0 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) &&
		    s.p[i] != '-')
			return false;
	return true;
}

/* One "KEY=value" or "KEY"; `seen` has a bit for each row that was met. */
static int param_take(const struct param *table, struct slice text, void *to,
    unsigned *seen, struct smtp_refusal *no)
{
	long equals = slice_find(text, '=');
	struct slice key = slice_head(text, equals < 0 ? text.n
						       : (size_t)equals);
	struct slice value = slice_from(text, key.n + 1);
	const struct param *p = table;
	const char *why;

	if (!keyword_ok(key))
		return refuse(no, 501, "5.5.4", "Bad parameter");
	while (p->name != NULL && !slice_case_eq(key, slice_str(p->name)))
		p++;
	if (p->name == NULL)
		return refuse(no, 555, "5.5.4", "Unknown parameter");
	if ((*seen & 1u << (p - table)) != 0)
		return refuse(no, 501, "5.5.4", "Parameter given twice");
	*seen |= 1u << (p - table);
	if (p->wants_value ? value.n == 0 : equals >= 0)
		return refuse(no, 501, "5.5.4",
		    p->wants_value ? "Parameter without a value"
				   : "Parameter takes no value");
	why = p->take(value, to);
	if (why == too_big)
		return refuse(no, 552, "5.3.4", why);
	return why == NULL ? 0 : refuse(no, 501, "5.5.4", why);
}

static int params_take(const struct param *table, struct slice rest, void *to,
    struct smtp_refusal *no)
{
	struct slice text;
	unsigned seen = 0;

	if (rest.n == 0)
		return 0;
	if (rest.p[0] != ' ')
		return refuse(no, 501, "5.5.4", "Text after the address");
	rest = slice_from(rest, 1);
	while (slice_next(&rest, ' ', &text))
		if (param_take(table, text, to, &seen, no) < 0)
			return -1;
	return 0;
}

static struct slice skip_blanks(struct slice s)
{
	while (s.n > 0 && s.p[0] == ' ')
		s = slice_from(s, 1);
	return s;
}

int mail_from_parse(struct slice arg, struct mail_from *mail_out,
    struct smtp_refusal *refusal_out)
{
	static const struct slice head = {"FROM:", 5};
	const char *why;
	long n;

	*mail_out = (struct mail_from){.envid = slice_of("", 0)};
	if (!slice_case_starts(arg, head))
		return refuse(refusal_out, 501, "5.5.4",
		    "Syntax: MAIL FROM:<address>");
	arg = skip_blanks(slice_from(arg, head.n));
	/* SMTPUTF8 comes after the address that needs it. */
	n = addr_path_parse(arg, PATH_REVERSE, true, &mail_out->from, &why);
	if (n < 0)
		return refuse(refusal_out, 501, "5.1.7", why);
	if (params_take(mail_params, slice_from(arg, (size_t)n), mail_out,
		refusal_out) < 0)
		return -1;
	if (mail_out->from.utf8 && !mail_out->utf8)
		return refuse(refusal_out, 553, "5.6.7", no_utf8);
	return 0;
}

int rcpt_to_parse(struct slice arg, bool utf8, struct rcpt_to *rcpt_out,
    struct smtp_refusal *refusal_out)
{
	static const struct slice head = {"TO:", 3};
	const char *why;
	long n;

	*rcpt_out = (struct rcpt_to){.orcpt = slice_of("", 0)};
	if (!slice_case_starts(arg, head))
		return refuse(refusal_out, 501, "5.5.4",
		    "Syntax: RCPT TO:<address>");
	arg = skip_blanks(slice_from(arg, head.n));
	n = addr_path_parse(arg, PATH_FORWARD, true, &rcpt_out->to, &why);
	if (n < 0)
		return refuse(refusal_out, 501, "5.1.3", why);
	if (rcpt_out->to.utf8 && !utf8)
		return refuse(refusal_out, 553, "5.6.7", no_utf8);
	if (params_take(rcpt_params, slice_from(arg, (size_t)n), rcpt_out,
		refusal_out) < 0)
		return -1;
	if (!ascii_only(rcpt_out->orcpt) && !utf8)
		return refuse(refusal_out, 501, "5.5.4",
		    "8-bit ORCPT without SMTPUTF8");
	return 0;
}
