/* SPDX-License-Identifier: ISC
 *
 * The fate of one recipient at one attempt, to and from bytes.
 */
#include "relay/mail/result.h"

#include "relay/base/pack.h"

/* The first had no tls_failed. */
enum { VERSION = 2 };

static const char *const class_texts[CLASSES] = {
	[CLASS_NONE] = "none",
	[CLASS_MESSAGE] = "message",
	[CLASS_RECIPIENT] = "recipient",
	[CLASS_THROTTLE] = "throttle",
	[CLASS_MAILBOX] = "mailbox",
	[CLASS_CONFIGURATION] = "configuration",
	[CLASS_NETWORK] = "network",
	[CLASS_AUTHENTICATION] = "authentication",
	[CLASS_LOOP] = "loop",
	[CLASS_SPLIT] = "split",
};

const char *reply_class_text(enum reply_class c)
{
	return c < CLASSES ? class_texts[c] : "?";
}

void result_pack(const struct result *r, struct strbuf *out)
{
	pack_u8(out, VERSION);
	pack_u8(out, (uint8_t)r->outcome);
	pack_u8(out, (uint8_t)r->class);
	pack_u16(out, (uint16_t)r->code);
	pack_u8(out, r->uncertain);
	pack_str(out, r->enh);
	pack_str(out, stage_text(r->stage));
	pack_str(out, r->remote);
	pack_str(out, r->text);
	pack_str(out, r->tls);
	pack_str(out, r->address);
	pack_str(out, r->tls_failed == NULL ? "" : r->tls_failed);
}

static const char *take_text(struct unpack *u, struct arena *a)
{
	struct slice s = unpack_bytes(u);

	if (slice_find(s, '\0') >= 0)
		u->bad = true;
	return u->bad ? "" : arena_slicedup(a, s);
}

static void take_enhanced(struct unpack *u, struct result *r)
{
	struct slice s = unpack_bytes(u);

	if (s.n >= sizeof(r->enh) || slice_find(s, '\0') >= 0)
		u->bad = true;
	else if (s.n > 0)
		memcpy(r->enh, s.p, s.n);
}

int result_unpack(struct slice bytes, struct arena *a,
    struct result *result_out)
{
	struct result *r = result_out;
	unsigned version, outcome, class, uncertain;
	struct unpack u;

	*r = (struct result){.code = 0};
	unpack_init(&u, bytes);
	version = unpack_u8(&u);
	outcome = unpack_u8(&u);
	class = unpack_u8(&u);
	r->code = unpack_u16(&u);
	uncertain = unpack_u8(&u);
	take_enhanced(&u, r);
	r->stage = stage_parse(unpack_bytes(&u));
	r->remote = take_text(&u, a);
	r->text = take_text(&u, a);
	r->tls = take_text(&u, a);
	r->address = take_text(&u, a);
	r->tls_failed = version > 1 ? take_text(&u, a) : "";
	if (version < 1 || version > VERSION || outcome > OUT_PARKED ||
	    class >= CLASSES || uncertain > 1 || r->code > 599)
		return -1;
	r->outcome = (enum outcome)outcome;
	r->class = (enum reply_class)class;
	r->uncertain = uncertain != 0;
	return unpack_end(&u) ? 0 : -1;
}

int result_code(struct slice packed)
{
	struct unpack u;
	unsigned code;

	unpack_init(&u, packed);
	unpack_u8(&u); /* the version; all have the same beginning */
	unpack_u8(&u);
	unpack_u8(&u);
	code = unpack_u16(&u);
	return u.bad || code > 599 ? 0 : (int)code;
}

enum reply_class result_class(struct slice packed)
{
	struct unpack u;
	unsigned class;

	unpack_init(&u, packed);
	unpack_u8(&u);
	unpack_u8(&u);
	class = unpack_u8(&u);
	return u.bad || class >= CLASSES ? CLASS_NONE
					 : (enum reply_class)class;
}
