/* SPDX-License-Identifier: ISC
 *
 * Values that name something on the network: domains, mailboxes, addresses,
 * networks, host:port. Domains are kept in normal form (relay/mail/domain.h).
 * Nothing is resolved here: names are looked up when they are used. Pure; any
 * thread.
 */
#include "conf/types.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "relay/mail/addr.h"
#include "relay/mail/domain.h"

/* Narrower than this is an organisation's own; wider would trust strangers,
 * which is how a relay becomes an open one. */
enum { WIDEST_IP4 = 8, WIDEST_IP6 = 16 };

enum { SMTP_PORT = 25 };

/* "192.0.2.256" is an address, mistyped, and no name (RFC 1123 2.1). */
static bool ends_in_number(struct slice name)
{
	struct slice last = slice_from(name,
	    (size_t)(slice_rfind(name, '.') + 1));
	uint64_t n;

	return slice_uint(last, UINT64_MAX, &n);
}

/* NULL, and err says why, when it is no domain. */
static char *domain_text(struct arena *arena, const char *text,
    struct error *err)
{
	struct slice d = slice_str(text);
	const char *why = "it has no form in ASCII";
	struct strbuf normal;
	char *s = NULL;

	strbuf_init(&normal, ADDR_DOMAIN_MAX);
	if (ends_in_number(d))
		why = "it ends in a number";
	else if (domain_of_host(d, true, &why) &&
	    domain_normal(d, &normal) && strbuf_ok(&normal))
		s = arena_slicedup(arena, strbuf_view(&normal));
	if (s == NULL)
		error_set(err, "is not a domain name (%s); write it like "
			       "\"example.com\"", why);
	strbuf_fini(&normal);
	return s;
}

static int set_domain(const struct slot *s, const char *text,
    struct error *err)
{
	char *d;

	if (text[0] == '\0' && s->param->def != NULL) {
		*(char **)s->field = arena_strdup(s->arena, "");
		return 0;
	}
	d = domain_text(s->arena, text, err);
	if (d == NULL)
		return -1;
	*(char **)s->field = d;
	return 0;
}

static int set_domains(const struct slot *s, const char *text,
    struct error *err)
{
	char *d = domain_text(s->arena, text, err);

	if (d == NULL)
		return -1;
	*(char **)slot_element(s) = d;
	return 0;
}

static void show_strings(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, string_show);
}

static int set_mailbox(const struct slot *s, const char *text,
    struct error *err)
{
	const char *why = "it has no domain";
	struct addr a;

	if (text[0] == '\0' && s->param->def != NULL) {
		*(char **)s->field = arena_strdup(s->arena, "");
		return 0;
	}
	if (addr_parse(slice_str(text), true, &a, &why) != 0 ||
	    a.domain.n == 0)
		return error_set(err, "is not a mail address (%s); write it "
				      "like \"admin@example.com\"", why);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static bool is_address(const char *text)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, text, addr) == 1 ||
	       inet_pton(AF_INET6, text, addr) == 1;
}

static int set_address(const struct slot *s, const char *text,
    struct error *err)
{
	if (text[0] != '\0' && !is_address(text))
		return error_set(err, "is not an address; write it like "
				      "\"192.0.2.1\" or \"2001:db8::1\"");
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

/* ---- networks ---------------------------------------------------------- */

/* fc00::/7 and fe80::/10 are not routed: no outside client is in them. */
static bool too_wide(const struct conf_net *n)
{
	if (n->family == AF_INET)
		return n->bits < WIDEST_IP4;
	if ((n->bits >= 7 && (n->addr[0] & 0xfe) == 0xfc) ||
	    (n->bits >= 10 && n->addr[0] == 0xfe &&
		(n->addr[1] & 0xc0) == 0x80))
		return false;
	return n->bits < WIDEST_IP6;
}

static int set_net(const struct slot *s, const char *text, struct error *err)
{
	struct conf_net n;
	const char *why;

	if (conf_net_parse(slice_str(text), &n, &why) != 0)
		return error_set(err, "%s; write it like \"192.0.2.0/24\" or "
				      "\"2001:db8::1\"", why);
	if (too_wide(&n))
		return error_set(err, "would trust strangers; name your own "
				      "networks, IPv4 from /%d and IPv6 from "
				      "/%d on", WIDEST_IP4, WIDEST_IP6);
	*(struct conf_net *)slot_element(s) = n;
	return 0;
}

static void show_net(const struct conf_param *p, const void *element,
    struct strbuf *out)
{
	const struct conf_net *n = element;
	char text[INET6_ADDRSTRLEN] = "";
	bool whole = n->bits == (n->family == AF_INET ? 32 : 128);

	(void)p;
	inet_ntop(n->family, n->addr, text, sizeof(text));
	if (whole)
		strbuf_addf(out, "\"%s\"", text);
	else
		strbuf_addf(out, "\"%s/%d\"", text, n->bits);
}

static void show_nets(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, show_net);
}

