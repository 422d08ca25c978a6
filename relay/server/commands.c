/* SPDX-License-Identifier: ISC
 *
 * From bytes to a command that runs. What is allowed when is data: the table
 * below (RFC 5321 4.1.4).
 */
#include "relay/base/assert.h"
#include "relay/server/session_int.h"

enum {
	IDLE = 1, /* brings no mail further: counted by limits.commands */
	LAST = 2, /* no byte may follow before our reply (RFC 2920 3.1) */
	LOGIN = 4, /* its argument is secret; unknown without users */
	SAYS = IDLE | LOGIN,
};

struct command {
	const char *verb;
	unsigned allowed;
	unsigned flags;
	enum stage stage;
	enum next (*run)(struct session *s, const struct smtp_cmd *cmd);
};

static enum next cmd_help(struct session *s, const struct smtp_cmd *cmd);
static bool is_known(const struct session *s, const struct command *c);

/* clang-format off */
static const struct command commands[] = {
	/* verb       allowed in                   flags  stage          run          */
	{ "EHLO",     ANY & ~IN(ST_BDAT),           IDLE,  STAGE_HELO,    cmd_ehlo     },
	{ "HELO",     ANY & ~IN(ST_BDAT),           IDLE,  STAGE_HELO,    cmd_helo     },
	{ "STARTTLS", IN(ST_HELLO) | IN(ST_READY),  LAST,  STAGE_TLS,     cmd_starttls },
	{ "AUTH",     IN(ST_HELLO) | IN(ST_READY),  SAYS,  STAGE_AUTH,    cmd_auth     },
	{ "MAIL",     IN(ST_HELLO) | IN(ST_READY),  0,     STAGE_MAIL,    cmd_mail     },
	{ "RCPT",     IN(ST_MAIL) | IN(ST_RCPT),    0,     STAGE_RCPT,    cmd_rcpt     },
	{ "DATA",     IN(ST_MAIL) | IN(ST_RCPT),    LAST,  STAGE_DATA,    cmd_data     },
	{ "BDAT",     ANY, /* eats its octets */    0,     STAGE_BDAT,    cmd_bdat     },
	{ "RSET",     ANY,                          IDLE,  STAGE_COMMAND, cmd_rset     },
	{ "NOOP",     ANY,                          IDLE,  STAGE_COMMAND, cmd_noop     },
	{ "VRFY",     ANY,                          IDLE,  STAGE_COMMAND, cmd_vrfy     },
	{ "EXPN",     ANY,                          IDLE,  STAGE_COMMAND, cmd_expn     },
	{ "HELP",     ANY,                          IDLE,  STAGE_COMMAND, cmd_help     },
	{ "QUIT",     ANY,                          0,     STAGE_COMMAND, cmd_quit     },
};
/* clang-format on */

/* HELP lists the table, so it stands beside it. */
static enum next cmd_help(struct session *s, const struct smtp_cmd *cmd)
{
	struct reply r;
	struct strbuf text;
	enum next next;

	(void)cmd;
	strbuf_init(&text, 256);
	strbuf_adds(&text, "Commands:");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (is_known(s, &commands[i]))
			strbuf_addf(&text, " %s", commands[i].verb);
	reply_set(&r, 214, "2.0.0", "%s", strbuf_cstr(&text));
	next = session_say(s, &r);
	strbuf_fini(&text);
	return next;
}

/* A browser that was made to speak to us: what follows is the attacker's. */
static const char *const http_verbs[] = {"GET", "POST", "PUT", "HEAD",
    "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI"};

static bool is_known(const struct session *s, const struct command *c)
{
	return (c->flags & LOGIN) == 0 || auth_known(s);
}

static const struct command *find(const struct session *s, struct slice verb)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (slice_case_eq(verb, slice_str(commands[i].verb)))
			return is_known(s, &commands[i]) ? &commands[i] : NULL;
	return NULL;
}

static bool is_http(struct slice verb)
{
	for (size_t i = 0; i < ARRAY_LEN(http_verbs); i++)
		if (slice_case_eq(verb, slice_str(http_verbs[i])))
			return true;
	return false;
}

/* A line that is no command of ours. Old clients say AUTH where it is not
 * offered, and some send the login behind it without listening: what may be a
 * password is not put on record. */
