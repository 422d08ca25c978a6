/* SPDX-License-Identifier: ISC
 *
 * Judges a row, and writes its line in each format.
 */
#include "policy/coexist/coexist.h"

#include <stdio.h>

#include "policy/row.h"

enum { SMTP_PORT = 25 };

/* ---- who reads what ---------------------------------------------------- */

static const char *const formats[] = {
	[COEXIST_EXCHANGE] = "exchange", [COEXIST_POSTFIX] = "postfix",
	[COEXIST_EXIM] = "exim", [COEXIST_GOOGLE] = "google",
};
static const char *const maps[] = {
	[COEXIST_TRANSPORT] = "transport", [COEXIST_RECIPIENT] = "recipient",
};

static int word_of(const char *const *words, int n, const char *text)
{
	for (int i = 0; i < n; i++)
		if (text != NULL && strcmp(words[i], text) == 0)
			return i;
	return -1;
}

/* A platform's own leg reads the format of that platform, and no other. */
static bool may_read(const struct conf_leg *l, enum coexist_format format)
{
	bool google = strcmp(l->profile, "google") == 0;

	return format == COEXIST_GOOGLE ? google
					: strcmp(l->profile, "generic") == 0;
}

static const struct conf_leg *only_reader(const struct conf *c,
    enum coexist_format format)
{
	const struct conf_leg *found = NULL;

	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress || !may_read(&c->leg[i], format))
			continue;
		if (found != NULL)
			return NULL;
		found = &c->leg[i];
	}
	return found;
}

static int find_leg(const struct conf *c, const char *name,
    struct coexist_how *how, struct error *err)
{
	how->leg = name[0] == '\0' ? only_reader(c, how->format)
				   : conf_leg_by_name(c, slice_str(name));
	if (how->leg != NULL && !how->leg->egress)
		return 0;
	if (name[0] != '\0')
		return error_set(err, "no leg is called \"%.60s\"", name);
	return error_set(err, "say which leg's server reads it (--leg, or leg "
	    "= in its section): there is no single one %s",
	    how->format == COEXIST_GOOGLE ? "with profile = \"google\""
					  : "without a platform's profile");
}

int coexist_read(const struct conf *c, const struct coexist_said *said,
    struct coexist_how *how, struct error *err)
{
	int format = word_of(formats, ARRAY_LEN(formats), said->format);
	int map = said->map == NULL || said->map[0] == '\0'
		      ? COEXIST_TRANSPORT
		      : word_of(maps, ARRAY_LEN(maps), said->map);

	if (format < 0)
		return error_set(err, "a format is exchange, postfix, exim or "
		    "google");
	if (map < 0)
		return error_set(err, "a map is transport or recipient");
	*how = (struct coexist_how){.conf = c,
	    .format = (enum coexist_format)format,
	    .map = (enum coexist_map)map};
	if (said->via != NULL && said->via[0] != '\0' &&
	    conf_next_hop(slice_str(said->via), &how->via, &how->via_port,
		err) < 0)
		return -1;
	return find_leg(c, said->leg == NULL ? "" : said->leg, how, err);
}

static bool by_address(const struct coexist_how *how)
{
	return how->format == COEXIST_EXCHANGE ||
	       how->format == COEXIST_GOOGLE;
}

/* ---- a row -------------------------------------------------------------- */

/* Quotes, blanks and the signs of comments mean other things in each format. */
static bool is_plain(struct slice key)
{
	for (size_t i = 0; i < key.n; i++) {
		unsigned char ch = (unsigned char)key.p[i];

		if (ch <= ' ' || ch == 0x7f || ch == '"' || ch == '\\' ||
		    ch == ',' || ch == ':' || ch == ';')
			return false;
	}
	return key.n > 0 && key.p[0] != '#' && key.p[0] != '*';
}

