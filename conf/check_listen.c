/* SPDX-License-Identifier: ISC
 *
 * Checks the listeners against each other, their certificates, the legs, and
 * what may be sent to the outside: a door that no client can pass, or that a
 * password would pass in the clear, is a mistake.
 */
#include "conf/check.h"

static int check_certificates(struct conf_listen *l, struct error *err)
{
	struct error why;

	if (l->keys.count != 0 && l->keys.count != l->certificates)
		return error_at(err, l->file, l->line, "listen \"%s\" has %d "
		    "certificates and %d keys; name a key for each, or none "
		    "when they are in the same files", l->name,
		    l->certificates, l->keys.count);
	for (int i = 0; i < l->certificates; i++) {
		struct conf_certificate *cert = &l->certificate[i];

		if (l->keys.count != 0)
			cert->key = l->keys.s[i];
		if (certificate_check(cert->cert, cert->key, &why) != 0)
			return error_at(err, l->file, l->line,
			    "listen \"%s\": %s", l->name, why.text);
	}
	return 0;
}

static int check_listen_leg(struct conf *c, struct conf_listen *l,
    struct error *err)
{
	l->leg = -1;
	if (l->leg_name[0] == '\0')
		return 0;
	for (int i = 0; i < c->legs; i++)
		if (!c->leg[i].egress &&
		    strcmp(c->leg[i].name, l->leg_name) == 0)
			l->leg = i;
	if (l->leg >= 0)
		return 0;
	return error_at(err, l->file, l->line, "listen \"%s\": there is no leg "
	    "\"%s\"; name one that has a section", l->name, l->leg_name);
}

static bool same_address(const struct conf_hostport *a,
    const struct conf_hostport *b)
{
	return a != b && a->port != 0 && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}

static int check_addresses(const struct conf *c, const struct conf_listen *l,
    struct error *err)
{
	for (int i = 0; i < l->addresses; i++)
		for (const struct conf_listen *o = c->listen; o <= l; o++)
			for (int j = 0; j < o->addresses; j++)
				if (same_address(&l->address[i],
					&o->address[j]))
					return error_at(err, l->file, l->line,
					    "listen \"%s\": %s port %d is "
					    "listened on twice; name it once",
					    l->name, l->address[i].host,
					    l->address[i].port);
	if (l->addresses == 0)
		return error_at(err, l->file, l->line, "listen \"%s\" has no "
		    "address; write address = { \"[::]:25\" } or remove it",
		    l->name);
	return 0;
}

static int check_auth(const struct conf *c, const struct conf_listen *l,
    struct error *err)
{
	if (!l->auth)
		return 0;
	if (l->certificates == 0)
		return error_at(err, l->file, l->line, "listen \"%s\" has auth "
		    "= true, which takes passwords over TLS alone, and has no "
		    "certificate; add certificate = { \"FILE\" }", l->name);
	if (c->outbound.users[0] == '\0' &&
	    c->outbound.certificates.count == 0)
		return error_at(err, l->file, l->line, "listen \"%s\" has auth "
		    "= true, and no client can log in; write outbound { "
		    "users = \"/etc/posthouse/users\" }, or certificates",
		    l->name);
	if (l->outbound == OUTBOUND_OFF)
		return error_at(err, l->file, l->line, "listen \"%s\" has auth "
		    "= true, and outbound = \"off\", by which a login is good "
		    "for nothing; remove one of them", l->name);
	return 0;
}

static int check_only(const struct conf *c, const struct conf_listen *l,
    struct error *err)
{
	if (l->outbound != OUTBOUND_ONLY || l->auth ||
	    c->outbound.clients.count > 0)
		return 0;
	return error_at(err, l->file, l->line, "listen \"%s\" has outbound = "
	    "\"only\", and no client can use it; write outbound { clients = { "
	    "\"192.0.2.10\" } }, or auth = true", l->name);
}

static int check_implicit(const struct conf_listen *l, struct error *err)
{
	if (l->tls != LISTEN_IMPLICIT)
		return 0;
	if (l->certificates == 0)
		return error_at(err, l->file, l->line, "listen \"%s\" has tls "
		    "= \"implicit\" and no certificate; add certificate = { "
		    "\"FILE\" }", l->name);
	if (l->starttls_never.count > 0)
		return error_at(err, l->file, l->line, "listen \"%s\" has tls "
		    "= \"implicit\", and starttls_never for clients that "
		    "cannot use TLS; remove one of them", l->name);
	return 0;
}

/* It takes no mail, so nothing that is about taking mail has an effect. */
static int check_closed(const struct conf_listen *l, struct error *err)
{
	if (!l->closed || (!l->auth && l->outbound != OUTBOUND_ONLY))
		return 0;
	return error_at(err, l->file, l->line, "listen \"%s\" has closed = "
	    "true, and auth or outbound = \"only\" for those who may send; "
	    "remove one of them", l->name);
}

int listens_check(struct conf *c, struct error *err)
{
	for (struct conf_listen *l = c->listen; l < c->listen + c->listens;
	     l++) {
		if (!conf_name_ok(l->name))
			return error_at(err, l->file, l->line, "\"%.40s\" is "
			    "no name for a listener; write lower-case letters, "
			    "digits, - and _, at most %d", l->name,
			    NAME_BYTES);
		if (check_addresses(c, l, err) != 0 ||
		    check_certificates(l, err) != 0 ||
		    check_listen_leg(c, l, err) != 0 ||
		    check_auth(c, l, err) != 0 || check_only(c, l, err) != 0 ||
		    check_implicit(l, err) != 0 || check_closed(l, err) != 0)
			return -1;
		l->asks_certificate =
		    l->auth && c->outbound.certificates.count > 0;
	}
	return 0;
}