static void say_line(struct session *s, struct slice line)
{
	struct slice words = slice_trim(line);

	if (s->secrets) {
		session_said(s, slice_of("", 0));
	} else if (slice_case_starts(words, SLICE("AUTH"))) {
		s->secrets = true;
		session_said(s, SLICE("AUTH"));
	} else {
		session_said(s, line);
	}
}

/* A command is answered now, unless the owner or its octets come first. */
static enum next run_answered(struct session *s, const struct command *c,
    const struct smtp_cmd *cmd)
{
	unsigned before = s->replies;
	enum next next = c->run(s, cmd);

	PH_ASSERT((next == NEXT_WAIT || next == NEXT_CHUNK) ==
		  (s->replies == before));
	return next;
}

static enum next run(struct session *s, const struct smtp_cmd *cmd)
{
	const struct command *c = find(s, cmd->verb);
	bool login = c != NULL && (c->flags & LOGIN) != 0;

	if (c == NULL && is_http(cmd->verb))
		return session_bye(s, 554, "5.5.1", "This is SMTP");
	if (c == NULL)
		return session_refuse(s, 500, "5.5.1", "Unknown command");
	s->stage = c->stage;
	s->secrets = login;
	session_said(s, login ? slice_str(sasl_said(cmd->arg)) : cmd->arg);
	if ((c->flags & LAST) && s->pipelined)
		return session_bye(s, 554, "5.5.0",
		    "Sent ahead of the reply to this command");
	if ((c->allowed & IN(s->state)) == 0)
		return session_refuse(s, 503, "5.5.1", "Not in this order");
	if ((c->flags & IDLE) && session_idles(s))
		return session_bye(s, 421, "4.7.0", "Too many commands");
	return run_answered(s, c, cmd);
}

static enum next run_line(struct session *s, struct slice line)
{
	struct smtp_cmd cmd;
	const char *why;

	s->stage = STAGE_COMMAND;
	say_line(s, line);
	if (smtp_cmd_parse(line, &cmd, &why) != 0)
		return session_refuse(s, 500, "5.5.2", why);
	return run(s, &cmd);
}

static enum next too_long(struct session *s, struct slice line)
{
	enum next next;

	s->stage = STAGE_COMMAND;
	say_line(s, line);
	next = session_refuse(s, 500, "5.5.6", "Line is too long");
	return ++s->long_lines < 2 ? next : NEXT_CLOSE;
}

/* Takes what belongs to a line that was too long. */
static enum next skip(struct session *s, struct slice *rest)
{
	long lf = slice_find(*rest, '\n');

	s->skipping = lf < 0;
	*rest = slice_from(*rest, lf < 0 ? rest->n : (size_t)lf + 1);
	return NEXT_STAY;
}

static enum next bare_line(struct session *s, struct slice line)
{
	s->stage = STAGE_COMMAND;
	say_line(s, line);
	return session_bye(s, 521, "5.5.2", "Lines end with CR LF");
}

/* AUTH may bring a whole login along (RFC 4954 4). */
static size_t line_max(const struct session *s, struct slice line)
{
	return auth_offered(s) && slice_case_starts(slice_trim(line),
	    SLICE("AUTH ")) ? (size_t)SASL_LINE_MAX : (size_t)CMD_LINE_MAX;
}

/* One line. A line that ends with a bare LF is none (T6), and where its
 * sender saw the next command begin we can only guess: the session ends. */
enum next commands_input(struct session *s, struct slice *rest)
{
	long lf;
	struct slice line;

	if (s->skipping)
		return skip(s, rest);
	lf = slice_find(*rest, '\n');
	if (lf < 0 && rest->n <= line_max(s, *rest) + 1)
		return NEXT_STAY;
	if (lf < 0) {
		line = *rest;
		skip(s, rest);
		return too_long(s, line);
	}
	line = slice_head(*rest, (size_t)lf);
	*rest = slice_from(*rest, (size_t)lf + 1);
	s->pipelined = rest->n > 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	else if (!s->normalize)
		return bare_line(s, line);
	else
		s->repaired = true;
	return line.n > line_max(s, line) ? too_long(s, line)
					  : run_line(s, line);
}