static void put_address(struct coexist_entry *e, struct slice address)
{
	snprintf(e->address, sizeof(e->address), "%.*s", (int)address.n,
	    address.p);
}

static const char *said_address(const struct table_row *row, int leg)
{
	for (unsigned i = 0; i < row->addresses; i++)
		if (row->address[i].leg == leg)
			return row->address[i].address;
	return NULL;
}

/* That of the row, else the same name in the leg's first domain: such mail goes
 * straight there. A map by next hops needs no other address. */
static void find_address(const struct coexist_how *how,
    const struct table_row *row, struct coexist_entry *e)
{
	const char *said = said_address(row, e->leg->id);
	struct slice local = {e->key.p, e->key.n - row_domain(e->key).n};

	if (said != NULL)
		put_address(e, slice_str(said));
	else if (by_address(how) && e->leg->domains.count > 0)
		snprintf(e->address, sizeof(e->address), "%.*s%s",
		    (int)local.n, local.p, e->leg->domains.s[0]);
	else if (by_address(how))
		e->where = COEXIST_NOWHERE;
	else
		put_address(e, e->key);
}

static bool has_leg(const struct route *r, int leg)
{
	for (unsigned i = 0; i < r->legs; i++)
		if (r->leg[i] == leg)
			return true;
	return false;
}

void coexist_judge(const struct coexist_how *how, struct slice key,
    const struct table_row *row, struct coexist_entry *e)
{
	*e = (struct coexist_entry){.key = key, .where = COEXIST_HERE,
	    .domain_away = e->domain_away};
	if (!is_plain(key)) {
		e->where = COEXIST_ODD;
		return;
	}
	if (!row->found || row->route.kind != ROUTE_LEGS ||
	    row->route.legs == 0 || has_leg(&row->route, how->leg->id))
		return;
	e->leg = conf_leg_by_id(how->conf, row->route.leg[0]);
	e->where = e->leg == NULL ? COEXIST_NOWHERE : COEXIST_AWAY;
	if (e->leg == NULL)
		return;
	if (key.p[0] == '@')
		put_address(e, key);
	else
		find_address(how, row, e);
}

/* ---- next hops ----------------------------------------------------------- */

struct next_hop {
	struct slice host;
	int port;
	bool is_mx; /* the MX of that name */
};

static struct next_hop hop_of(const struct coexist_how *how,
    const struct conf_leg *leg)
{
	if (how->via.n > 0)
		return (struct next_hop){how->via, how->via_port, false};
	if (leg->hosts == 0)
		return (struct next_hop){slice_str(leg->mx), SMTP_PORT, true};
	return (struct next_hop){slice_str(leg->host[0].host),
	    leg->host[0].port, false};
}

/* transport(5): brackets: no MX is looked up. */
static void postfix_hop(const struct next_hop *h, struct strbuf *out)
{
	strbuf_adds(out, h->is_mx ? "smtp:" : "smtp:[");
	strbuf_addsl(out, h->host);
	if (!h->is_mx)
		strbuf_addf(out, "]:%d", h->port);
}

/* The route_data of a manualroute: "/MX", and doubled colons but in a list
 * with another separator. */
static void exim_hop(const struct next_hop *h, struct strbuf *out)
{
	bool six = slice_find(h->host, ':') >= 0;

	if (six && !h->is_mx)
		strbuf_adds(out, "<+[");
	strbuf_addsl(out, h->host);
	if (h->is_mx)
		strbuf_adds(out, "/MX");
	else
		strbuf_addf(out, six ? "]:%d" : "::%d", h->port);
}

/* ---- lines --------------------------------------------------------------- */

/* Of a domain: postfix's transport has its bare name, its other maps "@", and
 * exim's searches "*@". */
static void put_key(const struct coexist_how *how, struct slice key,
    struct strbuf *out)
{
	bool domain = key.n > 0 && key.p[0] == '@';

