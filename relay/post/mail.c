/* SPDX-License-Identifier: ISC
 *
 * A message in a worker's hand.
 */
#include "relay/post/mail.h"

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/mail/domain.h"

struct mail *mail_new(void)
{
	struct mail *m = NEW(struct mail);

	m->refs = 1;
	m->arena = arena_new();
	return m;
}

struct mail *mail_ref(struct mail *m)
{
	m->refs++;
	return m;
}

void mail_unref(struct mail *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	if (m->draft != NULL)
		spool_draft_free(m->draft);
	spool_fetch_free(m->fetch);
	mem_free(m->delivery);
	mem_free(m->hash);
	conf_unref(m->decided);
	arena_free(m->arena);
	mem_free(m);
}

/* The message waits: it is tried again, and goes out once a program that
 * reads its envelope is started. */
static void say_why(const struct spool_fetch *f)
{
	unsigned newer = envelope_newer(strbuf_view(&f->envelope));
	struct error err;

	if (newer != 0)
		error_set(&err, "its envelope was made by format %u; this "
		    "program reads up to %d: start the newer one", newer,
		    ENVELOPE_FORMAT);
	else
		error_set(&err, "its envelope is damaged");
	log_error("mail.envelope", kv_id("id", f->id), kv_err(&err));
}

struct mail *mail_of_fetch(struct spool_fetch *f)
{
	struct mail *m = mail_new();

	m->fetch = f;
	if (envelope_unpack(strbuf_view(&f->envelope), m->arena, &m->env) < 0) {
		say_why(f);
		mail_unref(m);
		return NULL;
	}
	m->delivery = mem_dup(f->delivery,
	    f->deliveries * sizeof(struct spool_delivery));
	m->deliveries = f->deliveries;
	return m;
}

struct source *mail_source(struct mail *m)
{
	struct source *s;

	if (m->draft != NULL)
		return spool_draft_source(m->draft);
	if (m->fetch == NULL)
		return NULL;
	s = m->fetch->source;
	m->fetch->source = NULL;
	return s;
}

/* The part of a struct decision that is kept. The whole has room for a reply
 * and for two addresses of any length. */
struct kept_decision {
	enum decision_rule rule;
	struct slice key, base;
	struct table_row row;
	struct route route;
	bool held;
	uint64_t change;
};

static struct slice keep(struct arena *a, const char *text)
{
	struct slice s = slice_str(text);

	return slice_of(arena_slicedup(a, s), s.n);
}

void mail_keep_decision(struct mail *m, unsigned rcpt, struct conf *c,
    const struct decision *d)
{
	struct kept_decision *kept;

	if (rcpt >= MAIL_DECISIONS || !d->row.found ||
	    (d->rule != RULE_ADDRESS && d->rule != RULE_SUBADDRESS) ||
	    (m->decided != NULL && m->decided != c))
		return;
	if (m->decided == NULL)
		m->decided = conf_ref(c);
	kept = arena_alloc(m->arena, sizeof(*kept));
	*kept = (struct kept_decision){d->rule, keep(m->arena, d->key),
	    keep(m->arena, d->base), d->row, d->route, d->held, d->change};
	kept->row.route_text = arena_strdup(m->arena, d->row.route_text);
	kept->row.mailbox = arena_strdup(m->arena, d->row.mailbox);
	kept->row.tags = arena_strdup(m->arena, d->row.tags);
	for (unsigned i = 0; i < d->row.addresses; i++)
		kept->row.address[i].address =
		    arena_strdup(m->arena, d->row.address[i].address);
	m->decision[rcpt] = kept;
}

/* Each member by itself: what is behind the ends of its texts costs nothing. */
static void restore(const struct kept_decision *kept, struct decision *d)
{
	d->verdict = VERDICT_ACCEPT;
	d->reply.code = 0;
	d->reply.enh[0] = d->reply.text[0] = '\0';
	d->rule = kept->rule;
	slice_copy(kept->key, d->key, sizeof(d->key));
	slice_copy(kept->base, d->base, sizeof(d->base));
	d->row = kept->row;
	d->route = kept->route;
	d->held = kept->held;
	d->ask = false;
	d->change = kept->change;
}

bool mail_decision(const struct mail *m, unsigned rcpt, const struct conf *c,
    int64_t change, struct decision *decision_out)
{
	const struct kept_decision *kept =
	    rcpt < MAIL_DECISIONS ? m->decision[rcpt] : NULL;

	if (kept == NULL || m->decided != c || change < 0 ||
	    kept->change != (uint64_t)change)
		return false;
	restore(kept, decision_out);
	return true;
}

