/* SPDX-License-Identifier: ISC
 *
 * Staging a change: every value is checked and brought into its canonical form
 * before it is staged, so what follows is set arithmetic. Staging takes no
 * lock that others wait for.
 */
#include "policy/change/change_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/route.h"
#include "relay/base/assert.h"
#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

/* Pages kept in memory: a flip of 83,000 scattered rows touches most leaves
 * of a table of 2,100,000. What is staged stays in memory whole, as it did
 * before it was sorted (heap.c): log_push() would write it to a temporary file,
 * and fail where that disk is full. */
static const char caches[] =
    "PRAGMA cache_size = -262144;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA journal_size_limit = 67108864;";

struct change *change_open(const char *path, const struct conf *c,
    struct error *err)
{
	struct change *ch = NEW(struct change);

	ch->conf = c;
	log_push_init(&ch->push);
	strbuf_init(&ch->key, ADDR_MAX);
	strbuf_init(&ch->route, ROW_TEXT_MAX);
	strbuf_init(&ch->tags, ROW_TEXT_MAX);
	strbuf_init(&ch->patch, ROW_TEXT_MAX);
	if (db_open(&ch->db, path, DB_WRITE, change_sql, err) < 0) {
		change_close(ch);
		return NULL;
	}
	change_functions(ch);
	if ((feed_register(ch->db.handle, &ch->feed) != SQLITE_OK &&
		db_error(&ch->db, err) < 0) ||
	    db_script(&ch->db, caches, err) < 0 ||
	    db_script(&ch->db, change_temp, err) < 0 ||
	    db_do(&ch->db, CS_BEGIN, err) < 0) {
		change_close(ch);
		return NULL;
	}
	ch->heap = heap_new();
	return ch;
}

void change_close(struct change *ch)
{
	if (ch == NULL)
		return;
	if (ch->waves.end != NULL)
		ch->waves.end(ch->waves.arg);
	log_push_fini(&ch->push);
	db_close(&ch->db);
	heap_free(ch->heap);
	strbuf_fini(&ch->key);
	strbuf_fini(&ch->route);
	strbuf_fini(&ch->tags);
	strbuf_fini(&ch->patch);
	mem_free(ch->form);
	mem_free(ch);
}

struct db *change_db(struct change *ch)
{
	return &ch->db;
}

void change_refuse_domains(struct change *ch)
{
	ch->no_domains = true;
}

void change_refuse_conflicts(struct change *ch)
{
	ch->once = ch->alike = true;
}

uint64_t change_staged(const struct change *ch)
{
	return ch->staged;
}

uint64_t change_strangers(const struct change *ch, const char **first_out)
{
	*first_out = ch->stranger;
	return ch->strangers;
}

void change_stage(struct change *ch, const struct staged *s)
{
	heap_add(ch->heap, s);
	ch->removes = ch->removes || s->gone;
	ch->twofold = ch->twofold || slice_find(s->route, '+') >= 0 ||
		      (s->tags.n > 0 &&
			  memmem(s->tags.p, s->tags.n, "kind=", 5) != NULL);
	ch->staged++;
}

/* ---- sorted ----------------------------------------------------------- */

/* The tags without the form of a patch: only those to add. */
static struct slice staged_tags(const struct staged *s)
{
	struct slice rest = s->tags, tags = s->tags;

	if (s->tag_patch && !slice_next(&rest, '\n', &tags))
		return s->tags;
	return tags;
}

/* "a@example.com is an address of 'x' here and an address of 'y' on line 2; one
 * of them is wrong". */
static bool name_conflict(const struct staged *s, const struct staged *first,
    struct error *why)
{
	const struct {
		const char *is;
		struct slice here, there;
	} value[] = {
	    {"an address of", s->mailbox, first->mailbox},
	    {"routed to", s->route, first->route},
	    {"tagged", staged_tags(s), staged_tags(first)},
	    {"rewritten to", s->patch, first->patch},
	};

	for (size_t i = 0; i < ARRAY_LEN(value); i++) {
		if (slice_eq(value[i].here, value[i].there))
			continue;
		error_set(why, "%.*s is %s '%.*s' here and %s '%.*s' on line %"
		    PRIu64 "; one of them is wrong", (int)s->key.n, s->key.p,
		    value[i].is, (int)slice_head(value[i].here, 100).n,
		    value[i].here.p, value[i].is,
		    (int)slice_head(value[i].there, 100).n, value[i].there.p,
		    first->line);
		return true;
	}
	return false;
}

