/* SPDX-License-Identifier: ISC
 *
 * The envelope to and from bytes: a version, numbers, strings, recipients.
 * What goes into commands again (addresses, ENVID, ORCPT) is checked when it
 * is read back: a line end in there would be a command of its own.
 */
#include "relay/mail/envelope.h"

#include "relay/base/assert.h"
#include "relay/base/pack.h"

/* Version 2 is 1 with the part about where it came from behind it; what came
 * from nowhere in particular is still written as 1. Version 3 has that part
 * always, and ends in tagged values: what has none is not written as 3. */
enum {
	VERSION = 1, VERSION_CAME = 2, VERSION_TAGS = ENVELOPE_FORMAT,
	RCPT_LEAST = 4 + 1 + 4,
};

/* On disk; never renumbered. One that is not known is kept as it is. */
enum tag {
	TAG_SUBJECT = 1, TAG_EGRESS = 2, TAG_SRS = 3, TAG_LOGIN = 4,
	TAG_PROXY = 5, TAG_SPF_BY = 6, TAG_STRIPPED = 7,
	TAG_FROM_DOMAIN = 8, TAG_DKIM = 9,
	TAGS
};

enum {
	FLAG_ESMTP = 1, FLAG_UTF8 = 2, FLAG_BARE = 4, FLAG_8BIT = 8,
	FLAG_UTF8_HEADER = 16, FLAGS = 31,
};

/* In their order on disk, which never changes. */
static const size_t texts[] = {
	offsetof(struct envelope, client),
	offsetof(struct envelope, client_name),
	offsetof(struct envelope, listen),
	offsetof(struct envelope, helo),
	offsetof(struct envelope, tls),
	offsetof(struct envelope, from),
	offsetof(struct envelope, envid),
	offsetof(struct envelope, message_id),
	offsetof(struct envelope, spf),
};

static const size_t tagged[TAGS] = {
	[TAG_SUBJECT] = offsetof(struct envelope, subject),
	[TAG_EGRESS] = offsetof(struct envelope, egress),
	[TAG_SRS] = offsetof(struct envelope, srs),
	[TAG_LOGIN] = offsetof(struct envelope, login),
	[TAG_PROXY] = offsetof(struct envelope, proxy),
	[TAG_SPF_BY] = offsetof(struct envelope, spf_by),
	[TAG_STRIPPED] = offsetof(struct envelope, stripped),
	[TAG_FROM_DOMAIN] = offsetof(struct envelope, from_domain),
	[TAG_DKIM] = offsetof(struct envelope, dkim),
};

static const char *const *text_at(const struct envelope *e, size_t i)
{
	return (const void *)((const char *)e + texts[i]);
}

static unsigned flags_of(const struct envelope *e)
{
	return (e->esmtp ? FLAG_ESMTP : 0) | (e->utf8 ? FLAG_UTF8 : 0) |
	       (e->bare_lf ? FLAG_BARE : 0) | (e->eight_bit ? FLAG_8BIT : 0) |
	       (e->utf8_header ? FLAG_UTF8_HEADER : 0);
}

uint16_t envelope_had(struct envelope *e, struct arena *a, const char *leg)
{
	unsigned i = 0;

	while (i < e->had_legs && strcmp(e->had_leg[i], leg) != 0)
		i++;
	if (i == HAD_MAX)
		return 0;
	if (i == e->had_legs)
		e->had_leg[e->had_legs++] = arena_strdup(a, leg);
	return (uint16_t)(1u << i);
}

bool envelope_loops(const struct envelope *e, unsigned rcpt, const char *leg)
{
	if (rcpt >= e->rcpts || e->rcpt[rcpt].had == 0)
		return false;
	for (unsigned i = 0; i < e->had_legs; i++)
		if ((e->rcpt[rcpt].had & 1u << i) != 0 &&
		    strcmp(e->had_leg[i], leg) == 0)
			return true;
	return false;
}

bool envelope_came_back(const struct envelope *e)
{
	return e->parent != 0 || e->had_legs != 0 ||
	       (e->came_from != NULL && e->came_from[0] != '\0');
}

