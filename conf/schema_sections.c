/* SPDX-License-Identifier: ISC
 *
 * The sections of posthouse.conf, and the questions that are asked of the
 * tables: sections and parameters by name, and the nearest name to a mistyped
 * one.
 */
#include "conf/schema_int.h"

#include "relay/base/assert.h"

/* clang-format off */
const struct section_info section_table[SECTIONS] = {
	/* name, title, size, adding and removing, help, more */
	[SEC_TOP]    = { "",         NULL,          0,                          RESTART,
		"Keys that stand outside any section.", NULL },
	[SEC_LISTEN] = { "listen",   "smtp",        sizeof(struct conf_listen), RESTART,
		"Where mail is taken. Without a listen section there is one with all its "
		"defaults.", NULL },
	[SEC_LEG]    = { "leg",      "legacy",      sizeof(struct conf_leg),    LIVE,
		"A named next hop that mail is forwarded to. Routes are made of the names of legs. "
		"A leg has hosts or mx, not both.",
		"\nleg \"cloud\" {\n    hosts = { \"mx.cloud.example.net:25\" }\n    tls = "
		"\"verify\"\n}\n" },
	[SEC_EGRESS] = { "egress",   "direct",      sizeof(struct conf_leg),    LIVE,
		"A named way out to the internet, for the mail of clients that may send there "
		"(outbound.use) and for our own DSNs (dsn.via). An egress has hosts or is "
		"direct.", NULL },
	[SEC_DOMAIN] = { "domain",   "example.com", sizeof(struct conf_domain), LIVE,
		"A domain that mail is taken for.", NULL },
	[SEC_SPF]    = { "spf",      NULL,          0,                          LIVE,
		"How the senders of incoming mail are judged (RFC 7208), and under which name "
		"that is told to the legs.", NULL },
	[SEC_DSN]    = { "dsn",      NULL,          0,                          LIVE,
		"Notices to senders whose mail failed (RFC 3464).", NULL },
	[SEC_RETURN] = { "return",   NULL,          0,                          LIVE,
		"A domain of return addresses of ours, for copies that go to a leg whose bounces "
		"would otherwise reach the sender. Its MX must lead here.", NULL },
	[SEC_SRS]    = { "srs",      NULL,          0,                          LIVE,
		"A domain of ours under which a sender is rewritten (SRS) where the record of its "
		"own domain would not believe us. Its MX must lead here, its SPF record must name "
		"the egresses.", NULL },
	[SEC_TOKEN]  = { "token",    NULL,          0,                          LIVE,
		"The mark in our Received field by which mail that comes back is known.", NULL },
	[SEC_PROBE]  = { "probe",    NULL,          0,                          LIVE,
		"How a leg is asked whether it knows a recipient (unknown = \"probe\").", NULL },
	[SEC_ALARM]  = { "alarm",    NULL,          0,                          LIVE,
		"Where alarms go when something needs an administrator.", NULL },
	[SEC_HOOK]   = { "hook",     NULL,          0,                          RESTART,
		"Programs that a migration starts: see doc/watermark.md.", NULL },
	[SEC_OUTBOUND] = { "outbound", NULL,        0,                          LIVE,
		"Who may send to domains that are not ours: clients by their address, by a client "
		"certificate, or by a login (listen auth = true). All others are refused.", NULL },
	[SEC_TABLE]  = { "table",    NULL,          0,                          RESTART,
		"The cutover table: the route of each recipient.", NULL },
	[SEC_SPOOL]  = { "spool",    NULL,          0,                          RESTART,
		"The journal: what was accepted and what became of it.", NULL },
	[SEC_AUDIT]  = { "audit",    NULL,          0,                          RESTART,
		"The index that trace searches, and the stream of events.", NULL },
	[SEC_CONTROL] = { "control", NULL,          0,                          RESTART,
		"The door for posthouse(1).", NULL },
	[SEC_RESOLVER] = { "resolver", NULL,        0,                          LIVE,
		"The name servers and how they are asked.", NULL },
	[SEC_LIMITS] = { "limits",   NULL,          0,                          LIVE,
		"What one client, and all of them together, may cost.", NULL },
	[SEC_RETRY]  = { "retry",    NULL,          0,                          LIVE,
		"When a delivery is tried again, and when it is given up.", NULL },
	[SEC_QUEUE]  = { "queue",    NULL,          0,                          LIVE,
		"The deliveries that wait.", NULL },
	[SEC_WAVE]   = { "wave",     NULL,          0,                          LIVE,
		"When waves of recipients move, and how fast.", NULL },
	[SEC_PROPAGATION] = { "propagation", NULL,  0,                          LIVE,
		"How the change of a domain's MX is followed at each name server.", NULL },
	[SEC_VERDICT] = { "verdict", "",            sizeof(struct conf_verdict), LIVE,
		"When the server behind a leg may be switched off (posthouse verdict). Without a "
		"name it is about all domains; with one (it may stand several times) about those "
		"that it names.",
		"\nverdict \"customer-a\" {\n    leg = \"legacy\"\n    domains = { "
		"\"example.com\" }\n}\n" },
	[SEC_COEXIST] = { "coexist", "exchange",    sizeof(struct conf_coexist), RESTART,
		"A file that tells the server behind a leg where the recipients are that other "
		"legs have, as posthouse export coexist writes it. It is written anew after each "
		"change of the table (doc/coexist.md).",
		"\ncoexist \"aliases\" {\n    format = \"postfix\"\n    map = \"recipient\"\n    "
		"file = \"/var/lib/posthouse/coexist/aliases\"\n}\n" },
	[SEC_LOG]    = { "log",      NULL,          0,                          LIVE,
		"Where the daemon tells what it does.", NULL },
};

