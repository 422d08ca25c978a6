/* SPDX-License-Identifier: ISC
 *
 * A command line into verb and argument, and the arguments of BDAT, EHLO and
 * HELO (RFC 5321 4.1.1, RFC 3030). Those of MAIL and RCPT are in params.c.
 */
#include "relay/mail/cmd.h"

#include "relay/mail/domain.h"

int smtp_cmd_parse(struct slice line, struct smtp_cmd *cmd_out,
    const char **why_out)
{
	long blank;

	*cmd_out = (struct smtp_cmd){.verb = slice_of("", 0)};
	for (size_t i = 0; i < line.n; i++) {
		if ((unsigned char)line.p[i] < ' ' || line.p[i] == 127) {
			*why_out = "Control character in command";
			return -1;
		}
	}
	blank = slice_find(line, ' ');
	if (line.n == 0 || blank == 0) {
		*why_out = "No command";
		return -1;
	}
	cmd_out->verb = slice_head(line, blank < 0 ? line.n : (size_t)blank);
	cmd_out->arg = slice_trim(slice_from(line, cmd_out->verb.n));
	*why_out = NULL;
	return 0;
}

int bdat_parse(struct slice arg, uint64_t *size_out, bool *last_out)
{
	struct slice size;

	if (!slice_next(&arg, ' ', &size) ||
	    !slice_uint(size, INT64_MAX, size_out))
		return -1;
	*last_out = arg.p != NULL;
	return *last_out && !slice_case_eq(arg, SLICE("LAST")) ? -1 : 0;
}

int helo_parse(struct slice arg, struct slice *name_out)
{
	const char *why;

	*name_out = arg;
	if (arg.n == 0 || arg.n > ADDR_DOMAIN_MAX)
		return -1;
	if (arg.p[0] == '[' && domain_literal_check(arg, &why) == 0)
		return 0;
	/* Not the specials of RFC 5322: the name goes into our Received. A
	 * bare or bracketed address that is none, an underscore, an
	 * apostrophe: devices say that, and their mail is wanted. */
	for (size_t i = 0; i < arg.n; i++)
		if (arg.p[i] <= ' ' || arg.p[i] >= 127 ||
		    strchr("()<>@,;\\\"", arg.p[i]) != NULL)
			return -1;
	return 0;
}