bool envelope_names_client(const struct envelope *e)
{
	return e->proxy == NULL || (strcmp(e->proxy, "local") != 0 &&
	    strcmp(e->proxy, "unknown") != 0);
}

static void pack_came(const struct envelope *e, struct strbuf *out)
{
	pack_str(out, e->came_from);
	pack_u64(out, e->parent);
	pack_u8(out, (uint8_t)e->had_legs);
	for (unsigned i = 0; i < e->had_legs; i++)
		pack_str(out, e->had_leg[i]);
	for (unsigned i = 0; i < e->rcpts; i++)
		pack_u16(out, e->rcpt[i].had);
}

/* The value of a tag; "" when there is none. */
static const char *tag_of(const struct envelope *e, unsigned tag)
{
	const char *const *at =
	    (const void *)((const char *)e + tagged[tag]);

	return *at == NULL ? "" : *at;
}

static bool has_tags(const struct envelope *e)
{
	for (unsigned tag = 1; tag < TAGS; tag++)
		if (tag_of(e, tag)[0] != '\0')
			return true;
	return e->unknown.n > 0;
}

static void pack_tags(const struct envelope *e, struct strbuf *out)
{
	for (unsigned tag = 1; tag < TAGS; tag++) {
		if (tag_of(e, tag)[0] == '\0')
			continue;
		pack_u16(out, (uint16_t)tag);
		pack_str(out, tag_of(e, tag));
	}
	if (e->unknown.n > 0)
		strbuf_addsl(out, e->unknown);
}

static unsigned version_of(const struct envelope *e)
{
	if (has_tags(e))
		return VERSION_TAGS;
	return envelope_came_back(e) ? VERSION_CAME : VERSION;
}

/* Values that envelope_unpack() refuses are never written. That addresses fit
 * a command is the parser's to see: they come from outside. */
static void assert_sound(const struct envelope *e)
{
	PH_ASSERT(e->body <= BODY_BINARYMIME && e->ret <= RET_HDRS);
	PH_ASSERT(e->had_legs <= HAD_MAX);
	for (unsigned i = 0; i < e->rcpts; i++) {
		PH_ASSERT(e->rcpt[i].notify <= NOTIFY_NEVER);
		PH_ASSERT(e->rcpt[i].had >> e->had_legs == 0);
	}
}

void envelope_pack(const struct envelope *e, struct strbuf *out)
{
	assert_sound(e);
	pack_u8(out, (uint8_t)version_of(e));
	pack_u64(out, e->id);
	pack_i64(out, e->accepted_us);
	pack_u64(out, e->size);
	pack_u8(out, (uint8_t)flags_of(e));
	pack_u8(out, (uint8_t)e->body);
	pack_u8(out, (uint8_t)e->ret);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		pack_str(out, *text_at(e, i));
	pack_u32(out, e->rcpts);
	for (unsigned i = 0; i < e->rcpts; i++) {
		pack_str(out, e->rcpt[i].to);
		pack_u8(out, (uint8_t)e->rcpt[i].notify);
		pack_str(out, e->rcpt[i].orcpt);
	}
	if (version_of(e) != VERSION)
		pack_came(e, out);
	pack_tags(e, out);
}

static const char *take_text(struct unpack *u, struct arena *a)
{
	struct slice s = unpack_bytes(u);

	if (slice_find(s, '\0') >= 0)
		u->bad = true;
	return u->bad ? "" : arena_slicedup(a, s);
}

