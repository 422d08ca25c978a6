/* SPDX-License-Identifier: ISC
 *
 * One value against another. Every refusal names the line of the section
 * that is at fault.
 */
#include "conf/check.h"

#include <stdlib.h>
#include <sys/un.h>

#include "relay/mail/addr.h"
#include "relay/mail/domain.h"

/* Words of routes and of dsn.via that no leg may take away. */
static const char *const reserved[] = {"defer", "reject", "gone", "both",
    "held", "none", "mx", NULL};

/* ---- legs and egresses ------------------------------------------------- */

static const char *kind(const struct conf_leg *l)
{
	return l->egress ? "egress" : "leg";
}

static int check_name(const struct conf_leg *l, struct error *err)
{
	if (!conf_name_ok(l->name))
		return error_at(err, l->file, l->line, "\"%.40s\" is no name "
		    "for %s %s; write lower-case letters, digits, - and _, at "
		    "most %d", l->name, l->egress ? "an" : "a", kind(l),
		    NAME_BYTES);
	for (int i = 0; reserved[i] != NULL; i++)
		if (strcmp(l->name, reserved[i]) == 0)
			return error_at(err, l->file, l->line, "\"%s\" is a "
			    "word of routes; give the %s another name",
			    l->name, kind(l));
	return 0;
}

static int check_way(const struct conf_leg *l, struct error *err)
{
	int ways = (l->hosts > 0) + (l->mx[0] != '\0') + l->direct;

	if (ways == 1)
		return 0;
	return error_at(err, l->file, l->line, "%s \"%s\" has %s; write %s",
	    kind(l), l->name, ways == 0 ? "nowhere to go" : "two ways to go",
	    l->egress ? "either hosts = { ... } or direct = true" :
			"either hosts = { ... } or mx = \"...\"");
}

/* RFC 2033 5: never on port 25, which is also what a host without a port
 * gets. */
static int check_lmtp(const struct conf_leg *l, struct error *err)
{
	bool mx = l->mx[0] != '\0';
	const char *host = NULL;

	if (l->protocol != PROTOCOL_LMTP)
		return 0;
	for (int i = 0; i < l->hosts && host == NULL; i++)
		if (l->host[i].port == 25)
			host = l->host[i].host;
	if (host == NULL && !mx)
		return 0;
	return error_at(err, l->file, l->line, "leg \"%s\" would speak LMTP "
	    "on port 25, which is SMTP's; write hosts = { \"%s:24\" }, or "
	    "the port that it has", l->name, mx ? "HOST" : host);
}

/* XCLIENT begins the session anew, and what it was logged in as is gone. */
static int check_xclient(const struct conf_leg *l, struct error *err)
{
	if (!l->xclient)
		return 0;
	if (l->auth_user[0] != '\0')
		return error_at(err, l->file, l->line, "%s \"%s\" has xclient "
		    "and auth_user, and XCLIENT ends a login; leave auth_user "
		    "out, and let our address in there", kind(l), l->name);
	if (l->protocol == PROTOCOL_LMTP)
		return error_at(err, l->file, l->line, "%s \"%s\" has "
		    "xclient, which is of SMTP, and speaks LMTP; write "
		    "xclient = false", kind(l), l->name);
	return 0;
}

static int check_leg_certificate(struct conf_leg *l, struct error *err)
{
	struct error why;

	if (l->certificate[0] == '\0' && l->key[0] == '\0')
		return 0;
	if (l->certificate[0] == '\0')
		return error_at(err, l->file, l->line, "%s \"%s\" has a key "
		    "without a certificate; add certificate = \"FILE\"",
		    kind(l), l->name);
	if (l->key[0] == '\0')
		l->key = l->certificate;
	if (certificate_check(l->certificate, l->key, &why) != 0)
		return error_at(err, l->file, l->line, "%s \"%s\": %s",
		    kind(l), l->name, why.text);
	return 0;
}

/* Refuses TLS settings that promise something no code keeps. */
static int check_tls(const struct conf *c, const struct conf_leg *l,
    struct error *err)
{
	if (l->fingerprint.count > 0 &&
	    (l->tls == TLS_NONE || l->tls == TLS_MAY))
		return error_at(err, l->file, l->line, "%s \"%s\" would send "
		    "in the clear when the fingerprint is another's; write "
		    "tls = \"encrypt\"", kind(l), l->name);
	if (l->tls == TLS_DANE && !c->resolver.validating)
		return error_at(err, l->file, l->line, "%s \"%s\" has tls = "
		    "\"dane\", and no name server is trusted to check "
		    "signatures; write resolver { validating = true } if "
		    "they do", kind(l), l->name);
	return 0;
}

