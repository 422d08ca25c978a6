/* SPDX-License-Identifier: ISC
 *
 * A carried message to and from JSON. What comes in is a file that anything
 * may have written: each value is checked as one from the disk is.
 */
#include "relay/control/carried.h"

#include <openssl/evp.h>

#include "relay/base/id.h"

enum { RCPTS_MAX = 1 << 20 /* queue.h */, REASONS = 64 };

/* ---- the envelope ---- */

enum kind { TEXT, FLAG, TIME, NUMBER, BYTES };

/* A value that this version knows; a new one is a row. */
static const struct value {
	const char *key;
	size_t at; /* in struct envelope */
	enum kind kind;
} values[] = {
	/* clang-format off */
	{ "from",        offsetof(struct envelope, from),        TEXT   },
	{ "envid",       offsetof(struct envelope, envid),       TEXT   },
	{ "utf8",        offsetof(struct envelope, utf8),        FLAG   },
	{ "accepted_us", offsetof(struct envelope, accepted_us), TIME   },
	{ "size",        offsetof(struct envelope, size),        NUMBER },
	{ "client",      offsetof(struct envelope, client),      TEXT   },
	{ "client_name", offsetof(struct envelope, client_name), TEXT   },
	{ "listen",      offsetof(struct envelope, listen),      TEXT   },
	{ "helo",        offsetof(struct envelope, helo),        TEXT   },
	{ "esmtp",       offsetof(struct envelope, esmtp),       FLAG   },
	{ "tls",         offsetof(struct envelope, tls),         TEXT   },
	{ "message_id",  offsetof(struct envelope, message_id),  TEXT   },
	{ "subject",     offsetof(struct envelope, subject),     TEXT   },
	{ "spf",         offsetof(struct envelope, spf),         TEXT   },
	{ "bare_lf",     offsetof(struct envelope, bare_lf),     FLAG   },
	{ "eight_bit",   offsetof(struct envelope, eight_bit),   FLAG   },
	{ "utf8_header", offsetof(struct envelope, utf8_header), FLAG   },
	{ "came_from",   offsetof(struct envelope, came_from),   TEXT   },
	{ "egress",      offsetof(struct envelope, egress),      TEXT   },
	{ "srs",         offsetof(struct envelope, srs),         TEXT   },
	{ "login",       offsetof(struct envelope, login),       TEXT   },
	{ "proxy",       offsetof(struct envelope, proxy),       TEXT   },
	{ "spf_by",      offsetof(struct envelope, spf_by),      TEXT   },
	{ "stripped",    offsetof(struct envelope, stripped),    TEXT   },
	{ "from_domain", offsetof(struct envelope, from_domain), TEXT   },
	{ "dkim",        offsetof(struct envelope, dkim),        TEXT   },
	{ "unknown",     offsetof(struct envelope, unknown),     BYTES  },
	/* clang-format on */
};

static const char *const bodies[] = {
	[BODY_7BIT] = "7bit",
	[BODY_8BITMIME] = "8bitmime",
	[BODY_BINARYMIME] = "binarymime",
};

static const char *const rets[] = {
	[RET_NONE] = "", [RET_FULL] = "full", [RET_HDRS] = "hdrs",
};

static const char *const uncertains[] = {
	[UNC_NO] = "no", [UNC_POSSIBLE] = "possible", [UNC_YES] = "yes",
};

static const void *const_at(const struct envelope *e, const struct value *v)
{
	return (const char *)e + v->at;
}

static void print_bytes(struct jout *j, const char *key, struct slice bytes)
{
	char *text = mem_new(bytes.n / 3 * 4 + 8);

	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.p,
	    (int)bytes.n);
	jout_str(j, key, text);
	mem_free(text);
}

static void print_value(struct jout *j, const struct envelope *e,
    const struct value *v)
{
	switch (v->kind) {
	case TEXT:
		jout_str(j, v->key, *(const char *const *)const_at(e, v));
		break;
	case FLAG:
		jout_bool(j, v->key, *(const bool *)const_at(e, v));
		break;
	case TIME:
		jout_int(j, v->key, *(const int64_t *)const_at(e, v));
		break;
	case NUMBER:
		jout_int(j, v->key,
		    (int64_t)*(const uint64_t *)const_at(e, v));
		break;
	case BYTES:
		print_bytes(j, v->key,
		    *(const struct slice *)const_at(e, v));
		break;
	}
}

