/* SPDX-License-Identifier: ISC
 *
 * The way of a check through libspf2: it gets records that rewrite.c wrote,
 * whose names are tokens, and asks our DNS layer about each token in the order
 * of evaluation. One thread.
 */
#include "relay/spf/guard/guard.h"

#include <netdb.h>
#include <netinet/in.h>
#include <spf2/spf.h>
#include <spf2/spf_dns.h>

#include "relay/base/assert.h"
#include "relay/spf/guard/check_int.h"

enum { REWRITTEN_MAX = 1024 };

struct guard {
	SPF_dns_server_t dns;
	SPF_server_t *server;
	struct check *check; /* while it runs */
};

static const enum spf_result results[] = {
	[SPF_RESULT_INVALID] = SPF_PERMERROR,
	[SPF_RESULT_NEUTRAL] = SPF_NEUTRAL, [SPF_RESULT_PASS] = SPF_PASS,
	[SPF_RESULT_FAIL] = SPF_FAIL, [SPF_RESULT_SOFTFAIL] = SPF_SOFTFAIL,
	[SPF_RESULT_NONE] = SPF_NONE, [SPF_RESULT_TEMPERROR] = SPF_TEMPERROR,
	[SPF_RESULT_PERMERROR] = SPF_PERMERROR,
};

static struct rewrite rewrite_of(const struct check *c,
    const struct spf_record *r)
{
	struct rewrite w = {.terms = &r->terms, .client = c->q->client};

	while (w.record < c->records && c->record[w.record] != r)
		w.record++;
	for (size_t i = 0; i < c->q->local.n; i++)
		if ((unsigned char)c->q->local.p[i] > '~')
			w.foreign_local = true;
	return w;
}

/* ---- what the DNS layer answers ---- */

static SPF_dns_rr_t *answer_new(struct guard *g, const char *name, int type,
    SPF_dns_stat_t status)
{
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(&g->dns, name, (ns_type)type, 0,
	    status);

	if (rr == NULL)
		mem_exhausted(0);
	return rr;
}

/* libspf2 ends its evaluation; the check knows why. */
static SPF_dns_rr_t *answer_end(struct guard *g, const char *name, int type)
{
	return answer_new(g, name, type, TRY_AGAIN);
}

static void add_bytes(SPF_dns_rr_t *rr, const void *p, size_t n)
{
	if (SPF_dns_rr_buf_realloc(rr, rr->num_rr, n + 1) != SPF_E_SUCCESS)
		mem_exhausted(n);
	memcpy(rr->rr[rr->num_rr]->txt, p, n);
	rr->rr[rr->num_rr++]->txt[n] = '\0';
}

static SPF_dns_rr_t *answer_if(struct guard *g, const char *name, int type,
    bool yes)
{
	SPF_dns_rr_t *rr = answer_new(g, name, type, yes ? NETDB_SUCCESS :
							   NO_DATA);

	if (yes)
		add_bytes(rr, g->check->q->client.p, g->check->q->client.n);
	return rr;
}

/* A network of zero bits is within every network that holds an address: the
 * client's own stands for it. */
static SPF_dns_rr_t *answer_addresses(struct guard *g, const char *name,
    const struct spf_term *t, const struct spf_answer *a)
{
	const struct check *c = g->check;
	bool four = c->q->client.n == 4;
	struct slice rest = a->records, record;
	SPF_dns_rr_t *rr;

	if ((four ? t->cidr4 : t->cidr6) == 0)
		return answer_if(g, name, dns_address_type(c), rest.n > 0);
	rr = answer_new(g, name, dns_address_type(c),
	    rest.n > 0 ? NETDB_SUCCESS : NO_DATA);
	while (spf_record_next(&rest, &record))
		add_bytes(rr, record.p, record.n);
	return rr;
}

/* The answer for a name, with its failure and its lack of records seen to.
 * NULL: the check is over. */
static const struct spf_answer *find(struct check *c, struct spf_record *r,
    enum spf_type type, struct slice name)
{
	const struct spf_answer *a = dns_find(c, type, name);

