/* SPDX-License-Identifier: ISC
 *
 * SRS addresses made, and led back.
 */
#include "policy/srs.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "policy/keyed.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/mail/domain.h"

enum {
	TAG = 4,	    /* "SRS0" */
	MARK_MAX = 27,	    /* base64 of a SHA-1, without its '=' */
	PARTS_MAX = 3,
	DAY_LETTERS = 2, DAY_CYCLE = 1024, DAY_BITS = 5,
	LAST_DAY_DIGITS = 6,
};

static const char day_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char purpose[] = "srs";
static const char prefix[] = "srs.";

/* ---- the marks ---------------------------------------------------------- */

/* The parts under a mark, which is made over them one after the
 * other in lower case. */
struct signed_parts {
	struct slice part[PARTS_MAX];
	unsigned n;
};

static void make_mark(const char *key, const struct signed_parts *s,
    char out[MARK_MAX + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char text[4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1];
	unsigned digest_n = 0;
	struct strbuf b;

	strbuf_init(&b, 4 * ADDR_MAX);
	for (unsigned i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->part[i].n; k++)
			strbuf_addc(&b, ascii_lower(s->part[i].p[k]));
	if (!strbuf_ok(&b) ||
	    HMAC(EVP_sha1(), key, (int)strlen(key), (unsigned char *)b.p, b.n,
		digest, &digest_n) == NULL)
		abort(); /* no memory, or no SHA-1 */
	EVP_EncodeBlock(text, digest, (int)digest_n);
	memcpy(out, text, MARK_MAX);
	out[MARK_MAX] = '\0';
	strbuf_fini(&b);
}

/* By any of the keys. A longer mark than ours is checked whole; servers on
 * the way may have changed the case of its letters. */
static bool is_marked(const struct conf *c, const struct signed_parts *s,
    struct slice mark)
{
	char good[MARK_MAX + 1], lower[MARK_MAX];
	bool found = false;

	if (mark.n < (size_t)c->srs.hash || mark.n > MARK_MAX)
		return false;
	for (size_t i = 0; i < mark.n; i++)
		lower[i] = ascii_lower(mark.p[i]);
	for (int i = 0; i < c->srs.key.count; i++) {
		make_mark(c->srs.key.s[i], s, good);
		for (size_t k = 0; k < mark.n; k++)
			good[k] = ascii_lower(good[k]);
		found |= CRYPTO_memcmp(good, lower, mark.n) == 0;
	}
	return found;
}

/* ---- days --------------------------------------------------------------- */

static void day_print(int64_t now_us, char out[DAY_LETTERS + 1])
{
	unsigned day = (unsigned)(now_us / DAY_US % DAY_CYCLE);

	out[0] = day_letters[day >> DAY_BITS];
	out[1] = day_letters[day & (DAY_CYCLE - 1) >> DAY_BITS];
	out[2] = '\0';
}

static bool day_parse(struct slice text, unsigned *day_out)
{
	*day_out = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		const char *at;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		at = memchr(day_letters, c, sizeof(day_letters) - 1);
		if (at == NULL)
			return false;
		*day_out = *day_out << DAY_BITS | (unsigned)(at - day_letters);
	}
	return text.n == DAY_LETTERS;
}

/* A clock that is a day ahead made some of them. */
static bool is_fresh(const struct conf *c, unsigned day, int64_t now_us)
{
	unsigned today = (unsigned)(now_us / DAY_US % DAY_CYCLE);
	unsigned age = (today - day) % DAY_CYCLE;

	return age == DAY_CYCLE - 1 ||
	       age <= (unsigned)(c->srs.lifetime_ms * 1000 / DAY_US);
}

/* ---- SRS0 and SRS1, taken apart ----------------------------------------- */

static bool is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* Has it the form of another forwarder's address ("SRS0=…")? "SRS0=" alone is
 * a name like others. */
static bool is_form(struct slice local, const char *tag)
{
	return local.n > TAG + 1 && slice_case_starts(local, slice_str(tag)) &&
	       is_separator(local.p[TAG]);
}

/* SRS1=MARK=HOST=REST, where REST begins with a separator of its own. */
struct srs1 {
	struct slice mark, host, rest;
};

static bool srs1_split(struct slice local, struct srs1 *out)
{
	struct slice s = slice_from(local, TAG + 1);

	if (!slice_next(&s, '=', &out->mark) ||
	    !slice_next(&s, '=', &out->host))
		return false;
	out->rest = s;
	return out->host.n != 0 && s.n > 1 && is_separator(s.p[0]);
}

static struct signed_parts srs1_parts(const struct srs1 *s)
{
	return (struct signed_parts){{s->host, s->rest}, 2};
}

struct srs0 {
	struct slice mark, day, host, user;
};