/* A password goes over TLS or not at all. */
static int check_auth(const struct conf *c, struct conf_leg *l,
    struct error *err)
{
	struct error why;

	if ((l->auth_user[0] == '\0') != (l->auth_secret[0] == '\0'))
		return error_at(err, l->file, l->line, "%s \"%s\" has half of "
		    "a login; write both auth_user and auth_secret", kind(l),
		    l->name);
	if (l->auth_user[0] == '\0')
		return 0;
	if (l->tls == TLS_NONE || l->tls == TLS_MAY)
		return error_at(err, l->file, l->line, "%s \"%s\" would show "
		    "its password to everybody on the way; write tls = "
		    "\"verify\"", kind(l), l->name);
	if (secrets_password(l->auth_secret, c->arena, &l->password, &why) != 0)
		return error_at(err, l->file, l->line, "%s \"%s\": "
		    "auth_secret: %s", kind(l), l->name, why.text);
	return 0;
}

static int check_leg(struct conf *c, struct conf_leg *l, struct error *err)
{
	if (check_name(l, err) != 0 || check_way(l, err) != 0 ||
	    check_lmtp(l, err) != 0 || check_xclient(l, err) != 0 ||
	    check_leg_certificate(l, err) != 0 || check_tls(c, l, err) != 0 ||
	    check_auth(c, l, err) != 0)
		return -1;
	/* A leg and an egress share one space of names: dsn.via, the queue. */
	for (struct conf_leg *o = c->leg; o < l; o++)
		if (strcmp(o->name, l->name) == 0)
			return error_at(err, l->file, l->line, "\"%s\" is "
			    "also the name of the %s of %s:%d; give one of "
			    "them another", l->name, kind(o), o->file,
			    o->line);
	return 0;
}

static int check_legs(struct conf *c, struct error *err)
{
	int legs = 0;

	for (int i = 0; i < c->legs; i++) {
		if (check_leg(c, &c->leg[i], err) != 0)
			return -1;
		legs += !c->leg[i].egress;
	}
	if (legs == 0)
		return error_at(err, c->file, 1, "there is no leg; add  leg "
		    "\"legacy\" { hosts = { \"mail.example.com:25\" } }");
	if (c->legs >= NAMES_MAX)
		return error_at(err, c->file, 1, "there are %d legs and "
		    "egresses; %d are possible", c->legs, NAMES_MAX - 1);
	return 0;
}

/* ---- domains ----------------------------------------------------------- */

static int check_domain_name(struct conf *c, struct conf_domain *d,
    struct error *err)
{
	struct slice name = slice_str(d->name);
	const char *why = "it has no form in ASCII";
	struct strbuf normal;
	int rc = -1;

	strbuf_init(&normal, ADDR_DOMAIN_MAX);
	if (domain_of_host(name, true, &why) &&
	    domain_normal(name, &normal) && strbuf_ok(&normal)) {
		d->name = arena_slicedup(c->arena, strbuf_view(&normal));
		rc = 0;
	} else {
		error_at(err, d->file, d->line, "\"%.80s\" is not a domain "
		    "name (%s); write it like \"example.com\"", d->name, why);
	}
	strbuf_fini(&normal);
	return rc;
}

/* `both` first: the route may be that word. */
static int check_domain_routes(struct conf *c, struct conf_domain *d,
    struct error *err)
{
	struct error why = {0};
	char *both, *route;

