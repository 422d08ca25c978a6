/* SPDX-License-Identifier: ISC
 *
 * The trace block that we prepend. Received is its last field, as RFC 7208 9.1
 * and RFC 8601 4 have it: what stands above it was found out here. It has no
 * "for", which would show a blind copy to the others.
 *
 * All values but the date come from somewhere else. Each is cut to a length
 * and loses what could end the field or its comments; a word that would pass
 * column 78 begins a line of its own.
 */
#include "relay/mail/trace_block.h"

#include "relay/base/clock.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"
#include "relay/mail/received.h"
#include "relay/mail/spf_result.h"

enum {
	LINE_WIDTH = 77, /* and a ';' may follow */
	WORD_MAX = 255,
	LOCAL_MAX = 128, /* of a sender; its domain stays whole */
	ITEM_MAX = 2048,
};

struct trace {
	struct strbuf *out;
	struct strbuf item; /* words that stay on one line */
	struct strbuf sender; /* cleaned, for each field that has it */
	bool judged; /* there is a result */
	enum spf_result result;
	size_t column;
};

/* ---- words ------------------------------------------------------------- */

/* A tagged value of an envelope may be absent. */
static const char *text_or_none(const char *s)
{
	return s == NULL ? "" : s;
}

/* The bytes were cleaned, so none is a NUL. */
static void replace(struct strbuf *b, size_t from, const char *bad)
{
	const char *text = strbuf_cstr(b);

	while ((from += strcspn(text + from, bad)) < b->n)
		b->p[from] = '?';
}

/* In quotes, without what a reader that disregards quotes could take for the
 * end of our result and the beginning of another. `bad` has what quotes need
 * escaped, too; `clean` has no NUL. */
static void add_quoted(struct trace *t, struct strbuf *clean, const char *bad)
{
	const char *p = strbuf_cstr(clean);

	strbuf_addc(&t->item, '"');
	for (;; p++) {
		size_t n = strcspn(p, bad);

		strbuf_add(&t->item, p, n);
		p += n;
		if (*p == '\0')
			break;
		if (*p == '"' || *p == '\\')
			strbuf_addc(&t->item, '\\');
		strbuf_addc(&t->item, *p == '"' || *p == '\\' ? *p : '?');
	}
	strbuf_addc(&t->item, '"');
}

/* Is it made of letters, digits, dots and those characters? */
static bool is_made_of(struct slice s, const char *others)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) &&
		    s.p[i] != '.' && strchr(others, s.p[i]) == NULL)
			return false;
	return s.n > 0 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

/* A dot-atom that is a token as well (RFC 2045 5.1). */
static bool is_plain(struct slice s)
{
	return is_made_of(s, "!#$%&'*+-^_`{|}~");
}

/* Most words are: then they are clean, too. */
static bool add_plain(struct trace *t, struct slice word)
{
	if (word.n > WORD_MAX || !is_plain(word))
		return false;
	strbuf_addsl(&t->item, word);
	return true;
}

/* A word from outside, without blanks or what RFC 5322 gives a meaning. */
static void add_word(struct trace *t, const char *text)
{
	struct slice word = slice_str(text);
	size_t start = t->item.n;

	if (add_plain(t, word))
		return;
	text_clean(word, false, WORD_MAX, &t->item);
	replace(&t->item, start, " ()<>@,;\\\"");
}

static void add_value(struct trace *t, const char *value)
{
	struct slice word = slice_str(value);
	struct strbuf clean;

	if (add_plain(t, word))
		return;
	strbuf_init(&clean, WORD_MAX);
	text_clean(word, false, WORD_MAX, &clean);
	if (is_plain(strbuf_view(&clean)))
		strbuf_addsl(&t->item, strbuf_view(&clean));
	else
		add_quoted(t, &clean, "\"\\;()=");
	strbuf_fini(&clean);
}

/* The item that was gathered, after a blank or on a new line. */
static void flush(struct trace *t)
{
	if (t->column + 1 + t->item.n > LINE_WIDTH) {
		strbuf_add(t->out, "\r\n\t", 3);
		t->column = 1;
	} else {
		strbuf_addc(t->out, ' ');
		t->column++;
	}
	strbuf_addsl(t->out, strbuf_view(&t->item));
	t->column += t->item.n;
	strbuf_reset(&t->item);
}

static void field_begin(struct trace *t, const char *name)
{
	strbuf_adds(t->out, name);
	t->column = strlen(name);
}

/* The next item begins a line. */
static void line_ends(struct trace *t)
{
	t->column = LINE_WIDTH;
}

/* ---- the sender -------------------------------------------------------- */

/* The domain of a sender's address, as A-labels where it has them. */
static void add_domain(struct slice domain, struct strbuf *out)
{
	size_t start = out->n;

	if (domain_normal(slice_head(domain, WORD_MAX), out))
		return;
	out->n = start;
	text_clean(domain, false, WORD_MAX, out);
}