	if (a == NULL)
		return NULL;
	if (a->status == SPF_ANSWER_FAILED)
		check_stop(c, SPF_TEMPERROR, r,
		    "the DNS did not answer for a term");
	dns_void(c, r, a);
	return check_over(c) ? NULL : a;
}

/* ---- terms ---- */

/* The hosts of an MX are tokens, too; all their addresses are asked at
 * once. */
static SPF_dns_rr_t *answer_mx(struct guard *g, const char *name,
    struct token token, const struct spf_answer *a)
{
	SPF_dns_rr_t *rr = answer_new(g, name, SPF_TYPE_MX,
	    a->records.n > 0 ? NETDB_SUCCESS : NO_DATA);
	struct slice rest = a->records, host;
	char text[TOKEN_MAX];

	token.kind = 'x';
	for (token.host = 0; spf_record_next(&rest, &host); token.host++) {
		dns_ahead(g->check, dns_address_type(g->check), host);
		token_print(&token, text);
		add_bytes(rr, text, strlen(text));
	}
	return rr;
}

static SPF_dns_rr_t *lookup_mx(struct guard *g, const char *text,
    struct token token, struct slice name)
{
	struct check *c = g->check;
	struct spf_record *r = c->record[token.record];
	const struct spf_answer *a = find(c, r, SPF_TYPE_MX, name);

	if (a != NULL && dns_count(a) > GUARD_HOSTS_MAX)
		check_stop(c, SPF_PERMERROR, r,
		    "more than 10 hosts of an mx (RFC 7208 4.6.4)");
	if (check_over(c))
		return answer_end(g, text, SPF_TYPE_MX);
	return answer_mx(g, text, token, a);
}

static SPF_dns_rr_t *lookup_host(struct guard *g, const char *text,
    const struct token *token, const struct spf_term *t)
{
	struct check *c = g->check;
	struct spf_record *r = c->record[token->record];
	struct slice name, host = SLICE(""), rest;
	const struct spf_answer *mx, *a = NULL;

	if (name_of_term(c, r, t, &name) &&
	    (mx = dns_find(c, SPF_TYPE_MX, name)) != NULL) {
		rest = mx->records;
		for (unsigned i = 0; i <= token->host; i++)
			if (!spf_record_next(&rest, &host))
				break;
		a = find(c, r, dns_address_type(c), host);
	}
	return a != NULL ? answer_addresses(g, text, t, a) :
			   answer_end(g, text, dns_address_type(c));
}

static SPF_dns_rr_t *lookup_term(struct guard *g, const char *text,
    struct token token, const struct spf_term *t)
{
	struct check *c = g->check;
	struct spf_record *r = c->record[token.record];
	enum spf_type type = t->kind == TERM_A ? dns_address_type(c) :
						 SPF_TYPE_A;
	const struct spf_answer *a;
	struct slice name;
	bool within;

	if (!record_begin(c, r, t) || !name_of_term(c, r, t, &name))
		return answer_end(g, text, type);
	if (t->kind == TERM_MX)
		return lookup_mx(g, text, token, name);
	if (t->kind == TERM_PTR) {
		within = name_ptr_within(c, r, name);
		return check_over(c) ? answer_end(g, text, type) :
				       answer_if(g, text, type, within);
	}
	a = find(c, r, type, name);
	if (a == NULL)
		return answer_end(g, text, type);
	return t->kind == TERM_A ? answer_addresses(g, text, t, a) :
				   answer_if(g, text, type, a->records.n > 0);
}

static struct spf_record *record_of(struct check *c, const struct token *t)
{
	PH_ASSERT(t->record < c->records);
	return c->record[t->record];
}

static struct spf_term *term_of(struct spf_record *r, const struct token *t)
{
	if (t->term == TOKEN_REDIRECT)
		return &r->terms.redirect;
	PH_ASSERT(t->term < (unsigned)r->terms.count);
	return &r->terms.term[t->term];
}