	both = route_canonical(c, c->arena, d->both, "", &why);
	if (both == NULL)
		return error_at(err, d->file, d->line, "domain \"%s\": both: "
		    "%s", d->name, why.text);
	if (both[0] != '\0' && strchr(both, '+') == NULL)
		return error_at(err, d->file, d->line, "domain \"%s\": both = "
		    "\"%s\" is not two legs; write both = \"LEG+LEG\"",
		    d->name, both);
	route = route_canonical(c, c->arena, d->route, both, &why);
	if (route == NULL)
		return error_at(err, d->file, d->line, "domain \"%s\": route: "
		    "%s", d->name, why.text);
	d->both = both;
	d->route = route;
	if (domain_legs_check(c, d, &why) != 0)
		return error_at(err, d->file, d->line, "domain \"%s\": %s",
		    d->name, why.text);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct conf_domain *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int index_domains(struct conf *c, struct error *err)
{
	struct conf_domain **sorted = arena_alloc(c->arena,
	    sizeof(*sorted) * (size_t)(c->domains + 1));

	for (int i = 0; i < c->domains; i++)
		sorted[i] = &c->domain[i];
	qsort(sorted, (size_t)c->domains, sizeof(*sorted), by_name);
	for (int i = 1; i < c->domains; i++)
		if (by_name(&sorted[i - 1], &sorted[i]) == 0) {
			struct conf_domain *a = sorted[i - 1], *b = sorted[i];

			if (a > b) {
				a = sorted[i];
				b = sorted[i - 1];
			}
			return error_at(err, b->file, b->line, "domain \"%s\" "
			    "stands twice; keep this one or that of %s:%d",
			    b->name, a->file, a->line);
		}
	c->domain_by_name = sorted;
	return 0;
}

/* A domain that is ours and a leg's own would have two meanings. */
static int check_leg_domains(const struct conf *c, struct error *err)
{
	for (int i = 0; i < c->legs; i++)
		for (int j = 0; j < c->leg[i].domains.count; j++) {
			const struct conf_leg *l = &c->leg[i];
			const char *name = l->domains.s[j];
			const struct conf_leg *o =
			    conf_leg_of_domain(c, slice_str(name));

			if (conf_domain(c, slice_str(name)) != NULL)
				return error_at(err, l->file, l->line, "leg "
				    "\"%s\": \"%s\" has a domain section; "
				    "keep it there or here", l->name, name);
			if (o != l)
				return error_at(err, l->file, l->line, "leg "
				    "\"%s\": \"%s\" is a domain of leg \"%s\" "
				    "already; one leg can own it", l->name,
				    name, o->name);
		}
	return 0;
}

static int check_domains(struct conf *c, struct error *err)
{
	if (c->domains == 0)
		return error_at(err, c->file, 1, "there is no domain; add  "
		    "domain \"example.com\" { route = \"legacy\" }");
	for (int i = 0; i < c->domains; i++)
		if (check_domain_name(c, &c->domain[i], err) != 0 ||
		    check_domain_routes(c, &c->domain[i], err) != 0)
			return -1;
	if (index_domains(c, err) != 0)
		return -1;
	return check_leg_domains(c, err);
}

static bool is_ours(const struct conf *c, const char *address)
{
	const char *why;
	struct addr a;
	struct strbuf s;
	bool ours = false;

	strbuf_init(&s, ADDR_MAX);
	if (addr_parse(slice_str(address), true, &a, &why) == 0 &&
	    domain_normal(a.domain, &s))
		ours = conf_domain(c, strbuf_view(&s)) != NULL ||
		       conf_leg_of_domain(c, strbuf_view(&s)) != NULL;
	strbuf_fini(&s);
	return ours;
}

/* ---- the rest ---------------------------------------------------------- */

/* Values that follow from others. */
static void complete_spf(struct conf *c)
{
	if (c->spf.authserv_id[0] == '\0')
		c->spf.authserv_id = c->hostname;
	for (int i = 0; i < c->domains; i++)
		c->spf.refuses |= c->domain[i].spf_fail == FAIL_REFUSE;
}

/* T5: mail for postmaster must have somewhere to go. */
static int check_postmaster(struct conf *c, const struct doc *doc,
    struct error *err)
{
	struct doc_place at = doc_place(doc, SEC_TOP, "postmaster");
	struct strbuf s;

	if (c->postmaster[0] == '\0') {
		strbuf_init(&s, ADDR_MAX);
		strbuf_addf(&s, "postmaster@%s", c->domain[0].name);
		c->postmaster = arena_strdup(c->arena, strbuf_cstr(&s));
		strbuf_fini(&s);
	}
	if (is_ours(c, c->postmaster))
		return 0;
	return error_at(err, at.file, at.line, "postmaster \"%s\" is at no "
	    "domain of ours; name a mailbox at one that has a section",
	    c->postmaster);
}

static int check_dsn(struct conf *c, const struct doc *doc, struct error *err)
{
	struct doc_place at = doc_place(doc, SEC_DSN, "via");

	if (strcmp(c->dsn.via, "none") == 0)
		c->dsn.via = arena_strdup(c->arena, "");
	if (c->dsn.via[0] == '\0' || strcmp(c->dsn.via, "mx") == 0 ||
	    conf_leg_by_name(c, slice_str(c->dsn.via)) != NULL)
		return 0;
	return error_at(err, at.file, at.line, "dsn.via: there is no leg and "
	    "no egress \"%s\"; write one of them, mx or none", c->dsn.via);
}

/* An alarm that goes nowhere is noticed when it is missed. */
static int check_alarm(const struct conf *c, const struct doc *doc,
    struct error *err)
{
	struct doc_place at = doc_place(doc, SEC_ALARM, "mail");