/* Names that are kept for features which are not built yet. A setting without
 * effect is refused. */
static const struct {
	unsigned in;
	const char *key, *value;
} reserved[] = {
	{ IN(TOP), "http", NULL },
	{ IN(TABLE), "url", NULL }, { IN(SPOOL), "engine", NULL },
	{ IN(TABLE), "engine", "postgresql" },
};
/* clang-format on */

bool schema_reserved(enum section s, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if ((reserved[i].in & (1u << s)) == 0 ||
		    strcmp(reserved[i].key, key) != 0)
			continue;
		if (value == NULL ? reserved[i].value == NULL :
				    reserved[i].value != NULL &&
			    strcmp(reserved[i].value, value) == 0)
			return true;
	}
	return false;
}

bool section_name_optional(const struct section_info *s)
{
	return s->title != NULL && s->title[0] == '\0';
}

int section_find(const char *name)
{
	for (int s = SEC_TOP + 1; s < SECTIONS; s++)
		if (strcmp(section_table[s].name, name) == 0)
			return s;
	return -1;
}

static const struct param_list *const lists[] = {&params_common,
    &params_cutover};

int param_count(void)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		n += lists[i]->n;
	return n;
}

const struct conf_param *param_at(int n)
{
	size_t i = 0;

	PH_ASSERT(n >= 0 && n < param_count());
	for (; n >= lists[i]->n; i++)
		n -= lists[i]->n;
	return &lists[i]->row[n];
}

/* Behind `p`, which is a row of one of the lists. NULL: it is the last. */
static const struct conf_param *behind(const struct conf_param *p)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct conf_param *end = lists[i]->row + lists[i]->n;

		if (p < lists[i]->row || p >= end)
			continue;
		if (p + 1 < end)
			return p + 1;
		return i + 1 < ARRAY_LEN(lists) ? lists[i + 1]->row : NULL;
	}
	return NULL;
}

const struct conf_param *param_next(enum section s, const struct conf_param *p)
{
	for (p = p == NULL ? lists[0]->row : behind(p); p != NULL;
	     p = behind(p))
		if (p->in & (1u << s))
			return p;
	return NULL;
}

const struct conf_param *param_find(enum section s, const char *name)
{
	const struct conf_param *p = NULL;

	while ((p = param_next(s, p)) != NULL)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

const char *effect_text(enum effect e)
{
	static const char *const text[] = {
		[LIVE] = "applies at once",
		[NEW_SESSIONS] = "applies to new sessions",
		[RESTART] = "needs a restart",
	};

	return text[e];
}

/* Levenshtein's distance, one row at a time; NAME_BYTES is enough for every
 * name of ours. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_BYTES + 1], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static void nearer(const char *name, const char *candidate, size_t *least,
    const char **best)
{
	size_t d = distance(name, candidate);

	if (d >= *least)
		return;
	*least = d;
	*best = candidate;
}

const char *schema_nearest(enum section s, const char *name)
{
	size_t least = 2 + strlen(name) / 4;
	const char *best = NULL;
	const struct conf_param *p = NULL;

	if (strlen(name) > NAME_BYTES)
		return NULL;
	while ((p = param_next(s, p)) != NULL)
		nearer(name, p->name, &least, &best);
	if (s == SEC_TOP)
		for (int i = SEC_TOP + 1; i < SECTIONS; i++)
			nearer(name, section_table[i].name, &least, &best);
	return best;
}