/* Every line of a file that gives an address a second time. */
static void on_twice(void *arg, const struct staged *s,
    const struct staged *first)
{
	struct change *ch = arg;
	struct error why;

	error_set(&why, "%.*s stands on line %" PRIu64 " too", (int)s->key.n,
	    s->key.p, first->line);
	if (!ch->alike || name_conflict(s, first, &why))
		change_fault(ch, s->line, why.text);
}

int change_arrange(struct change *ch, struct error *err)
{
	if (ch->heap == NULL)
		return change_faulty(ch, err);
	change_phase(ch, "sorting");
	heap_sort(ch->heap);
	heap_unique(ch->heap, ch->once ? on_twice : NULL, ch);
	if (change_faulty(ch, err) < 0)
		return -1;
	ch->feed = heap_feed(ch->heap);
	if (change_run(ch, CS_STAGE, 0, err) < 0)
		return -1;
	ch->staged = (uint64_t)sqlite3_changes64(ch->db.handle);
	ch->feed = NULL;
	heap_free(ch->heap);
	ch->heap = NULL;
	return db_do(&ch->db, CS_COMMIT, err);
}

/* ---- canonical values ------------------------------------------------- */

int change_may_use(const struct change *ch, struct slice key,
    struct slice route, struct error *err)
{
	const struct conf_domain *d = conf_domain(ch->conf, row_domain(key));
	struct strbuf may;
	struct slice leg;

	if (d == NULL || d->legs.count == 0 ||
	    slice_eq(route, SLICE("defer")) ||
	    slice_eq(route, SLICE("reject")) || slice_eq(route, SLICE("gone")))
		return 0;
	while (slice_next(&route, '+', &leg)) {
		if (conf_domain_may(d, leg))
			continue;
		strbuf_init(&may, sizeof(err->text));
		for (int i = 0; i < d->legs.count; i++)
			strbuf_addf(&may, "%s%s", i == 0 ? "" : ", ",
			    d->legs.s[i]);
		error_set(err, "%.*s can not be routed to %.*s: the legs of "
		    "domain %s are %s", (int)slice_head(key, 100).n, key.p,
		    (int)slice_head(leg, 40).n, leg.p, d->name,
		    strbuf_cstr(&may));
		strbuf_fini(&may);
		return -1;
	}
	return 0;
}

/* The canonical form of the route into ch->route. It is kept there for the next
 * row, which mostly has the same route and domain. */
static int form_route(struct change *ch, struct slice key, const char *text,
    const struct conf_domain *d, struct error *err)
{
	struct route_form *form = &ch->route_form;
	size_t n = strlen(text);
	struct route r;

	if (n > 0 && form->domain == d && strcmp(form->given, text) == 0)
		return 0;
	form->given[0] = '\0';
	strbuf_reset(&ch->route);
	if (route_parse(slice_str(text), ch->conf, d, &r, err) < 0)
		return -1;
	route_print(&r, ch->conf->names, &ch->route);
	if (change_may_use(ch, key, strbuf_view(&ch->route), err) < 0)
		return -1;
	form->domain = d;
	if (n < sizeof(form->given))
		memcpy(form->given, text, n + 1);
	return 0;
}

static int take_route(struct change *ch, struct slice key, const char *text,
    struct slice *out, struct error *err)
{
	const struct conf_domain *d;

	if (text == NULL)
		return 0;
	d = conf_domain(ch->conf, row_domain(key));
	if (d == NULL && ch->strangers++ == 0)
		snprintf(ch->stranger, sizeof(ch->stranger), "%.*s",
		    (int)key.n, key.p);
	if (form_route(ch, key, text, d, err) < 0)
		return -1;
	*out = strbuf_view(&ch->route);
	return 0;
}

/* A file says the same few tags over and over; an empty place has the form of
 * no tags. NULL: too long to be kept. */
static struct tag_form *form_of(struct change *ch, struct slice given)
{
	if (given.n >= TAG_FORM_TEXT)
		return NULL;
	if (ch->form == NULL)
		ch->form = NEW_ARRAY(struct tag_form, TAG_FORMS);
	return &ch->form[hash_fnv(given) % TAG_FORMS];
}

static int take_tags(struct change *ch, const char *text, struct slice *out,
    struct error *err)
{
	struct slice given = slice_str(text);
	struct tag_form *form;