void carried_print_envelope(struct jout *j, const struct envelope *e)
{
	char id[ID_TEXT];

	id_text(e->id, id);
	jout_str(j, "id", id);
	jout_str(j, "body", bodies[e->body]);
	jout_str(j, "ret", rets[e->ret]);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		print_value(j, e, &values[i]);
	if (e->parent == 0)
		return;
	id_text(e->parent, id);
	jout_str(j, "parent", id);
}

void carried_print_rcpt(struct jout *j, const struct envelope *e, unsigned i)
{
	const struct envelope_rcpt *r = &e->rcpt[i];

	jout_str(j, "to", r->to);
	jout_int(j, "notify", r->notify);
	jout_str(j, "orcpt", r->orcpt);
	jout_array(j, "had");
	for (unsigned k = 0; k < e->had_legs; k++)
		if ((r->had & 1u << k) != 0)
			jout_str(j, NULL, e->had_leg[k]);
	jout_array_end(j);
}

void carried_print_delivery(struct jout *j, const struct names *names,
    const struct spool_delivery *d, struct slice detail)
{
	jout_int(j, "rcpt", d->rcpt);
	jout_str(j, "leg", names_text(names, d->leg));
	jout_str(j, "role", role_text(d->role));
	jout_str(j, "state", dstate_text(d->state));
	jout_str(j, "uncertain", uncertains[d->uncertain]);
	jout_int(j, "reason", d->reason);
	jout_int(j, "flags", d->flags);
	jout_int(j, "attempts", d->attempts);
	jout_int(j, "created_us", d->created_us);
	jout_int(j, "due_us", d->due_us);
	jout_int(j, "change", (int64_t)d->change);
	print_bytes(j, "detail", detail);
}

/* ---- and back ---- */

/* The text of a key, "" when it is absent; NULL when it is no text. */
static const char *text_of(const json_t *o, const char *key, struct arena *a)
{
	const json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);

	if (v == NULL || json_is_null(v))
		return "";
	/* jansson ends a text with a NUL and says how long it is. */
	if (s == NULL || strlen(s) != json_string_length(v))
		return NULL;
	return arena_strdup(a, s);
}

static int word_of(const json_t *o, const char *key, const char *const *words,
    size_t n)
{
	const char *s = json_string_value(json_object_get(o, key));

	for (size_t i = 0; s != NULL && i < n; i++)
		if (strcmp(words[i], s) == 0)
			return (int)i;
	return -1;
}

static bool number_of(const json_t *o, const char *key, int64_t max,
    int64_t *out)
{
	const json_t *v = json_object_get(o, key);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= 0 && *out <= max;
}

static bool take_value(const json_t *o, struct arena *a,
    const struct value *v, struct envelope *e)
{
	void *at = (char *)e + v->at;
	const json_t *bytes = json_object_get(o, v->key);
	int64_t n;

	switch (v->kind) {
	case TEXT:
		*(const char **)at = text_of(o, v->key, a);
		return *(const char **)at != NULL;
	case FLAG:
		*(bool *)at = json_is_true(json_object_get(o, v->key));
		return true;
	case TIME:
		return number_of(o, v->key, INT64_MAX, at);
	case NUMBER:
		if (!number_of(o, v->key, INT64_MAX, &n))
			return false;
		*(uint64_t *)at = (uint64_t)n;
		return true;
	case BYTES:
		return bytes == NULL || carried_bytes(bytes, a, at);
	}
	return false;
}

/* The id of a key; true and 0 when it is absent. */
static bool id_of(const json_t *o, const char *key, uint64_t *id_out)
{
	const char *s = json_string_value(json_object_get(o, key));

	*id_out = 0;
	return s == NULL || id_parse(slice_str(s), id_out) == 0;
}

const char *carried_take_envelope(const json_t *o, struct arena *a,
    struct envelope *e)
{
	int body = word_of(o, "body", bodies, ARRAY_LEN(bodies));
	int ret = word_of(o, "ret", rets, ARRAY_LEN(rets));

	*e = (struct envelope){.came_from = ""};
	if (!id_of(o, "id", &e->id) || e->id == 0)
		return "\"id\" is no message id";
	if (!id_of(o, "parent", &e->parent))
		return "\"parent\" is no message id";
	if (body < 0)
		return "\"body\" is none of 7bit, 8bitmime, binarymime";
	if (ret < 0)
		return "\"ret\" is neither full nor hdrs nor empty";
	e->body = (enum body_type)body;
	e->ret = (enum dsn_ret)ret;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (!take_value(o, a, &values[i], e))
			return values[i].kind == TEXT ||
				    values[i].kind == BYTES
			    ? "a value that should be text is something else"
			    : "accepted_us or size is absent or no number";
	return NULL;
}

