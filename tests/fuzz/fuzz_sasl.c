/* SPDX-License-Identifier: ISC
 *
 * Lines of a login, LF between: the argument of AUTH, then responses. What is
 * taken for a login has a name and a password without a NUL.
 */
#include "relay/mail/sasl.h"
#include "tests/fuzz/fuzz.h"

static void must_be_whole(const struct sasl *s, const struct credentials *c)
{
	struct slice text = slice_of(s->text, sizeof(s->text));

	must(within(c->name, text) && within(c->password, text));
	must(c->name.n > 0 && c->password.n > 0);
	must(slice_find(c->name, '\0') < 0);
	must(slice_find(c->password, '\0') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sasl s;
	struct slice in = slice_of(data, size), line;
	const char *challenge = NULL;
	struct credentials c;
	enum sasl_next next;

	if (!slice_next(&in, '\n', &line))
		return 0;
	must(sasl_said(line) != NULL);
	next = sasl_begin(&s, line, &challenge, &c);
	while (next == SASL_ASK && slice_next(&in, '\n', &line)) {
		must(challenge != NULL);
		next = sasl_respond(&s, line, &challenge, &c);
	}
	if (next == SASL_DONE)
		must_be_whole(&s, &c);
	sasl_fini(&s);
	return 0;
}
