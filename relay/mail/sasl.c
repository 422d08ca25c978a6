/* SPDX-License-Identifier: ISC
 *
 * See sasl.h. Base64 is that of RFC 4648 4 and no other: whole groups of
 * four, '=' at the end alone, no blank.
 */
#include "relay/mail/sasl.h"

#include <string.h>

#include "relay/base/attr.h"

static const struct {
	const char *name;
	enum sasl_mechanism mechanism;
	const char *challenge; /* the first one */
} mechanisms[] = {
	{ "PLAIN", SASL_PLAIN, "" },
	{ "LOGIN", SASL_LOGIN, "VXNlcm5hbWU6" }, /* "Username:" */
};

static const char ask_password[] = "UGFzc3dvcmQ6"; /* "Password:" */

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* A group of four into `out`: how many bytes it gives, -1: it is none. */
static int group(const char *in, bool last, char out[3])
{
	int pad = !last || in[3] != '=' ? 0 : in[2] == '=' ? 2 : 1;
	unsigned bits = 0;

	for (int i = 0; i < 4; i++) {
		int d = i < 4 - pad ? digit(in[i]) : 0;

		if (d < 0)
			return -1;
		bits = bits << 6 | (unsigned)d;
	}
	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8);
	out[2] = (char)bits;
	return 3 - pad;
}

/* Behind what is there already. */
static bool decode(struct sasl *s, struct slice in)
{
	if (in.n % 4 != 0 || in.n > SASL_LINE_MAX ||
	    s->n + in.n / 4 * 3 > sizeof(s->text))
		return false;
	for (size_t i = 0; i < in.n; i += 4) {
		char out[3];
		int n = group(in.p + i, i + 4 == in.n, out);

		if (n < 0)
			return false;
		memcpy(s->text + s->n, out, (size_t)n);
		s->n += (size_t)n;
	}
	return true;
}

static enum sasl_next whole(const struct credentials *c)
{
	bool ok = c->name.n > 0 && c->password.n > 0 &&
		  slice_find(c->name, '\0') < 0 &&
		  slice_find(c->password, '\0') < 0;

	return ok ? SASL_DONE : SASL_MALFORMED;
}

/* [identity] NUL name NUL password */
static enum sasl_next plain(const struct sasl *s, struct credentials *out)
{
	struct slice rest = slice_of(s->text, s->n), identity;
	long at = slice_find(rest, '\0');

	if (at < 0)
		return SASL_MALFORMED;
	identity = slice_head(rest, (size_t)at);
	rest = slice_from(rest, (size_t)at + 1);
	at = slice_find(rest, '\0');
	if (at < 0)
		return SASL_MALFORMED;
	out->name = slice_head(rest, (size_t)at);
	out->password = slice_from(rest, (size_t)at + 1);
	if (identity.n > 0 && !slice_eq(identity, out->name))
		return SASL_MALFORMED;
	return whole(out);
}

static enum sasl_next login(struct sasl *s, const char **challenge_out,
    struct credentials *out)
{
	if (!s->named) {
		s->named = true;
		s->name_n = s->n;
		*challenge_out = ask_password;
		return SASL_ASK;
	}
	out->name = slice_of(s->text, s->name_n);
	out->password = slice_of(s->text + s->name_n, s->n - s->name_n);
	return whole(out);
}

static enum sasl_next take(struct sasl *s, struct slice coded,
    const char **challenge_out, struct credentials *out)
{
	if (!decode(s, coded))
		return SASL_MALFORMED;
	return s->mechanism == SASL_PLAIN ? plain(s, out)
					  : login(s, challenge_out, out);
}

/* The first word of `arg`, which is cut off it. */
static int mechanism_of(struct slice *arg)
{
	long blank = slice_find(*arg, ' ');
	struct slice name = blank < 0 ? *arg
				      : slice_head(*arg, (size_t)blank);

	*arg = slice_trim(slice_from(*arg, name.n));
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (slice_case_eq(name, slice_str(mechanisms[i].name)))
			return (int)i;
	return -1;
}

enum sasl_next sasl_begin(struct sasl *s, struct slice arg,
    const char **challenge_out, struct credentials *out)
{
	int i = mechanism_of(&arg);

	s->mechanism = SASL_NONE;
	s->named = false;
	s->name_n = s->n = 0;
	if (i < 0)
		return SASL_UNKNOWN;
	s->mechanism = mechanisms[i].mechanism;
	*challenge_out = mechanisms[i].challenge;
	if (arg.n == 0)
		return SASL_ASK;
	if (slice_eq(arg, SLICE("=")))
		arg.n = 0;
	return take(s, arg, challenge_out, out);
}

enum sasl_next sasl_respond(struct sasl *s, struct slice line,
    const char **challenge_out, struct credentials *out)
{
	if (slice_eq(line, SLICE("*")))
		return SASL_CANCELLED;
	return take(s, line, challenge_out, out);
}

void sasl_fini(struct sasl *s)
{
	if (s != NULL)
		explicit_bzero(s, sizeof(*s));
}

const char *sasl_said(struct slice arg)
{
	int i = mechanism_of(&arg);

	return i < 0 ? "" : mechanisms[i].name;
}
