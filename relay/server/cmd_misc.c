/* SPDX-License-Identifier: ISC
 *
 * RSET, NOOP, VRFY, EXPN, QUIT.
 */
#include "relay/server/session_int.h"

static enum next say(struct session *s, int code, const char *enh,
    const char *text)
{
	struct reply r;

	reply_set(&r, code, enh, "%s", text);
	return session_say(s, &r);
}

enum next cmd_rset(struct session *s, const struct smtp_cmd *cmd)
{
	if (cmd->arg.n > 0)
		return session_refuse(s, 501, "5.5.4", "RSET stands alone");
	tx_end(s);
	return say(s, 250, "2.0.0", "Ok");
}

enum next cmd_noop(struct session *s, const struct smtp_cmd *cmd)
{
	(void)cmd;
	return say(s, 250, "2.0.0", "Ok");
}

/* VRFY tells nothing: whether a recipient exists is said at RCPT, by the
 * policy of the domain. */
enum next cmd_vrfy(struct session *s, const struct smtp_cmd *cmd)
{
	if (cmd->arg.n == 0)
		return session_refuse(s, 501, "5.5.4", "VRFY whom?");
	return say(s, 252, "2.5.0", "Send the mail, RCPT will tell");
}

enum next cmd_expn(struct session *s, const struct smtp_cmd *cmd)
{
	(void)cmd;
	return session_refuse(s, 502, "5.5.1", "EXPN is not offered");
}

enum next cmd_quit(struct session *s, const struct smtp_cmd *cmd)
{
	(void)cmd;
	tx_end(s);
	say(s, 221, "2.0.0", "Bye");
	return NEXT_CLOSE;
}
