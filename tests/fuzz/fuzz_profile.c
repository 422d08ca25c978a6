/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a reply profile: taken or refused in a sentence; what is taken
 * can be matched against.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/profile.h"
#include "relay/mail/reply_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The phrase without its gaps and stars, as a reply would say it. */
static void check_phrase(const char *phrase)
{
	struct slice rest = slice_str(phrase), word;
	struct reply_words w;
	struct strbuf text;

	strbuf_init(&text, 4096);
	while (slice_next(&rest, ' ', &word)) {
		if (slice_eq(word, SLICE("...")))
			continue;
		if (slice_eq(word, SLICE(REPLY_ADDRESS)))
			word = SLICE("192.0.2.7");
		else if (word.n > 1 && word.p[word.n - 1] == '*')
			word.n--;
		strbuf_addsl(&text, word);
		strbuf_addc(&text, ' ');
	}
	reply_words_read(strbuf_view(&text), &w);
	if (strlen(w.text) >= REPLY_WORDS_MAX)
		abort();
	(void)reply_words_have(&w, phrase);
	strbuf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	struct conf_profile p;
	struct error err = {0};
	bool known = false;

	if (conf_profile_parse(slice_of(data, n), "x", a, &p, &err) != 0) {
		if (strncmp(err.text, "x:", 2) != 0)
			abort();
		arena_free(a);
		return 0;
	}
	for (int i = 0; i < p.replies; i++) {
		const struct conf_reply *r = &p.reply[i];

		if (r->low < 400 || r->high > 599 || r->low > r->high ||
		    r->stages == 0 || r->class >= CLASSES)
			abort();
		for (int k = 0; k < r->text.count; k++)
			check_phrase(r->text.s[k]);
		known |= r->enh != NULL && conf_enhanced_fits(r->enh, "5.1.1");
	}
	(void)known;
	arena_free(a);
	return 0;
}