static SPF_dns_rr_t *on_lookup(SPF_dns_server_t *dns, const char *text,
    ns_type type, int cache)
{
	struct guard *g = dns->hook;
	struct check *c = g->check;
	struct spf_record *r;
	struct token token;
	SPF_dns_rr_t *rr;

	(void)cache;
	if (check_over(c))
		return answer_end(g, text, type);
	if (!token_parse(text, &token))
		PH_ASSERT(!"a name that is no token");
	r = record_of(c, &token);
	if (token.kind == 'm') {
		r->past = true;
		return answer_if(g, text, type, false);
	}
	rr = token.kind == 'x' ?
	    lookup_host(g, text, &token, term_of(r, &token)) :
	    lookup_term(g, text, token, term_of(r, &token));
	if (c->missed)
		record_ahead(c, r, term_of(r, &token));
	return rr;
}

/* ---- records ---- */

static SPF_errcode_t compile(struct guard *g, struct spf_record *r,
    SPF_response_t *response, SPF_record_t **record_out)
{
	struct rewrite w = rewrite_of(g->check, r);
	struct strbuf text;
	SPF_errcode_t e;

	strbuf_init(&text, REWRITTEN_MAX);
	r->end = rewrite_record(&w, &text);
	PH_ASSERT(strbuf_ok(&text));
	e = SPF_record_compile(g->server, response, record_out,
	    strbuf_cstr(&text));
	strbuf_fini(&text);
	if (e != SPF_E_SUCCESS)
		check_stop(g->check, SPF_PERMERROR, r,
		    "libspf2 does not take a record");
	return e;
}

/* The record that an include or a redirect names. */
static struct spf_record *follow(struct check *c, struct spf_record *r,
    const struct spf_term *t)
{
	struct spf_record *to;
	struct slice name;
	bool none;

	if (!record_begin(c, r, t) || !name_of_term(c, r, t, &name))
		return NULL;
	to = record_load(c, name, r, &none);
	if (none)
		check_stop(c, SPF_PERMERROR, r,
		    "a domain that a term names has no record");
	if (c->missed)
		record_ahead(c, r, t);
	if (to == NULL)
		return NULL;
	if (t->kind == TERM_REDIRECT)
		r->next = to;
	else
		r->included = true;
	return to;
}

static SPF_errcode_t on_get_record(SPF_server_t *server,
    SPF_request_t *request, SPF_response_t *response, SPF_record_t **record_out)
{
	struct guard *g = server->resolver->hook;
	struct check *c = g->check;
	struct spf_record *r;
	struct token token;

	*record_out = NULL;
	if (check_over(c))
		return SPF_E_DNS_ERROR;
	if (!token_parse(request->cur_dom, &token))
		PH_ASSERT(!"a domain that is no token");
	r = record_of(c, &token);
	if (token.kind == 't')
		r = follow(c, r, term_of(r, &token));
	return r == NULL ? SPF_E_DNS_ERROR :
			   compile(g, r, response, record_out);
}

/* ---- a check ---- */

/* No word of a stranger's reaches libspf2: a macro of its default explanation
 * would overflow on a local part of 8-bit octets. */
static SPF_request_t *request_new(struct guard *g, struct slice client)
{
	SPF_request_t *r = SPF_request_new(g->server);
	struct in6_addr six;
	struct in_addr four;

	if (r == NULL || SPF_request_set_helo_dom(r, "h.x") != SPF_E_SUCCESS ||
	    SPF_request_set_env_from(r, "l@d000000000.x") != 0)
		mem_exhausted(0);
	if (client.n == sizeof(four)) {
		memcpy(&four, client.p, sizeof(four));
		SPF_request_set_ipv4(r, four);
	} else {
		memcpy(&six, client.p, sizeof(six));
		SPF_request_set_ipv6(r, six);
	}
	return r;
}

static enum spf_result run(struct guard *g, struct slice client)
{
	SPF_request_t *request = request_new(g, client);
	SPF_response_t *response = NULL;
	SPF_result_t r;

	SPF_request_query_mailfrom(request, &response);
	if (response == NULL)
		mem_exhausted(0);
	r = SPF_response_result(response);
	SPF_response_free(response);
	SPF_request_free(request);
	return (unsigned)r < ARRAY_LEN(results) ? results[r] : SPF_PERMERROR;
}