	if (text == NULL)
		return 0;
	form = form_of(ch, given);
	if (form != NULL && strcmp(form->given, text) == 0) {
		*out = slice_str(form->canonical);
		return 0;
	}
	strbuf_reset(&ch->tags);
	if (row_tags(given, &ch->tags, err) < 0)
		return -1;
	*out = slice_str(strbuf_cstr(&ch->tags));
	if (form != NULL && out->n < TAG_FORM_TEXT) {
		memcpy(form->given, text, given.n + 1);
		memcpy(form->canonical, out->p, out->n + 1);
	}
	return 0;
}

static int take_all_tags(struct change *ch, const struct change_row *row,
    struct staged *s, struct error *err)
{
	const char *const part[] = {row->add_tags, row->drop_tags,
	    row->drop_keys};

	if (row->add_tags == NULL && row->drop_tags == NULL &&
	    row->drop_keys == NULL)
		return take_tags(ch, row->tags, &s->tags, err);
	PH_ASSERT(row->tags == NULL);
	strbuf_reset(&ch->tags);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		strbuf_adds(&ch->tags, i == 0 ? "" : "\n");
		if (row_tags(slice_str(part[i]), &ch->tags, err) < 0)
			return -1;
	}
	s->tags = slice_str(strbuf_cstr(&ch->tags));
	s->tag_patch = true;
	return 0;
}

/* Adds "leg=address" to the patch, the address without what it was copied
 * with. A domain's row may rewrite the domain alone, others whole
 * addresses. */
static int take_rewrite(struct change *ch, struct slice key,
    struct slice leg, struct slice address, struct error *err)
{
	const struct conf_leg *l = conf_leg_by_name(ch->conf, leg);
	bool domain;

	if (l == NULL || l->egress)
		return error_set(err, "'%.*s' is no leg of the configuration",
		    (int)slice_head(leg, 40).n, leg.p);
	if (row_address(address, &address, err) < 0)
		return -1;
	strbuf_addf(&ch->patch, "%s%.*s=", ch->patch.n == 0 ? "" : "\n",
	    (int)leg.n, leg.p);
	strbuf_addsl(&ch->patch, address);
	if (address.n == 0)
		return 0;
	domain = address.p[0] == '@';
	if (domain != (key.p[0] == '@'))
		return error_set(err, domain
		    ? "'%.*s' is no address"
		    : "'%.*s' must be a domain with an @ before it",
		    (int)slice_head(address, 100).n, address.p);
	strbuf_reset(&ch->key);
	return row_key(address, &ch->key, err);
}

static int take_addresses(struct change *ch, struct slice key,
    const char *text, struct slice *out, struct error *err)
{
	struct slice rest = slice_str(text), leg, address;

	if (text == NULL)
		return 0;
	strbuf_reset(&ch->patch);
	while (row_next_address(&rest, &leg, &address))
		if (take_rewrite(ch, key, leg, address, err) < 0)
			return -1;
	*out = slice_str(strbuf_cstr(&ch->patch));
	return strbuf_ok(&ch->patch)
		   ? 0 : error_set(err, "the addresses are too long");
}

int change_stage_row(struct change *ch, struct slice key,
    const struct change_row *row, struct error *err)
{
	struct staged s = {.key = key, .line = row->line, .held = row->held,
	    .new_route = row->new_route};

	if (take_route(ch, key, row->route, &s.route, err) < 0 ||
	    take_all_tags(ch, row, &s, err) < 0 ||
	    take_addresses(ch, key, row->addresses, &s.patch, err) < 0)
		return -1;
	if (row->mailbox != NULL) {
		s.mailbox = slice_str(row->mailbox);
		if (row_mailbox(s.mailbox, err) < 0)
			return -1;
	}
	change_stage(ch, &s);
	return 0;
}

int change_set(struct change *ch, struct slice address,
    const struct change_row *row, struct error *err)
{
	char key[ADDR_MAX];

	if (row_key_text(address, key, err) < 0)
		return -1;
	if (ch->no_domains && key[0] == '@')
		return error_set(err, "%.150s is a domain; recipients are "
		    "wanted, such as --where 'domain = %.150s'", key,
		    key + 1);
	return change_stage_row(ch, slice_str(key), row, err);
}

int change_delete(struct change *ch, struct slice address, struct error *err)
{
	char key[ADDR_MAX];
	struct staged s = {.gone = true, .held = -1};

	if (row_key_text(address, key, err) < 0)
		return -1;
	s.key = slice_str(key);
	change_stage(ch, &s);
	return 0;
}
