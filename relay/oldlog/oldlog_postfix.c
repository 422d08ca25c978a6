/* SPDX-License-Identifier: ISC
 *
 * Postfix: "Nov 30 12:00:01 mx postfix/smtpd[7]: 4A5C: client=host[192.0.2.7]".
 * A user that logged in is no client of the MX.
 */
#include "relay/oldlog/oldlog.h"

/* The last part of "postfix/submission/smtpd[7]:", without its number. */
static bool cut_program(struct slice *line, struct slice *program_out)
{
	struct slice host, tag;
	long slash, bracket;

	if (!oldlog_cut(line, SLICE(" "), &host) ||
	    !oldlog_cut(line, SLICE(": "), &tag))
		return false;
	bracket = slice_find(tag, '[');
	if (bracket >= 0)
		tag = slice_head(tag, (size_t)bracket);
	slash = slice_rfind(tag, '/');
	if (slash < 0)
		return false;
	*program_out = slice_from(tag, (size_t)slash + 1);
	return true;
}

/* Behind `key`: "host.example[192.0.2.7]", "unknown[2001:db8::7]". */
static bool read_client(struct slice s, struct slice key,
    struct oldlog_line *out)
{
	struct slice before;

	if (!oldlog_cut(&s, key, &before) ||
	    !oldlog_cut(&s, SLICE("["), &out->name) ||
	    !oldlog_cut(&s, SLICE("]"), &out->client))
		return false;
	if (slice_eq(out->name, SLICE("unknown")))
		out->name = slice_of("", 0);
	return out->client.n > 0;
}

static void read_smtpd(struct slice rest, struct oldlog_line *out)
{
	if (slice_eq(out->id, SLICE("NOQUEUE"))) {
		if (slice_starts(rest, SLICE("reject: ")) &&
		    read_client(rest, SLICE(" from "), out)) {
			out->kind = OLDLOG_REFUSED;
			out->helo = oldlog_value(rest, SLICE(" helo=<"), ">");
		}
		return;
	}
	if (!slice_starts(rest, SLICE("client=")) ||
	    oldlog_value(rest, SLICE("sasl_username="), ",").n > 0)
		return;
	if (read_client(rest, SLICE("client="), out))
		out->kind = OLDLOG_CLIENT;
}

static void read_qmgr(struct slice rest, struct oldlog_line *out)
{
	uint64_t n = 1;

	if (slice_eq(rest, SLICE("removed"))) {
		out->kind = OLDLOG_END;
		return;
	}
	if (!slice_starts(rest, SLICE("from=<")))
		return;
	out->kind = OLDLOG_SENDER;
	out->has_from = true;
	out->from = oldlog_value(rest, SLICE("from=<"), ">");
	if (!slice_uint(oldlog_value(rest, SLICE("nrcpt="), " "), 1000000, &n))
		n = 1;
	out->recipients = (unsigned)n;
}

/* An alias or a .forward file is no delivery: another message is. */
static void read_delivery(struct slice program, struct slice rest,
    struct oldlog_line *out)
{
	if (!slice_starts(rest, SLICE("to=<")) ||
	    !slice_eq(oldlog_value(rest, SLICE(" status="), " "),
		SLICE("sent")) ||
	    oldlog_value(rest, SLICE("(forwarded as "), ")").n > 0)
		return;
	out->kind = OLDLOG_DELIVERED;
	out->to = oldlog_value(rest, SLICE("to=<"), ">");
	out->orig_to = oldlog_value(rest, SLICE(" orig_to=<"), ">");
	out->inside = slice_eq(program, SLICE("local")) ||
		      slice_eq(program, SLICE("virtual")) ||
		      slice_eq(program, SLICE("lmtp"));
}

static bool is_id(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]))
			return false;
	return s.n > 0 && s.n <= 32;
}

struct oldlog_line oldlog_postfix(struct slice line, struct oldlog_clock *c)
{
	struct oldlog_line out = {.kind = OLDLOG_UNREAD};
	struct slice program;

	if (!oldlog_syslog_time(&line, c, &out.time_us))
		return out;
	out.kind = OLDLOG_OTHER;
	if (!cut_program(&line, &program) ||
	    !oldlog_cut(&line, SLICE(": "), &out.id) || !is_id(out.id))
		return out;
	if (slice_eq(program, SLICE("smtpd")))
		read_smtpd(line, &out);
	else if (slice_eq(program, SLICE("qmgr")))
		read_qmgr(line, &out);
	else
		read_delivery(program, line, &out);
	return out;
}