	if (domain && how->format == COEXIST_EXIM)
		strbuf_addc(out, '*');
	if (domain && how->format == COEXIST_POSTFIX &&
	    how->map == COEXIST_TRANSPORT)
		key = slice_from(key, 1);
	strbuf_addsl(out, key);
}

static void put_hop(const struct coexist_how *how, const struct conf_leg *leg,
    struct strbuf *out)
{
	struct next_hop h = hop_of(how, leg);

	if (how->format == COEXIST_EXIM)
		exim_hop(&h, out);
	else
		postfix_hop(&h, out);
}

static void map_line(const struct coexist_how *how,
    const struct coexist_entry *e, struct strbuf *out)
{
	put_key(how, e->key, out);
	strbuf_adds(out, how->format == COEXIST_EXIM ? ": " : " ");
	if (how->map == COEXIST_TRANSPORT)
		put_hop(how, e->leg, out);
	else
		strbuf_adds(out, e->address);
	strbuf_addc(out, '\n');
}

/* Its domain is away, and it is not: Postfix goes on as without the map, an
 * empty entry lets Exim's router decline. */
static void stay_line(const struct coexist_how *how,
    const struct coexist_entry *e, struct strbuf *out)
{
	put_key(how, e->key, out);
	if (how->format == COEXIST_EXIM)
		strbuf_adds(out, ":\n");
	else if (how->map == COEXIST_TRANSPORT)
		strbuf_adds(out, " :\n");
	else
		strbuf_addf(out, " %.*s\n", (int)e->key.n, e->key.p);
}

static void address_line(const struct coexist_how *how,
    const struct coexist_entry *e, struct strbuf *out)
{
	if (e->key.p[0] == '@')
		return; /* it speaks of single recipients */
	if (how->format == COEXIST_GOOGLE && e->where != COEXIST_AWAY)
		return;
	strbuf_addsl(out, e->key);
	if (how->format == COEXIST_GOOGLE)
		strbuf_addf(out, ",%s\n", e->address);
	else
		strbuf_addf(out, ",%s%s,%llu\n",
		    e->where == COEXIST_AWAY ? "smtp:" : "",
		    e->where == COEXIST_AWAY ? e->address : "",
		    (unsigned long long)how->change);
}

void coexist_line(const struct coexist_how *how,
    const struct coexist_entry *e, struct strbuf *out)
{
	bool away = e->where == COEXIST_AWAY;

	if (e->where == COEXIST_ODD || e->where == COEXIST_NOWHERE)
		return;
	if (by_address(how)) {
		if (away || how->part)
			address_line(how, e, out);
	} else if (away) {
		map_line(how, e, out);
	} else if (e->domain_away && e->key.p[0] != '@') {
		stay_line(how, e, out);
	} else if (how->part) {
		strbuf_addf(out, "# %.*s stays\n", (int)e->key.n, e->key.p);
	}
}

/* Mail to the own domains of other legs goes there, too. */
static void leg_domains(const struct coexist_how *how, struct strbuf *out)
{
	const struct conf *c = how->conf;

	for (int i = 0; i < c->legs; i++) {
		const struct conf_leg *l = &c->leg[i];

		if (l->egress || l == how->leg)
			continue;
		for (int k = 0; k < l->domains.count; k++) {
			strbuf_addf(out, how->format == COEXIST_EXIM
				? "*@%s: " : "%s ", l->domains.s[k]);
			put_hop(how, l, out);
			strbuf_addc(out, '\n');
		}
	}
}

void coexist_head(const struct coexist_how *how, struct strbuf *out)
{
	if (how->format == COEXIST_EXCHANGE)
		strbuf_adds(out, "address,targetAddress,change\n");
	if (by_address(how))
		return;
	strbuf_addf(out, "# posthouse: what other legs than %s have at change "
	    "%llu\n", how->leg->name, (unsigned long long)how->change);
	if (how->map == COEXIST_TRANSPORT)
		leg_domains(how, out);
}