/* ---- host:port --------------------------------------------------------- */

/* Cuts "host", "host:port", "[v6]", "[v6]:port" or a bare v6 address. */
static bool cut_host(struct slice s, struct slice *host, struct slice *port)
{
	long colon = slice_rfind(s, ':'), close;

	*host = s;
	*port = slice_of(NULL, 0);
	if (s.n > 0 && s.p[0] == '[') {
		close = slice_find(s, ']');
		if (close < 0)
			return false;
		*host = slice_of(s.p + 1, (size_t)close - 1);
		s = slice_from(s, (size_t)close + 1);
		if (s.n == 0)
			return slice_find(*host, ':') >= 0;
		*port = slice_from(s, 1);
		return s.p[0] == ':' && slice_find(*host, ':') >= 0;
	}
	if (colon < 0 || slice_find(s, ':') != colon)
		return true; /* no port, or a bare v6 address */
	*host = slice_head(s, (size_t)colon);
	*port = slice_from(s, (size_t)colon + 1);
	return true;
}

static bool host_name_ok(struct slice host)
{
	const char *why;

	return domain_of_host(host, false, &why) && !ends_in_number(host) &&
	       slice_find(host, '[') < 0;
}

static bool is_address_slice(struct slice host)
{
	char text[INET6_ADDRSTRLEN];

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return is_address(text);
}

/* `port` stays where none is said. */
static bool take_host(struct slice text, struct slice *host, uint64_t *port,
    bool *is_addr_out)
{
	struct slice said;

	if (!cut_host(text, host, &said) ||
	    (said.p != NULL && !slice_uint(said, 65535, port)))
		return false;
	*is_addr_out = is_address_slice(*host);
	return *is_addr_out || host_name_ok(*host);
}

int conf_next_hop(struct slice text, struct slice *host_out, int *port_out,
    struct error *err)
{
	uint64_t port = SMTP_PORT;
	bool is_addr;

	if (!take_host(text, host_out, &port, &is_addr) || port == 0)
		return error_set(err, "\"%.*s\" is no next hop; write it like "
		    "relay.example.com, or relay.example.com:25",
		    (int)slice_head(text, 200).n, text.p);
	*port_out = (int)port;
	return 0;
}

static bool read_host(const struct slot *s, const char *text,
    struct conf_hostport *h)
{
	const struct conf_type *t = s->param->type;
	uint64_t n = (uint64_t)t->port;
	struct slice host;

	if (!take_host(slice_str(text), &host, &n, &h->is_addr) ||
	    (n == 0 && t != &T_LISTEN))
		return false;
	h->host = arena_slicedup(s->arena, host);
	h->port = (int)n;
	return h->is_addr || !t->addresses;
}

static int set_host(const struct slot *s, const char *text, struct error *err)
{
	struct conf_hostport h;

	if (!read_host(s, text, &h))
		return error_set(err, "is no %s with a port from %d to 65535; "
				      "write it like %s",
		    s->param->type->name, s->param->type == &T_LISTEN ? 0 : 1,
		    s->param->type->form);
	*(struct conf_hostport *)slot_element(s) = h;
	return 0;
}

static void show_host(const struct conf_param *p, const void *element,
    struct strbuf *out)
{
	const struct conf_hostport *h = element;
	bool v6 = strchr(h->host, ':') != NULL;

	(void)p;
	strbuf_addf(out, "\"%s%s%s:%d\"", v6 ? "[" : "", h->host,
	    v6 ? "]" : "", h->port);
}

static void show_hosts(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, show_host);
}

/* clang-format off */
const struct conf_type
T_DOMAIN = { .name = "domain", .set = set_domain, .show = string_show },
T_DOMAINS = { .name = "domain", .set = set_domains, .show = show_strings,
	.element = sizeof(char *) },
T_MAILBOX = { .name = "mail address", .set = set_mailbox, .show = string_show },
T_ADDRESS = { .name = "address", .set = set_address, .show = string_show },
T_NETS = { .name = "network", .set = set_net, .show = show_nets,
	.element = sizeof(struct conf_net) },
T_HOSTS = { .name = "host", .set = set_host, .show = show_hosts,
	.form = "\"mail.example.com:25\" or \"[2001:db8::1]:25\"",
	.element = sizeof(struct conf_hostport), .port = SMTP_PORT },
T_LISTEN = { .name = "address", .set = set_host, .show = show_hosts,
	.form = "\"192.0.2.1:25\" or \"[::]:25\"",
	.element = sizeof(struct conf_hostport), .port = SMTP_PORT,
	.addresses = true },
T_RESOLVERS = { .name = "address", .set = set_host, .show = show_hosts,
	.form = "\"192.0.2.53:53\" or \"[::1]:53\"",
	.element = sizeof(struct conf_hostport), .port = 53, .addresses = true };
/* clang-format on */
