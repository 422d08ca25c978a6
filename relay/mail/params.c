/* SPDX-License-Identifier: ISC
 *
 * The arguments of MAIL and RCPT with their parameters: SIZE (RFC 1870), BODY
 * (RFC 6152, 3030), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461,
 * 6533), AUTH (RFC 4954). A parameter is a row of a table.
 *
 * What a sender asks of its notices, and what it says of a login elsewhere, is
 * no reason to refuse its mail: a value that cannot be read there is left out,
 * and the caller is told. One that says what the content is must be right. Of
 * a parameter that is said twice the last counts, of one for notices the
 * first.
 */
#include "relay/mail/cmd.h"

#include "relay/base/utf8.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"

enum { SIZE_DIGITS = 20 };

struct param {
	const char *name;
	bool wants_value;
	bool drops; /* left out when it cannot be read, else 501 */
	/* NULL, or what is wrong with the value. `to` is the struct that is
	 * filled: mail_from or rcpt_to. */
	const char *(*take)(struct slice value, void *to);
};

static const char too_big[] = "Message size exceeds any limit";
static const char no_word[] = "NOTIFY has an unknown word";
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

	enum dsn_ret ret = RET_NONE;

	if (slice_case_eq(value, SLICE("FULL")))
		ret = RET_FULL;
	else if (slice_case_eq(value, SLICE("HDRS")))
		ret = RET_HDRS;
	if (ret == RET_NONE || (m->ret != RET_NONE && m->ret != ret))
		return "RET is FULL or HDRS";
	m->ret = ret;
	return NULL;
}

/* xtext that stands for printable ASCII (RFC 3461 4.4). Written into `room`,
 * which has `max` bytes, as the RFC writes it: hex digits in upper case. */
static bool read_xtext(struct slice value, size_t max, char *room,
    struct slice *out)
{
	struct strbuf text, again;
	bool ok;

	strbuf_init(&text, max);
	strbuf_init(&again, max);
	ok = value.n > 0 && value.n <= max && xtext_decode(value, &text);
	for (size_t i = 0; ok && i < text.n; i++)
		ok = text.p[i] >= ' ' && text.p[i] < 127;
	if (ok)
		xtext_encode(strbuf_view(&text), &again);
	ok = ok && strbuf_ok(&again);
	if (ok)
		memcpy(room, again.p, again.n);
	*out = slice_of(room, again.n);
	strbuf_fini(&text);
	strbuf_fini(&again);
	return ok;
}

static const char *take_envid(struct slice value, void *to)
{
	struct mail_from *m = to;

	if (m->envid.n > 0)
		return slice_eq(value, m->envid) ? NULL : "ENVID said twice";
	if (!read_xtext(value, ENVID_MAX, m->value, &m->envid)) {
		m->envid = slice_of("", 0);
		return "ENVID is no xtext";
	}
	return NULL;
}

/* RFC 4954 5: which login submitted the mail elsewhere. Nothing relies on
 * it. */
static const char *take_auth(struct slice value, void *to)
{
	(void)to;
	return value.n > 0 && (slice_eq(value, SLICE("<>")) ||
		xtext_valid(value)) ? NULL : "AUTH is no xtext";
}

/* Empty words are what scripts make of lists. */
static const char *read_notify(struct slice value, unsigned *bits_out)
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
	const char *why = NULL;
	unsigned bits = 0;
	struct slice word;

	while (slice_next(&value, ',', &word)) {
		size_t i = 0;

		while (i < ARRAY_LEN(words) &&
		       !slice_case_eq(word, slice_str(words[i].name)))
			i++;
		if (i < ARRAY_LEN(words))
			bits |= words[i].bit;
		else if (word.n > 0)
			why = no_word;
	}
	*bits_out = bits;
	if (bits == 0)
		return why != NULL ? why : "NOTIFY says nothing";
	if (why != NULL)
		return "NOTIFY has an unknown word among known ones";
	return (bits & NOTIFY_NEVER) != 0 && bits != NOTIFY_NEVER
		   ? "NOTIFY=NEVER stands alone" : NULL;
}

static const char *take_notify(struct slice value, void *to)
{
	struct rcpt_to *r = to;
	unsigned bits;
	const char *why = read_notify(value, &bits);

	if (why != NULL)
		return why;
	if (r->notify != 0 && r->notify != bits)
		return "NOTIFY said twice";
	r->notify = bits;
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

static bool type_ok(struct slice type)
{
	for (size_t i = 0; i < type.n; i++)
		if (!ascii_alpha(type.p[i]) && !ascii_digit(type.p[i]) &&
		    type.p[i] != '-')
			return false;
	return type.n > 0;
}

static const char *take_orcpt(struct slice value, void *to)
{
	static const char bad[] = "ORCPT is no type;xtext";
	struct rcpt_to *r = to;
	long semicolon = slice_find(value, ';');
	struct slice type, text;

	if (r->orcpt.n > 0)
		return slice_eq(value, r->orcpt) ? NULL : "ORCPT said twice";
	if (semicolon <= 0 || value.n > ORCPT_MAX)
		return bad;
	type = slice_head(value, (size_t)semicolon);
	text = slice_from(value, type.n + 1);
	if (!type_ok(type))
		return bad;
	if (slice_case_eq(type, SLICE("utf-8"))) {
		if (!utf8_address(text))
			return bad;
		if (!ascii_only(text) && !r->utf8)
			return "8-bit ORCPT without SMTPUTF8";
		r->orcpt = value;
		return NULL;
	}
	if (!read_xtext(text, ORCPT_MAX - type.n - 1, r->value + type.n + 1,
		&text))
		return bad;
	memcpy(r->value, type.p, type.n + 1);
	r->orcpt = slice_of(r->value, type.n + 1 + text.n);
	return NULL;
}

static const struct param mail_params[] = {
	{"SIZE", true, false, take_size},
	{"BODY", true, false, take_body},
	{"SMTPUTF8", false, false, take_utf8},
	{"RET", true, false, take_ret},
	{"ENVID", true, true, take_envid},
	{"AUTH", true, true, take_auth},
	{NULL, false, false, NULL},
};

static const struct param rcpt_params[] = {
	{"NOTIFY", true, true, take_notify},
	{"ORCPT", true, true, take_orcpt},
	{NULL, false, false, NULL},
};

static bool keyword_ok(struct slice s)
{
	return s.p[0] != '-' && type_ok(s);
}

static void drop(struct smtp_dropped *d, const char *why)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->why[i] == why)
			return;
	if (d->n < ARRAY_LEN(d->why))
		d->why[d->n++] = why;
}

