/* SPDX-License-Identifier: ISC
 *
 * Common to a dialog and a probe on a connection to a leg. One worker's loop.
 * RFC 5321, 2033 (LMTP).
 */
#include "relay/client/client_int.h"

enum { KEEP_MAX = REPLY_LINE + 2 };

struct stream *wire_connect(const struct wire *w, const struct netaddr *to)
{
	const struct client_config *c = w->client;
	const struct stream_config sc = {.loop = c->loop,
	    .scratch = c->scratch,
	    .sock = c->sock,
	    .ops = w->ops,
	    .arg = w->arg,
	    .keep_max = KEEP_MAX};
	struct netaddr source;
	bool bound = w->source[0] != '\0' &&
		     netaddr_parse(&source, slice_str(w->source), 0) == 0;

	return stream_connect(&sc, to, bound ? &source : NULL);
}

bool wire_line(struct slice *rest, struct slice *line_out)
{
	long lf = slice_find(*rest, '\n');

	if (lf < 0)
		return false;
	*line_out = slice_head(*rest, (size_t)lf);
	if (lf > 0 && line_out->p[lf - 1] == '\r')
		line_out->n--;
	*rest = slice_from(*rest, (size_t)lf + 1);
	return true;
}

static void say(const struct conf_leg *leg, const struct conf *conf,
    const char *verb, struct strbuf *out)
{
	strbuf_adds(out, verb);
	strbuf_adds(out, leg->helo[0] != '\0' ? leg->helo : conf->hostname);
	strbuf_adds(out, "\r\n");
}

static bool speaks_lmtp(const struct conf_leg *leg)
{
	return leg->protocol == PROTOCOL_LMTP;
}

void wire_hello(const struct conf_leg *leg, const struct conf *conf,
    struct strbuf *out)
{
	say(leg, conf, speaks_lmtp(leg) ? "LHLO " : "EHLO ", out);
}

void wire_helo(const struct conf_leg *leg, const struct conf *conf,
    struct strbuf *out)
{
	say(leg, conf, "HELO ", out);
}

/* We speak no LMTP: a leg that does may well have the name of this machine. */
bool wire_names_us(const struct conf_leg *leg, const struct conf *conf,
    struct slice reply_text)
{
	struct slice line, first;

	return !speaks_lmtp(leg) && slice_next(&reply_text, '\n', &line) &&
	       slice_next(&line, ' ', &first) &&
	       slice_case_eq(first, slice_str(conf->hostname));
}

const char *wire_one_line(struct arena *a, struct slice text)
{
	char *line = arena_slicedup(a, text);

	for (char *p = line; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	return line;
}