bool mail_rcpt_addr(const struct mail *m, unsigned rcpt, struct addr *out)
{
	const char *why;

	if (rcpt >= m->env.rcpts)
		return false;
	return addr_parse(slice_str(m->env.rcpt[rcpt].to), true, out, &why) ==
	       0;
}

static uint64_t hash_folded(struct slice s)
{
	char folded[2 * ADDR_MAX];
	size_t n = 0;

	for (; n < s.n && n < sizeof(folded); n++)
		folded[n] = ascii_lower(s.p[n]);
	return hash_stored(slice_of(folded, n));
}

uint64_t mail_hash(const char *base)
{
	return hash_folded(slice_str(base)) | 1;
}

uint64_t mail_key_hash(const struct conf *c, struct slice key)
{
	struct strbuf b;
	uint64_t hash = 0;

	strbuf_init(&b, 2 * ADDR_MAX);
	if (route_base(c, key, &b))
		hash = hash_stored(strbuf_view(&b)) | 1;
	strbuf_fini(&b);
	return hash;
}

uint64_t mail_rcpt_hash(const struct conf *c, const char *to)
{
	struct strbuf key;
	struct addr a;
	const char *why;
	uint64_t hash = QUEUE_ANYBODY;

	strbuf_init(&key, 2 * ADDR_MAX);
	if (addr_parse(slice_str(to), true, &a, &why) == 0 &&
	    route_is_itself(c, &a) && addr_key(&a, '\0', &key))
		hash = mail_key_hash(c, strbuf_view(&key));
	strbuf_fini(&key);
	return hash | 1;
}

static void add_hash(uint64_t hash, uint64_t out[RCPT_HASHES], unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		if (out[i] == hash)
			return;
	out[(*n)++] = hash;
}

/* The key without what each of the separators makes a detail; the NUL at their
 * end makes none. */
static void add_bases(const struct addr *a, uint64_t out[RCPT_HASHES],
    unsigned *n)
{
	struct strbuf key;

	strbuf_init(&key, 2 * ADDR_MAX);
	for (size_t i = 0; i < sizeof(CONF_SEPARATORS); i++) {
		strbuf_reset(&key);
		if (addr_key(a, CONF_SEPARATORS[i], &key))
			add_hash(mail_hash(strbuf_cstr(&key)), out, n);
	}
	strbuf_fini(&key);
}

unsigned mail_rcpt_hashes(const struct conf *c, const char *to,
    uint64_t out[RCPT_HASHES])
{
	unsigned n = 0;
	struct addr a;
	const char *why;

	add_hash(mail_rcpt_hash(c, to), out, &n);
	if (out[0] == QUEUE_ANYBODY)
		return 0;
	/* Of mail of our own to the outside; case counted once. */
	add_hash(mail_hash(to), out, &n);
	add_hash(hash_stored(slice_str(to)) | 1, out, &n);
	if (addr_parse(slice_str(to), true, &a, &why) == 0)
		add_bases(&a, out, &n);
	return n;
}

/* The lowest bit of those of earlier versions is set. */
uint64_t mail_sender_stored(uint64_t sender)
{
	if ((sender & 1) == 0)
		return sender;
	return (sender & QUEUE_SENDER_MASK & ~UINT64_C(1)) | 2;
}

uint64_t mail_sender(const char *from)
{
	struct slice domain = slice_str(from);
	long at = slice_rfind(domain, '@');
	uint64_t address = hash_folded(domain) | 1;

	if (at >= 0)
		domain = slice_from(domain, (size_t)at + 1);
	return (hash_folded(domain) & QUEUE_SENDER_MASK & ~UINT64_C(1)) | 2 |
	       address << QUEUE_FROM_SHIFT;
}

uint32_t mail_domain(const char *to)
{
	struct slice all = slice_str(to), domain;
	long at = slice_rfind(all, '@');
	struct strbuf b;
	uint32_t hash;

	domain = at < 0 ? all : slice_from(all, (size_t)at + 1);
	strbuf_init(&b, ADDR_DOMAIN_MAX);
	if (!domain_normal(domain, &b)) {
		strbuf_reset(&b);
		strbuf_addsl(&b, slice_head(domain, ADDR_DOMAIN_MAX));
	}
	hash = (uint32_t)hash_stored(strbuf_view(&b)) & PERMIT_DOMAIN_MASK;
	strbuf_fini(&b);
	return hash != 0 ? hash : 1;
}

bool mail_without_loops(const struct mail *m, unsigned rcpt,
    const struct names *names, struct decision *d)
{
	const struct envelope *e = &m->env;
	bool left = true;

	for (unsigned i = 0; i < e->had_legs && left && !d->held; i++)
		if (envelope_loops(e, rcpt, e->had_leg[i]))
			left = route_without(&d->route,
			    names_find(names, slice_str(e->had_leg[i])));
	return left;
}