/* The parameters of one command, as they are read. */
struct taking {
	const struct param *table;
	void *to;
	struct smtp_dropped *dropped;
	struct smtp_refusal *no;
};

/* One "KEY=value" or "KEY". */
static int param_take(const struct taking *t, struct slice text)
{
	long equals = slice_find(text, '=');
	struct slice key = slice_head(text, equals < 0 ? text.n
						       : (size_t)equals);
	struct slice value = slice_from(text, key.n + 1);
	const struct param *p = t->table;
	const char *why;

	if (!keyword_ok(key))
		return refuse(t->no, 501, "5.5.4", "Bad parameter");
	while (p->name != NULL && !slice_case_eq(key, slice_str(p->name)))
		p++;
	if (p->name == NULL)
		return refuse(t->no, 555, "5.5.4", "Unknown parameter");
	if (!p->drops && (p->wants_value ? value.n == 0 : equals >= 0))
		return refuse(t->no, 501, "5.5.4",
		    p->wants_value ? "Parameter without a value"
				   : "Parameter takes no value");
	why = p->take(value, t->to);
	if (why == NULL)
		return 0;
	if (why == too_big)
		return refuse(t->no, 552, "5.3.4", why);
	if (!p->drops || why == no_word)
		return refuse(t->no, 501, "5.5.4", why);
	drop(t->dropped, why);
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice skip_blanks(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = slice_from(s, 1);
	return s;
}

static int params_take(const struct taking *t, struct slice rest)
{
	if (rest.n > 0 && !is_blank(rest.p[0]))
		return refuse(
		    t->no, 501, "5.5.4", "Text after the address");
	while ((rest = skip_blanks(rest)).n > 0) {
		size_t n = 0;

		while (n < rest.n && !is_blank(rest.p[n]))
			n++;
		if (param_take(t, slice_head(rest, n)) < 0)
			return -1;
		rest = slice_from(rest, n);
	}
	return 0;
}

/* "FROM:" or "TO:", and the blanks around its colon. */
static bool take_word(struct slice *arg, struct slice word)
{
	struct slice rest;

	if (!slice_case_starts(*arg, word))
		return false;
	rest = skip_blanks(slice_from(*arg, word.n));
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*arg = skip_blanks(slice_from(rest, 1));
	return true;
}

int mail_from_parse(struct slice arg, struct mail_from *mail_out,
    struct smtp_refusal *refusal_out)
{
	struct taking t = {mail_params, mail_out, &mail_out->dropped,
	    refusal_out};
	const char *why;
	long n;

	*mail_out = (struct mail_from){
	    .from.text = arg, .envid = slice_of("", 0)};
	if (!take_word(&arg, SLICE("FROM")))
		return refuse(refusal_out, 501, "5.5.4",
		    "Syntax: MAIL FROM:<address>");
	/* SMTPUTF8 comes after the address that needs it. */
	n = addr_path_parse(
	    arg, PATH_REVERSE, mail_out->room, &mail_out->from, &why);
	if (n < 0)
		return refuse(refusal_out, 501, "5.1.7", why);
	if (params_take(&t, slice_from(arg, (size_t)n)) < 0)
		return -1;
	if (mail_out->from.utf8 && !mail_out->utf8)
		return refuse(refusal_out, 553, "5.6.7", no_utf8);
	return 0;
}

int rcpt_to_parse(struct slice arg, bool utf8, struct rcpt_to *rcpt_out,
    struct smtp_refusal *refusal_out)
{
	struct taking t = {rcpt_params, rcpt_out, &rcpt_out->dropped,
	    refusal_out};
	const char *why;
	long n;

	*rcpt_out = (struct rcpt_to){
	    .to.text = arg, .orcpt = slice_of("", 0), .utf8 = utf8};
	if (!take_word(&arg, SLICE("TO")))
		return refuse(refusal_out, 501, "5.5.4",
		    "Syntax: RCPT TO:<address>");
	n = addr_path_parse(
	    arg, PATH_FORWARD, rcpt_out->room, &rcpt_out->to, &why);
	if (n < 0)
		return refuse(refusal_out, 501, "5.1.3", why);
	if (rcpt_out->to.utf8 && !utf8)
		return refuse(refusal_out, 553, "5.6.7", no_utf8);
	return params_take(&t, slice_from(arg, (size_t)n));
}
