/* SPDX-License-Identifier: ISC
 *
 * The names of the stages of an SMTP dialog. Pure; any thread.
 */
#include "relay/mail/stage.h"

#include "relay/base/attr.h"

static const char *const names[STAGES] = {
	[STAGE_NONE] = "",
	[STAGE_QUEUE] = "queue",
	[STAGE_DNS] = "dns",
	[STAGE_CONNECT] = "connect",
	[STAGE_PROXY] = "proxy",
	[STAGE_GREETING] = "greeting",
	[STAGE_COMMAND] = "command",
	[STAGE_EHLO] = "ehlo",
	[STAGE_HELO] = "helo",
	[STAGE_STARTTLS] = "starttls",
	[STAGE_TLS] = "tls",
	[STAGE_AUTH] = "auth",
	[STAGE_RESPONSE] = "auth",
	[STAGE_XCLIENT] = "xclient",
	[STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt",
	[STAGE_DATA] = "data",
	[STAGE_BDAT] = "bdat",
	[STAGE_BODY] = "body",
	[STAGE_RSET] = "rset",
	[STAGE_IDLE] = "idle",
	[STAGE_QUIT] = "quit",
	[STAGE_DONE] = "done",
};

const char *stage_text(enum stage s)
{
	return (unsigned)s < STAGES ? names[s] : "?";
}

enum stage stage_parse(struct slice name)
{
	for (unsigned s = 0; s < STAGES; s++)
		if (slice_eq(name, slice_str(names[s])))
			return (enum stage)s;
	return STAGE_NONE;
}

bool stage_transacts(enum stage s)
{
	return s >= STAGE_MAIL && s <= STAGE_BODY;
}