static bool srs0_split(struct slice local, struct srs0 *out)
{
	struct slice s = slice_from(local, TAG + 1);

	if (!slice_next(&s, '=', &out->mark) ||
	    !slice_next(&s, '=', &out->day) ||
	    !slice_next(&s, '=', &out->host))
		return false;
	out->user = s;
	return out->host.n != 0 && s.n != 0;
}

static struct signed_parts srs0_parts(const struct srs0 *s)
{
	return (struct signed_parts){{s->day, s->host, s->user}, 3};
}

/* ---- made ---------------------------------------------------------------- */

/* The content of a local part, without quotes and escapes. */
static void add_plain(struct slice local, struct strbuf *out)
{
	bool quoted = local.n > 1 && local.p[0] == '"';

	if (!quoted) {
		strbuf_addsl(out, local);
		return;
	}
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		strbuf_addc(out, local.p[i]);
	}
}

static void add_srs0(const struct conf *c, const struct srs0 *parts,
    struct strbuf *out)
{
	struct signed_parts s = srs0_parts(parts);
	char mark[MARK_MAX + 1];

	make_mark(c->srs.key.s[0], &s, mark);
	strbuf_adds(out, "SRS0=");
	strbuf_add(out, mark, (size_t)c->srs.hash);
	strbuf_addc(out, '=');
	strbuf_addsl(out, parts->day);
	strbuf_addc(out, '=');
	strbuf_addsl(out, parts->host);
	strbuf_addc(out, '=');
	strbuf_addsl(out, parts->user);
}

static void add_srs1(const struct conf *c, const struct srs1 *parts,
    struct strbuf *out)
{
	struct signed_parts s = srs1_parts(parts);
	char mark[MARK_MAX + 1];

	make_mark(c->srs.key.s[0], &s, mark);
	strbuf_adds(out, "SRS1=");
	strbuf_add(out, mark, (size_t)c->srs.hash);
	strbuf_addc(out, '=');
	strbuf_addsl(out, parts->host);
	strbuf_addc(out, '=');
	strbuf_addsl(out, parts->rest);
}

static void add_long(const struct conf *c, const struct srs_sender *s,
    struct slice user, struct slice host, struct strbuf *out)
{
	struct srs1 again = {.host = host};
	char day[DAY_LETTERS + 1];

	if (is_form(user, "SRS1") && srs1_split(user, &again)) {
		add_srs1(c, &again, out);
		return;
	}
	if (is_form(user, "SRS0")) {
		again.rest = slice_from(user, TAG);
		add_srs1(c, &again, out);
		return;
	}
	day_print(s->now_us, day);
	add_srs0(c, &(struct srs0){.day = slice_str(day), .host = host,
	    .user = user}, out);
}

/* "id.day", which the mark of the short form is made over. */
static void print_short(uint64_t id, int64_t day, struct strbuf *out)
{
	char text[ID_TEXT];

	id_text_lower(id, text);
	strbuf_addf(out, "%s.%lld", text, (long long)day);
}

static void add_short(const struct conf *c, const struct srs_sender *s,
    struct strbuf *out)
{
	struct strbuf fields;
	char mark[KEYED_TEXT];

	strbuf_init(&fields, ADDR_LOCAL_MAX);
	print_short(s->id, (s->now_us + c->srs.lifetime_ms * 1000) / DAY_US,
	    &fields);
	keyed_mark(&c->srs.key, purpose, strbuf_view(&fields), mark);
	strbuf_addf(out, "%s%s.%s", prefix, strbuf_cstr(&fields), mark);
	strbuf_fini(&fields);
}

/* The local part, in quotes where it needs them. False: too long for the way
 * back to be carried in it, or "", which SRS0 has no place for. */
static bool add_carried(const struct conf *c, const struct srs_sender *s,
    struct slice host, struct strbuf *out)
{
	struct strbuf user, plain, local;
	bool fits;

	strbuf_init(&user, ADDR_LOCAL_MAX);
	strbuf_init(&plain, 2 * ADDR_MAX);
	strbuf_init(&local, 4 * ADDR_MAX);
	add_plain(s->from->local, &user);
	add_long(c, s, strbuf_view(&user), host, &plain);
	addr_add_local(strbuf_view(&plain), &local);
	fits = user.n != 0 && strbuf_ok(&user) && strbuf_ok(&plain) &&
	       strbuf_ok(&local) && local.n <= ADDR_LOCAL_SAFE;
	if (fits)
		strbuf_addsl(out, strbuf_view(&local));
	strbuf_fini(&local);
	strbuf_fini(&plain);
	strbuf_fini(&user);
	return fits;
}

bool srs_make(const struct conf *c, const struct srs_sender *s,
    struct strbuf *out)
{
	struct strbuf host;
	bool ok;

