/* SPDX-License-Identifier: ISC
 *
 * Exim's main log: "2026-11-30 12:00:01 1aBcDe-000001-XY <= a@b.example
 * H=host (helo) [192.0.2.7]:4000 P=esmtp". A delivery by a local transport
 * names no host.
 */
#include "relay/oldlog/oldlog.h"

/* 1aBcDe-000001-XY, and since 4.97 1aBcDe-0000000001x-XY01. */
static bool is_id(struct slice s)
{
	size_t first = 0, dashes = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '-')
			dashes++;
		else if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]))
			return false;
		if (dashes == 0)
			first++;
	}
	return dashes == 2 && first == 6 && (s.n == 16 || s.n == 23);
}

/* "H=host (helo) [192.0.2.7]:4000", of which host and HELO may be missing. */
static bool read_host(struct slice rest, struct oldlog_line *out)
{
	struct slice before;

	if (slice_starts(rest, SLICE("H=")))
		rest = slice_from(rest, 2);
	else if (!oldlog_cut(&rest, SLICE(" H="), &before))
		return false;
	if (!slice_starts(rest, SLICE("(")) &&
	    !slice_starts(rest, SLICE("[")) &&
	    !oldlog_cut(&rest, SLICE(" "), &out->name))
		return false;
	out->helo = out->name;
	if (slice_starts(rest, SLICE("("))) {
		rest = slice_from(rest, 1); /* it may be "[192.0.2.7]" */
		if (!oldlog_cut(&rest, SLICE(") "), &out->helo))
			return false;
	}
	if (slice_starts(rest, SLICE("[")))
		out->client = oldlog_value(slice_from(rest, 1), SLICE(""), "]");
	return out->client.n > 0;
}

static void read_arrival(struct slice rest, struct oldlog_line *out)
{
	struct slice from;

	if (!oldlog_cut(&rest, SLICE(" "), &from) ||
	    oldlog_value(rest, SLICE(" A="), " ").n > 0)
		return; /* a user that logged in */
	rest = slice_of(rest.p - 1, rest.n + 1); /* with its blank */
	if (!read_host(rest, out))
		return;
	out->kind = OLDLOG_CLIENT;
	out->has_from = true;
	out->from = slice_eq(from, SLICE("<>")) ? slice_of("", 0) : from;
	out->recipients = 1;
}

/* "ann <ann@example.com> R=local T=mail_spool": in brackets the address that
 * it was sent to. */
static void read_delivery(struct slice rest, struct oldlog_line *out)
{
	struct slice to, whole = rest;

	if (!oldlog_cut(&rest, SLICE(" "), &to) ||
	    oldlog_value(whole, SLICE(" T="), " ").n == 0)
		return;
	out->kind = OLDLOG_DELIVERED;
	out->to = to;
	if (slice_starts(rest, SLICE("<")))
		out->orig_to = oldlog_value(rest, SLICE("<"), ">");
	out->inside = oldlog_value(whole, SLICE(" H="), " ").n == 0;
}

static void read_message(struct slice rest, struct oldlog_line *out)
{
	if (slice_starts(rest, SLICE("<= ")))
		read_arrival(slice_from(rest, 3), out);
	else if (slice_starts(rest, SLICE("=> ")) ||
		 slice_starts(rest, SLICE("-> ")))
		read_delivery(slice_from(rest, 3), out);
	else if (slice_eq(rest, SLICE("Completed")) ||
		 slice_starts(rest, SLICE("Completed ")))
		out->kind = OLDLOG_END;
}

/* "[pid] ", where it is logged. */
static void skip_pid(struct slice *line)
{
	struct slice pid;

	if (slice_starts(*line, SLICE("[")))
		oldlog_cut(line, SLICE("] "), &pid);
}

struct oldlog_line oldlog_exim(struct slice line, struct oldlog_clock *c)
{
	struct oldlog_line out = {.kind = OLDLOG_UNREAD};
	struct slice rest;

	if (!oldlog_plain_time(&line, c, &out.time_us))
		return out;
	out.kind = OLDLOG_OTHER;
	skip_pid(&line);
	rest = line;
	if (oldlog_cut(&rest, SLICE(" "), &out.id) && is_id(out.id)) {
		skip_pid(&rest);
		read_message(rest, &out);
		return out;
	}
	out.id = slice_of("", 0);
	if (oldlog_value(line, SLICE(" rejected "), " ").n > 0 &&
	    read_host(line, &out))
		out.kind = OLDLOG_REFUSED;
	return out;
}