static bool fits_a_command(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

static void take_rcpts(struct unpack *u, struct arena *a, struct envelope *e)
{
	e->rcpts = unpack_u32(u);
	/* Before anything is allocated for them. */
	if (e->rcpts > u->rest.n / RCPT_LEAST) {
		u->bad = true;
		e->rcpts = 0;
	}
	e->rcpt = arena_alloc(a, e->rcpts * sizeof(*e->rcpt));
	for (unsigned i = 0; i < e->rcpts && !u->bad; i++) {
		struct envelope_rcpt *r = &e->rcpt[i];

		r->to = take_text(u, a);
		r->notify = unpack_u8(u);
		r->orcpt = take_text(u, a);
		if (r->to[0] == '\0' || r->notify > NOTIFY_NEVER ||
		    !fits_a_command(r->to) || !fits_a_command(r->orcpt))
			u->bad = true;
	}
}

static void take_came(struct unpack *u, struct arena *a, struct envelope *e)
{
	e->came_from = take_text(u, a);
	e->parent = unpack_u64(u);
	e->had_legs = unpack_u8(u);
	if (e->had_legs > HAD_MAX) {
		u->bad = true;
		e->had_legs = 0;
	}
	for (unsigned i = 0; i < e->had_legs; i++)
		e->had_leg[i] = take_text(u, a);
	for (unsigned i = 0; i < e->rcpts && !u->bad; i++) {
		e->rcpt[i].had = unpack_u16(u);
		if (e->rcpt[i].had >> e->had_legs != 0)
			u->bad = true;
	}
}

/* Unknown ones are kept in their order, one after another. */
static void take_tags(struct unpack *u, struct arena *a, struct envelope *e)
{
	char *unknown = arena_alloc(a, u->rest.n);
	size_t n = 0;

	while (!u->bad && u->rest.n > 0) {
		const char *from = u->rest.p;
		unsigned tag = unpack_u16(u);

		if (tag > 0 && tag < TAGS) {
			const char **to = (void *)((char *)e + tagged[tag]);

			*to = take_text(u, a);
			continue;
		}
		unpack_bytes(u);
		if (u->bad)
			break;
		memcpy(unknown + n, from, (size_t)(u->rest.p - from));
		n += (size_t)(u->rest.p - from);
	}
	e->unknown = slice_of(unknown, n);
}

/* Returns the version. */
static unsigned take_numbers(struct unpack *u, struct envelope *e)
{
	unsigned version = unpack_u8(u), flags, body, ret;

	e->id = unpack_u64(u);
	e->accepted_us = unpack_i64(u);
	e->size = unpack_u64(u);
	flags = unpack_u8(u);
	body = unpack_u8(u);
	ret = unpack_u8(u);
	if (version < VERSION || version > VERSION_TAGS || flags > FLAGS ||
	    body > BODY_BINARYMIME || ret > RET_HDRS)
		u->bad = true;
	e->esmtp = (flags & FLAG_ESMTP) != 0;
	e->utf8 = (flags & FLAG_UTF8) != 0;
	e->bare_lf = (flags & FLAG_BARE) != 0;
	e->eight_bit = (flags & FLAG_8BIT) != 0;
	e->utf8_header = (flags & FLAG_UTF8_HEADER) != 0;
	e->body = (enum body_type)body;
	e->ret = (enum dsn_ret)ret;
	return version;
}

unsigned envelope_newer(struct slice bytes)
{
	unsigned version = bytes.n > 0 ? (uint8_t)bytes.p[0] : 0;

	return version > VERSION_TAGS ? version : 0;
}

int envelope_unpack(struct slice bytes, struct arena *a,
    struct envelope *env_out)
{
	struct unpack u;
	unsigned version;

	*env_out = (struct envelope){.came_from = "", .subject = "",
	    .egress = "", .srs = "", .login = "", .proxy = "", .spf_by = "",
	    .stripped = "", .from_domain = "", .dkim = ""};
	if (bytes.n > ENVELOPE_MAX)
		return -1;
	unpack_init(&u, bytes);
	version = take_numbers(&u, env_out);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char **to = (void *)((char *)env_out + texts[i]);

		*to = take_text(&u, a);
	}
	if (u.bad)
		return -1;
	take_rcpts(&u, a, env_out);
	if (version != VERSION)
		take_came(&u, a, env_out);
	if (version == VERSION_CAME && !envelope_came_back(env_out))
		u.bad = true;
	if (version == VERSION_TAGS)
		take_tags(&u, a, env_out);
	if (!unpack_end(&u) || !fits_a_command(env_out->from) ||
	    !fits_a_command(env_out->envid) || !fits_a_command(env_out->srs))
		return -1;
	return 0;
}