/* A sender, ASCII. A local part that is cut says so. */
static void clean_sender(const char *from, struct strbuf *out)
{
	struct slice s = slice_str(from);
	long at = slice_rfind(s, '@');
	struct slice local = slice_head(s, at < 0 ? s.n : (size_t)at);

	text_clean(local, false, LOCAL_MAX, out);
	if (local.n > LOCAL_MAX)
		strbuf_adds(out, "...");
	if (at < 0)
		return;
	strbuf_addc(out, '@');
	add_domain(slice_from(s, (size_t)at + 1), out);
}

static bool is_plain_address(struct slice s)
{
	long at = slice_find(s, '@');

	return at > 0 &&
	       is_made_of(slice_head(s, (size_t)at), "!#$%&'*+-/=?^_`{|}~") &&
	       is_plain(slice_from(s, (size_t)at + 1));
}

/* `bare`: an address may stand without quotes (a pvalue of RFC 8601). */
static void add_sender(struct trace *t, bool bare)
{
	if (bare && is_plain_address(strbuf_view(&t->sender)))
		strbuf_addsl(&t->item, strbuf_view(&t->sender));
	else
		add_quoted(t, &t->sender, "\"\\;()");
}

/* The null sender has no domain: its HELO is judged (RFC 7208 2.4). */
static bool is_helo_judged(const struct envelope *e)
{
	return e->from[0] == '\0';
}

static void add_judged_domain(struct trace *t, const struct envelope *e)
{
	struct slice sender = strbuf_view(&t->sender);
	long at = slice_rfind(sender, '@');
	size_t start = t->item.n;

	if (is_helo_judged(e)) {
		add_word(t, e->helo);
		return;
	}
	if (at < 0)
		add_domain(slice_str(e->from), &t->item);
	else
		strbuf_addsl(&t->item, slice_from(sender, (size_t)at + 1));
	replace(&t->item, start, " ()<>@,;\\\"");
}

/* ---- Received-SPF ------------------------------------------------------ */

static const char *const says[SPF_RESULTS] = {
	[SPF_NONE] = "says nothing of",
	[SPF_NEUTRAL] = "neither permits nor forbids",
	[SPF_PASS] = "permits",
	[SPF_FAIL] = "forbids",
	[SPF_SOFTFAIL] = "probably forbids",
	[SPF_TEMPERROR] = "could not be asked about",
	[SPF_PERMERROR] = "has an erroneous record for",
};

static void add_comment(struct trace *t, const struct envelope *e,
    const char *hostname)
{
	strbuf_addc(&t->item, '(');
	add_word(t, hostname);
	strbuf_addc(&t->item, ':');
	flush(t);
	add_judged_domain(t, e);
	flush(t);
	strbuf_adds(&t->item, says[t->result]);
	flush(t);
	add_word(t, e->client);
	strbuf_addc(&t->item, ')');
	flush(t);
}

static void add_pair(struct trace *t, const char *key, const char *value)
{
	strbuf_adds(&t->item, key);
	strbuf_addc(&t->item, '=');
	add_value(t, value);
	strbuf_addc(&t->item, ';');
	flush(t);
}

/* The first word of "ip4:192.0.2.0/24 example.org". */
static void add_mechanism(struct trace *t, const char *spf_by)
{
	char term[WORD_MAX + 1] = "";
	struct slice s = slice_str(spf_by);
	long blank = slice_find(s, ' ');

	s = slice_head(slice_head(s, blank < 0 ? s.n : (size_t)blank),
	    WORD_MAX);
	if (s.n == 0)
		return;
	memcpy(term, s.p, s.n);
	add_pair(t, "mechanism", term);
}

static void print_received_spf(struct trace *t, const struct envelope *e,
    const char *hostname)
{
	field_begin(t, "Received-SPF:");
	strbuf_adds(&t->item, spf_result_text(t->result));
	flush(t);
	add_comment(t, e, hostname);
	line_ends(t);
	add_pair(t, "client-ip", e->client);
	strbuf_adds(&t->item, "envelope-from=");
	if (is_helo_judged(e))
		strbuf_adds(&t->item, "\"<>\"");
	else
		add_sender(t, false);
	strbuf_addc(&t->item, ';');
	flush(t);
	add_pair(t, "helo", e->helo);
	add_pair(t, "identity", is_helo_judged(e) ? "helo" : "mailfrom");
	add_mechanism(t, text_or_none(e->spf_by));
	strbuf_adds(&t->item, "receiver=");
	add_value(t, hostname);
	flush(t);
	strbuf_adds(t->out, "\r\n");
}

/* ---- Authentication-Results -------------------------------------------- */

/* Before each result; the first one ends the authserv-id. */
static void result_begins(struct trace *t)
{
	strbuf_addc(t->out, ';');
	line_ends(t);
}

