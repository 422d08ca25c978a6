/* SPDX-License-Identifier: ISC
 *
 * Domain names and address literals (RFC 5321 4.1.2 and 4.1.3, RFC 5890,
 * UTS #46). A name of ASCII never meets libidn2: it is checked and folded
 * here, so the common case costs no allocation. A name with U-labels is
 * mapped first, and what comes out is checked like any other name: mapping
 * can produce dots, slashes and empty labels out of look-alikes.
 */
#include "relay/mail/domain.h"

#include <arpa/inet.h>

#include <idn2.h>

#include "relay/base/utf8.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX = 63, LITERAL_MAX = 255 };

bool ascii_only(struct slice s)
{
	uint64_t eight, high = 0;
	size_t i = 0;

	for (; i + sizeof(eight) <= s.n; i += sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		high |= eight;
	}
	for (; i < s.n; i++)
		high |= (unsigned char)s.p[i];
	return (high & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_label_char(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_';
}

static const char *label_fault(struct slice label)
{
	if (label.n == 0)
		return "Empty label in domain";
	if (label.n > LABEL_MAX)
		return "Label of domain over 63 characters";
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return "Label of domain begins or ends with a hyphen";
	return NULL;
}

static const char *ascii_fault(struct slice d)
{
	bool more;

	if (d.n == 0)
		return "Empty domain";
	if (d.n > NAME_MAX_BYTES)
		return "Domain over 253 characters";
	do {
		const char *fault;
		size_t n = 0;

		while (n < d.n && is_label_char(d.p[n]))
			n++;
		if (n < d.n && d.p[n] != '.')
			return "Character not allowed in domain";
		fault = label_fault(slice_head(d, n));
		if (fault != NULL)
			return fault;
		more = n < d.n;
		d = slice_from(d, n + 1);
	} while (more);
	return NULL;
}

/* The A-labels of a name with U-labels; false when there are none. */
static bool mapped(struct slice d, struct strbuf *out)
{
	char name[LITERAL_MAX + 1];
	uint8_t *ascii = NULL;
	struct slice result;
	bool ok;

	if (d.n > LITERAL_MAX || !utf8_valid(d) || slice_find(d, '\0') >= 0)
		return false;
	memcpy(name, d.p, d.n);
	name[d.n] = '\0';
	if (idn2_lookup_u8((const uint8_t *)name, &ascii,
		IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return false;
	result = slice_str((const char *)ascii);
	ok = ascii_fault(result) == NULL;
	if (ok)
		strbuf_addsl(out, result);
	idn2_free(ascii);
	return ok && strbuf_ok(out);
}

int domain_check(struct slice d, bool utf8, const char **why_out)
{
	struct strbuf ascii;
	bool ok;

	if (ascii_only(d)) {
		*why_out = ascii_fault(d);
		return *why_out == NULL ? 0 : -1;
	}
	if (!utf8) {
		*why_out = "8-bit character in domain";
		return -1;
	}
	strbuf_init(&ascii, NAME_MAX_BYTES);
	ok = mapped(d, &ascii);
	strbuf_fini(&ascii);
	*why_out = ok ? NULL : "Domain is no internationalized name";
	return ok ? 0 : -1;
}

bool domain_of_host(struct slice d, bool utf8, const char **why_out)
{
	if (domain_check(d, utf8, why_out) < 0)
		return false;
	if (slice_find(d, '_') < 0)
		return true;
	*why_out = "Underscore in domain";
	return false;
}

/* RFC 5321 4.1.3: "::" stands for two groups or more, so six others fit. */
static bool ipv6_syntax(const char *text)
{
	struct in6_addr address;
	int groups = strchr(text, '.') != NULL ? 1 : 0;
	const char *p = text;

	if (inet_pton(AF_INET6, text, &address) != 1)
		return false;
	if (strstr(text, "::") == NULL)
		return true;
	for (; *p != '\0'; p++)
		if (*p != ':' && (p == text || p[-1] == ':'))
			groups++;
	return groups <= 6;
}

static bool literal_ok(struct slice d)
{
	static const struct slice tag = {"IPv6:", 5};
	struct in_addr address;
	char text[64];

	if (d.n < 2 || d.p[0] != '[' || d.p[d.n - 1] != ']')
		return false;
	d = slice_head(slice_from(d, 1), d.n - 2);
	if (d.n >= sizeof(text) || slice_find(d, '\0') >= 0)
		return false;
	memcpy(text, d.p, d.n);
	text[d.n] = '\0';
	if (slice_case_starts(d, tag))
		return ipv6_syntax(text + tag.n);
	/* inet_pton() refuses 010.0.0.1, which means two hosts to two
	 * readers. */
	return inet_pton(AF_INET, text, &address) == 1;
}

int domain_literal_check(struct slice d, const char **why_out)
{
	bool ok = literal_ok(d);

	*why_out = ok ? NULL : "Bad address literal";
	return ok ? 0 : -1;
}

bool domain_normal(struct slice d, struct strbuf *out)
{
	bool literal = d.n > 0 && d.p[0] == '[';
	char *to;

	if (!ascii_only(d))
		return mapped(d, out);
	if (literal ? !literal_ok(d) : ascii_fault(d) != NULL)
		return false;
	to = strbuf_reserve(out, d.n);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < d.n; i++)
		to[i] = ascii_lower(d.p[i]);
	strbuf_used(out, d.n);
	return true;
}

bool domain_is(struct slice d, struct slice normal)
{
	struct strbuf b;
	bool is;

	strbuf_init(&b, LITERAL_MAX);
	is = domain_normal(d, &b) && slice_eq(strbuf_view(&b), normal);
	strbuf_fini(&b);
	return is;
}
