/* SPDX-License-Identifier: ISC
 *
 * A command line into verb and argument, and the argument of BDAT (RFC 5321
 * 4.1.1, RFC 3030). Those of MAIL and RCPT are in params.c.
 */
#include "relay/mail/cmd.h"

/* The next word; blanks and TABs are between words. */
static bool next_word(struct slice *s, struct slice *word_out)
{
	size_t n = 0;

	*s = slice_trim(*s);
	while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t')
		n++;
	*word_out = slice_head(*s, n);
	*s = slice_from(*s, n);
	return n > 0;
}

int smtp_cmd_parse(struct slice line, struct smtp_cmd *cmd_out,
    const char **why_out)
{
	*cmd_out = (struct smtp_cmd){.verb = slice_of("", 0)};
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '\0' || line.p[i] == '\r' ||
		    line.p[i] == '\n') {
			*why_out = "NUL or bare CR in command";
			return -1;
		}
	}
	if (!next_word(&line, &cmd_out->verb)) {
		*why_out = "No command";
		return -1;
	}
	cmd_out->arg = slice_trim(line);
	*why_out = NULL;
	return 0;
}

int bdat_parse(struct slice arg, uint64_t *size_out, bool *last_out)
{
	struct slice size, last;

	if (!next_word(&arg, &size) || !slice_uint(size, INT64_MAX, size_out))
		return -1;
	*last_out = next_word(&arg, &last);
	if (!*last_out)
		return 0;
	return slice_case_eq(last, SLICE("LAST")) && slice_trim(arg).n == 0
		   ? 0 : -1;
}