	if (c->alarm.mail[0] == '\0' || c->dsn.via[0] != '\0' ||
	    is_ours(c, c->alarm.mail))
		return 0;
	return error_at(err, at.file, at.line, "alarm.mail \"%s\" is at no "
	    "domain of ours, and dsn.via = \"none\" is no way there; write "
	    "dsn { via = \"mx\" }", c->alarm.mail);
}

/* A file of keys, and where they go. */
struct key_file {
	enum section in;
	const char *path; /* "": none */
	struct conf_strings *key;
};

static int read_keys(const struct conf *c, const struct doc *doc,
    const struct key_file *f, struct error *err)
{
	struct doc_place at = doc_place(doc, f->in, "secrets");
	struct error why;

	if (f->path[0] == '\0' ||
	    secrets_keys(f->path, c->arena, f->key, &why) == 0)
		return 0;
	return error_at(err, at.file, at.line, "%s.secrets: %s",
	    section_table[f->in].name, why.text);
}

/* A domain at which there are only addresses of our own making, and the keys
 * that sign them. */
static int check_signed(const struct conf *c, const struct doc *doc,
    const struct key_file *f, const char *domain, struct error *err)
{
	const char *name = section_table[f->in].name;
	struct doc_place at = doc_place(doc, f->in, "domain");

	if (read_keys(c, doc, f, err) != 0)
		return -1;
	if ((domain[0] == '\0') != (f->key->count == 0))
		return error_at(err, at.file, at.line, "%s needs both; write "
		    "domain = \"%s.example.com\" and secrets = "
		    "\"/etc/posthouse/%s.secrets\"", name, name, name);
	if (domain[0] != '\0' &&
	    (conf_domain(c, slice_str(domain)) != NULL ||
		conf_leg_of_domain(c, slice_str(domain)) != NULL))
		return error_at(err, at.file, at.line, "%s.domain \"%s\" has "
		    "mailboxes; write a domain that is for nothing else", name,
		    domain);
	return 0;
}

static int check_keys(struct conf *c, const struct doc *doc, struct error *err)
{
	struct doc_place at = doc_place(doc, SEC_SRS, "domain");
	const struct key_file ret = {SEC_RETURN, c->ret.secrets,
	    &c->ret.key};
	const struct key_file srs = {SEC_SRS, c->srs.secrets, &c->srs.key};
	const struct key_file token = {SEC_TOKEN, c->token.secrets,
	    &c->token.key};

	if (read_keys(c, doc, &token, err) != 0 ||
	    check_signed(c, doc, &ret, c->ret.domain, err) != 0 ||
	    check_signed(c, doc, &srs, c->srs.domain, err) != 0)
		return -1;
	if (c->srs.domain[0] != '\0' &&
	    strcmp(c->srs.domain, c->ret.domain) == 0)
		return error_at(err, at.file, at.line, "srs.domain and "
		    "return.domain are both \"%s\"; write two domains, so "
		    "that an address is one or the other", c->srs.domain);
	return 0;
}

static int check_sizes(const struct conf *c, const struct doc *doc,
    struct error *err)
{
	enum { SOCKET_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) };
	struct doc_place socket = doc_place(doc, SEC_CONTROL, "socket");
	struct doc_place max = doc_place(doc, SEC_SPOOL, "max");

	if (strlen(c->control.socket) >= SOCKET_MAX)
		return error_at(err, socket.file, socket.line, "control.socket "
		    "is longer than the %d bytes of a socket's name; shorten "
		    "it", SOCKET_MAX - 1);
	if (c->spool.segment_bytes > c->spool.max_bytes / 8)
		return error_at(err, max.file, max.line, "spool.max is less "
		    "than eight times spool.segment; make it larger");
	return 0;
}

int conf_check(struct conf *c, const struct doc *doc, struct error *err)
{
	struct doc_place outbound = doc_place(doc, SEC_OUTBOUND, "clients");

	c->outbound.file = outbound.file; /* conf/profiles.c judges it */
	c->outbound.line = outbound.line;
	complete_spf(c);
	if (check_legs(c, err) != 0 || listens_check(c, err) != 0 ||
	    secrets_users(c, doc, err) != 0 ||
	    check_domains(c, err) != 0 || check_postmaster(c, doc, err) != 0 ||
	    check_dsn(c, doc, err) != 0 || check_alarm(c, doc, err) != 0 ||
	    check_keys(c, doc, err) != 0 ||
	    egresses_check(c, doc, err) != 0 || trust_check(c, err) != 0)
		return -1;
	return cutover_check(c, doc, err) != 0 ? -1 : check_sizes(c, doc, err);
}