	if (c->srs.domain[0] == '\0')
		return false;
	strbuf_init(&host, ADDR_DOMAIN_MAX);
	ok = domain_normal(s->from->domain, &host);
	if (ok && slice_eq(strbuf_view(&host), slice_str(c->srs.domain))) {
		strbuf_addsl(out, s->from->text);
	} else if (ok) {
		if (s->from->utf8_local ||
		    !add_carried(c, s, strbuf_view(&host), out))
			add_short(c, s, out);
		strbuf_addf(out, "@%s", c->srs.domain);
	}
	strbuf_fini(&host);
	return ok;
}

/* ---- led back ------------------------------------------------------------ */

static enum srs_verdict back_srs0(const struct conf *c, struct slice local,
    int64_t now_us, struct strbuf *back)
{
	struct srs0 s;
	struct signed_parts parts;
	unsigned day = 0;
	bool marked, dated, fresh;

	if (!srs0_split(local, &s))
		return SRS_FORGED;
	parts = srs0_parts(&s);
	marked = is_marked(c, &parts, s.mark);
	dated = day_parse(s.day, &day);
	fresh = is_fresh(c, day, now_us);
	if (!(marked & dated))
		return SRS_FORGED;
	if (!fresh)
		return SRS_EXPIRED;
	addr_add_local(s.user, back);
	strbuf_addc(back, '@');
	strbuf_addsl(back, s.host);
	return SRS_ADDRESS;
}

/* To the first forwarder, which knows the age. */
static enum srs_verdict back_srs1(const struct conf *c, struct slice local,
    struct strbuf *back)
{
	struct srs1 s;
	struct signed_parts parts;
	struct strbuf plain;

	if (!srs1_split(local, &s))
		return SRS_FORGED;
	parts = srs1_parts(&s);
	if (!is_marked(c, &parts, s.mark))
		return SRS_FORGED;
	strbuf_init(&plain, ADDR_LOCAL_MAX);
	strbuf_adds(&plain, "SRS0");
	strbuf_addsl(&plain, s.rest);
	addr_add_local(strbuf_view(&plain), back);
	strbuf_addc(back, '@');
	strbuf_addsl(back, s.host);
	strbuf_fini(&plain);
	return SRS_ADDRESS;
}

static enum srs_verdict back_short(const struct conf *c, struct slice local,
    int64_t now_us, uint64_t *id_out)
{
	struct slice s = slice_from(local, sizeof(prefix) - 1), id, day;
	struct strbuf fields;
	uint64_t last;
	bool marked;

	if (!slice_next(&s, '.', &id) || !slice_next(&s, '.', &day) ||
	    id_parse(id, id_out) < 0 || day.n > LAST_DAY_DIGITS ||
	    !slice_uint(day, 999999, &last))
		return SRS_FORGED;
	strbuf_init(&fields, ADDR_LOCAL_MAX);
	print_short(*id_out, (int64_t)last, &fields);
	marked = keyed_check(&c->srs.key, purpose, strbuf_view(&fields), s);
	strbuf_fini(&fields);
	if (!marked)
		return SRS_FORGED;
	return now_us / DAY_US > (int64_t)last ? SRS_EXPIRED : SRS_MESSAGE;
}

static bool is_at(const struct conf *c, const struct addr *to)
{
	return c->srs.domain[0] != '\0' &&
	       domain_is(to->domain, slice_str(c->srs.domain));
}

enum srs_verdict srs_check(const struct conf *c, const struct addr *to,
    int64_t now_us, struct strbuf *back, uint64_t *id_out)
{
	struct strbuf plain;
	struct slice local;
	enum srs_verdict verdict = SRS_FORGED;

	*id_out = 0;
	if (!is_at(c, to) || addr_is_role(to))
		return SRS_NONE;
	strbuf_init(&plain, ADDR_LOCAL_MAX);
	add_plain(to->local, &plain);
	local = strbuf_view(&plain);
	if (slice_case_starts(local, slice_str(prefix)))
		verdict = back_short(c, local, now_us, id_out);
	else if (is_form(local, "SRS0"))
		verdict = back_srs0(c, local, now_us, back);
	else if (is_form(local, "SRS1"))
		verdict = back_srs1(c, local, back);
	strbuf_fini(&plain);
	return verdict;
}

bool srs_refuses(enum srs_verdict verdict, struct decision *decision_out)
{
	if (verdict != SRS_EXPIRED && verdict != SRS_FORGED)
		return false;
	*decision_out = (struct decision){.verdict = VERDICT_REFUSE,
	    .rule = RULE_SRS, .row.route_text = ""};
	reply_set(&decision_out->reply, 550, "5.7.1", "%s",
	    verdict == SRS_EXPIRED
		? "This SRS address has expired, no mail is taken for it"
		: "This is no SRS address of ours");
	return true;
}