static void print_results(struct trace *t, const struct envelope *e,
    const char *authserv_id)
{
	field_begin(t, "Authentication-Results:");
	add_word(t, authserv_id);
	flush(t);
	if (t->judged) {
		result_begins(t);
		strbuf_adds(&t->item, "spf=");
		strbuf_adds(&t->item, spf_result_text(t->result));
		flush(t);
		strbuf_adds(&t->item, is_helo_judged(e) ? "smtp.helo=" :
							  "smtp.mailfrom=");
		if (is_helo_judged(e))
			add_value(t, e->helo);
		else
			add_sender(t, true);
		flush(t);
	}
	if (e->client_name[0] != '\0') {
		result_begins(t);
		strbuf_adds(&t->item, "iprev=pass policy.iprev=");
		add_value(t, e->client);
		flush(t);
	}
	if (text_or_none(e->login)[0] != '\0') {
		result_begins(t);
		strbuf_adds(&t->item, "auth=pass smtp.auth=");
		add_value(t, e->login);
		flush(t);
	}
	strbuf_adds(t->out, "\r\n");
}

/* ---- Received ---------------------------------------------------------- */

/* A client's name for itself: a domain or an address literal as it is, another
 * one in quotes (RFC 5322 3.6.7 takes any word). */
static void add_helo(struct trace *t, const char *helo)
{
	const char *why;

	if (helo[0] == '\0')
		strbuf_adds(&t->item, "unknown");
	else if (domain_literal_check(slice_str(helo), &why) == 0)
		add_word(t, helo);
	else
		add_value(t, helo);
}

static void add_client(struct trace *t, const struct envelope *e)
{
	bool ipv6 = strchr(e->client, ':') != NULL;

	strbuf_adds(&t->item, "from ");
	add_helo(t, e->helo);
	flush(t);
	strbuf_addc(&t->item, '(');
	if (e->client_name[0] != '\0') {
		add_word(t, e->client_name);
		strbuf_addc(&t->item, ' ');
	}
	strbuf_adds(&t->item, ipv6 ? "[IPv6:" : "[");
	add_word(t, e->client);
	strbuf_adds(&t->item, "])");
	flush(t);
}

/* The "with" words of RFC 3848 and RFC 6531. */
static void add_protocol(struct trace *t, const struct envelope *e)
{
	strbuf_adds(&t->item, "with ");
	strbuf_adds(&t->item, !e->esmtp ? "SMTP" :
			      e->utf8 ? "UTF8SMTP" : "ESMTP");
	if (e->esmtp && e->tls[0] != '\0')
		strbuf_addc(&t->item, 'S');
	if (e->esmtp && text_or_none(e->login)[0] != '\0')
		strbuf_addc(&t->item, 'A');
	flush(t);
}

/* "TLSv1.3 TLS_AES_256_GCM_SHA384": words, each harmless by itself. */
static void add_tls(struct trace *t, const char *tls)
{
	struct slice words = slice_head(slice_str(tls), WORD_MAX), word;

	strbuf_addc(&t->item, '(');
	while (slice_next(&words, ' ', &word)) {
		char text[64] = "";

		memcpy(text, word.p, slice_head(word, sizeof(text) - 1).n);
		add_word(t, text);
		if (words.p != NULL)
			strbuf_addc(&t->item, ' ');
	}
	strbuf_addc(&t->item, ')');
	flush(t);
}

static void add_id(struct trace *t, const struct trace_names *n)
{
	strbuf_adds(&t->item, "id ");
	add_word(t, n->id);
	if (n->token[0] != '\0') {
		flush(t);
		strbuf_adds(&t->item, RECEIVED_TOKEN_START);
		add_word(t, n->token);
		strbuf_addc(&t->item, ')');
	}
	strbuf_addc(&t->item, ';');
	flush(t);
}

static void print_received(struct trace *t, const struct envelope *e,
    const struct trace_names *n)
{
	char date[CLOCK_RFC5322_MAX];

	field_begin(t, "Received:");
	if (e->client[0] != '\0') {
		add_client(t, e);
		line_ends(t);
	}
	strbuf_adds(&t->item, "by ");
	add_word(t, n->hostname);
	flush(t);
	if (e->client[0] != '\0')
		add_protocol(t, e);
	if (e->tls[0] != '\0')
		add_tls(t, e->tls);
	add_id(t, n);
	clock_rfc5322(e->accepted_us, date);
	strbuf_addf(t->out, "\r\n\t%s\r\n", date);
}

void trace_print(const struct envelope *e, const struct trace_names *n,
    struct strbuf *out)
{
	struct trace t = {.out = out};

	strbuf_init(&t.item, ITEM_MAX);
	strbuf_init(&t.sender, ITEM_MAX);
	t.judged = spf_result_parse(slice_str(text_or_none(e->spf)),
	    &t.result);
	if (t.judged && !is_helo_judged(e))
		clean_sender(e->from, &t.sender);
	if (t.judged || e->client_name[0] != '\0' ||
	    text_or_none(e->login)[0] != '\0')
		print_results(&t, e, n->authserv_id);
	if (t.judged)
		print_received_spf(&t, e, n->hostname);
	print_received(&t, e, n);
	strbuf_fini(&t.item);
	strbuf_fini(&t.sender);
}