const char *carried_take_rcpt(const json_t *o, struct arena *a,
    struct envelope *e, struct envelope_rcpt *r)
{
	const json_t *had = json_object_get(o, "had");
	int64_t notify;

	*r = (struct envelope_rcpt){.to = text_of(o, "to", a),
	    .orcpt = text_of(o, "orcpt", a)};
	if (r->to == NULL || r->to[0] == '\0' || r->orcpt == NULL)
		return "a recipient has no address, or one that is no text";
	if (!number_of(o, "notify", NOTIFY_NEVER, &notify))
		return "\"notify\" of a recipient is not a number from 0 to 8";
	r->notify = (unsigned)notify;
	for (size_t i = 0; i < json_array_size(had); i++) {
		const char *leg = json_string_value(json_array_get(had, i));
		uint16_t bit = leg == NULL ? 0 : envelope_had(e, a, leg);

		if (bit == 0)
			return "\"had\" of a recipient is no list of legs, or "
			       "too long a one";
		r->had |= bit;
	}
	return NULL;
}

static const char *take_state(const json_t *o, struct spool_delivery *d)
{
	static const char *const roles[] = {"primary", "copy"};
	const char *state = json_string_value(json_object_get(o, "state"));
	int s = dstate_parse(slice_str(state));
	int role = word_of(o, "role", roles, ARRAY_LEN(roles));
	int unc = word_of(o, "uncertain", uncertains, ARRAY_LEN(uncertains));

	if (s <= D_NONE)
		return "\"state\" of a delivery is no state";
	if (role < 0)
		return "\"role\" of a delivery is neither primary nor copy";
	if (unc < 0)
		return "\"uncertain\" of a delivery is none of no, possible, "
		       "yes";
	d->state = (uint8_t)s;
	d->role = (uint8_t)role;
	d->uncertain = (uint8_t)unc;
	return NULL;
}

static const char *take_numbers(const json_t *o, struct spool_delivery *d)
{
	int64_t rcpt, reason, flags, attempts;

	if (!number_of(o, "rcpt", RCPTS_MAX - 1, &rcpt) ||
	    !number_of(o, "reason", REASONS - 1, &reason) ||
	    !number_of(o, "flags", UINT16_MAX, &flags) ||
	    !number_of(o, "attempts", UINT16_MAX, &attempts) ||
	    !number_of(o, "created_us", INT64_MAX, &d->created_us) ||
	    !number_of(o, "due_us", INT64_MAX, &d->due_us))
		return "rcpt, reason, flags, attempts, created_us or due_us of "
		       "a delivery is absent or out of its range";
	d->rcpt = (uint32_t)rcpt;
	d->reason = (uint8_t)reason;
	d->flags = (uint16_t)(flags & DF_KNOWN);
	d->attempts = (uint16_t)attempts;
	return NULL;
}

const char *carried_take_delivery(const json_t *o, struct arena *a,
    const char **leg, struct spool_delivery *d, struct slice *detail)
{
	const char *why;

	*d = (struct spool_delivery){0};
	*leg = text_of(o, "leg", a);
	if (*leg == NULL || (*leg)[0] == '\0' || strlen(*leg) > NAME_BYTES)
		return "\"leg\" of a delivery is no name of up to 32 "
		       "characters";
	why = take_state(o, d);
	if (why == NULL)
		why = take_numbers(o, d);
	if (why == NULL &&
	    !carried_bytes(json_object_get(o, "detail"), a, detail))
		why = "\"detail\" of a delivery is not base64";
	return why;
}

bool carried_bytes(const json_t *text, struct arena *a, struct slice *out)
{
	size_t n = json_string_length(text);
	const char *s = json_string_value(text);
	unsigned char *bytes;
	int got;

	*out = slice_of("", 0);
	if (n == 0)
		return s != NULL;
	bytes = arena_alloc(a, n / 4 * 3 + 4);
	got = EVP_DecodeBlock(bytes, (const unsigned char *)s, (int)n);
	for (size_t i = n; got > 0 && i > 0 && s[i - 1] == '='; i--)
		got--;
	if (got < 0)
		return false;
	*out = slice_of(bytes, (size_t)got);
	return true;
}