static void verdict_of(struct check *c, enum spf_result result)
{
	struct spf_verdict *v = &c->reply->verdict;
	struct spf_record *r = c->record[0];
	const struct spf_term *t;

	/* The record whose term counts, and whose explanation (6.2). */
	while (r->next != NULL)
		r = r->next;
	t = r->past ? r->end : r->at;
	v->lookups = c->lookups;
	v->voids = c->voids;
	v->result = result;
	v->domain = explain_clean(c, r->domain, MACRO_NAME_MAX);
	if (t != NULL)
		v->mechanism = explain_clean(c, t->text, MACRO_NAME_MAX);
	c->explains = true;
	if (result == SPF_FAIL)
		explain_fail(c, r);
}

static void verdict_of_stop(struct check *c)
{
	struct spf_verdict *v = &c->reply->verdict;

	v->result = c->result;
	v->lookups = c->lookups;
	v->voids = c->voids;
	v->problem = slice_str(c->why);
	v->domain = explain_clean(c, c->where != NULL ? c->where->domain :
	    c->domain, MACRO_NAME_MAX);
	if (c->term != NULL)
		v->mechanism = explain_clean(c, c->term->text, MACRO_NAME_MAX);
}

static bool is_loopback(struct slice client)
{
	static const unsigned char one[16] = {[15] = 1};

	return client.n == 4 ? (unsigned char)client.p[0] == 127 :
			       memcmp(client.p, one, sizeof(one)) == 0;
}

/* RFC 7208 4.3: which domains have no result. */
static const char *no_domain(const struct spf_request *q)
{
	if (is_loopback(q->client))
		return "a client on the loopback is not judged";
	if (!macro_name_valid(q->domain) || slice_find(q->domain, '.') < 0 ||
	    q->domain.p[0] == '[')
		return "a name is no full domain name (RFC 7208 4.3)";
	return NULL;
}

static struct slice lower(struct arena *mem, struct slice s)
{
	char *p = arena_slicedup(mem, s);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(p[i]);
	return slice_of(p, s.n);
}

static void evaluate(struct guard *g, struct check *c)
{
	enum spf_result result = SPF_NONE;
	bool none;

	g->check = c;
	c->domain = lower(c->mem, c->q->domain);
	if (record_load(c, c->domain, NULL, &none) != NULL)
		result = run(g, c->q->client);
	g->check = NULL;
	if (!check_over(c) && c->records > 0)
		verdict_of(c, result);
	else if (c->stopped)
		verdict_of_stop(c);
}

void guard_check(struct guard *g, const struct spf_request *q, int64_t now_s,
    struct arena *mem, struct spf_reply *reply)
{
	struct check c = {.q = q, .now_s = now_s, .mem = mem, .reply = reply};
	const char *none = no_domain(q);

	*reply = (struct spf_reply){.verdict.result = SPF_NONE};
	if (none != NULL) {
		reply->verdict.problem = slice_str(none);
		return;
	}
	evaluate(g, &c);
	/* Names asked ahead of a verdict are not waited for. */
	if (!c.missed)
		reply->questions = 0;
}

struct guard *guard_new(void)
{
	struct guard *g = NEW(struct guard);
	SPF_response_t *response = NULL;

	g->dns.lookup = on_lookup;
	g->dns.get_spf = on_get_record;
	g->dns.name = "guard";
	g->dns.hook = g;
	g->server = SPF_server_new_dns(&g->dns, 0);
	if (g->server == NULL ||
	    SPF_server_set_rec_dom(g->server, "r.x") != SPF_E_SUCCESS ||
	    SPF_server_set_explanation(g->server, "-", &response) !=
		SPF_E_SUCCESS)
		mem_exhausted(0);
	SPF_response_free(response);
	/* The guard counts, across all records of a check. */
	SPF_server_set_max_dns_mech(g->server, 1000);
	return g;
}

void guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	SPF_server_free(g->server);
	mem_free(g);
}
