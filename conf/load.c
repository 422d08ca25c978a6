/* SPDX-License-Identifier: ISC
 *
 * Loads the configuration: makes one struct from the table and what the files
 * say, and has it checked. Everything a snapshot points to lives in its arena
 * and dies with the last reference.
 */
#include <stdlib.h>

#include "conf/check.h"
#include "conf/conf.h"
#include "conf/parse.h"
#include "conf/profile.h"
#include "relay/base/assert.h"

struct builder {
	struct conf *c;
	const struct doc *doc;
	struct error *err;
};

/* ---- values into fields ------------------------------------------------ */

static int refuse(const struct builder *b, const struct doc_section *s,
    const struct doc_value *v, const char *why)
{
	const char *key = v->param->name;
	struct strbuf words;

	if (!schema_reserved(s->kind, key, v->text))
		return error_at(b->err, v->file, v->line, "%s \"%.60s\" %s",
		    key, v->text, why);
	strbuf_init(&words, 200);
	words_list(v->param->type->words, &words);
	error_at(b->err, v->file, v->line, "%s \"%s\" is not supported by "
	    "this version; write %s", key, v->text, strbuf_cstr(&words));
	strbuf_fini(&words);
	return -1;
}

static int count_values(const struct doc *d, const struct doc_section *s,
    const struct conf_param *p)
{
	int n = 0;

	for (int v = s->first; v != DOC_END; v = d->value[v].next)
		n += d->value[v].param == p;
	return n;
}

static int set_written(const struct builder *b, const struct doc_section *s,
    struct slot *slot)
{
	struct error why;

	for (int i = s->first; i != DOC_END; i = b->doc->value[i].next) {
		const struct doc_value *v = &b->doc->value[i];

		if (v->param != slot->param)
			continue;
		if (slot->param->type->set(slot, v->text, &why) != 0)
			return refuse(b, s, v, why.text);
		slot->index++;
	}
	return 0;
}

/* The defaults of the table are right by test. */
static void set_default(struct slot *slot)
{
	const struct conf_type *t = slot->param->type;
	struct slice rest = slice_str(slot->param->def), token;
	struct error err;
	char *text;

	if (t->element == 0) {
		if (t->set(slot, slot->param->def, &err) != 0)
			abort();
		return;
	}
	for (slot->count = rest.n != 0; rest.n != 0; rest.n--, rest.p++)
		slot->count += *rest.p == ' ';
	rest = slice_str(slot->param->def);
	for (; slot->index < slot->count && slice_next(&rest, ' ', &token);
	     slot->index++) {
		text = arena_slicedup(slot->arena, token);
		if (t->set(slot, text, &err) != 0)
			abort();
	}
}

static int fill_section(const struct builder *b, const struct doc_section *s,
    void *base)
{
	const struct conf_param *p = NULL;

	while ((p = param_next(s->kind, p)) != NULL) {
		struct slot slot = {.arena = b->c->arena, .param = p,
		    .field = (char *)base + p->offset,
		    .count = count_values(b->doc, s, p)};

		if (slot.count > 0) {
			if (set_written(b, s, &slot) != 0)
				return -1;
		} else if (p->def != NULL) {
			set_default(&slot);
		} else {
			return error_at(b->err, s->file, s->line,
			    "%s is not set; add %s = \"%s\"", p->name, p->name,
			    p->example);
		}
	}
	return 0;
}

/* ---- sections into structs --------------------------------------------- */

static int count_sections(const struct doc *d, enum section kind)
{
	int n = 0;

	for (int i = 0; i < d->sections; i++)
		n += d->section[i].kind == kind;
	return n;
}

static int fill_listen(struct builder *b, const struct doc_section *s)
{
	struct conf_listen *l = &b->c->listen[b->c->listens++];

	l->name = arena_strdup(b->c->arena, s->title);
	l->file = s->file;
	l->line = s->line;
	return fill_section(b, s, l);
}

static void set_defaults(struct builder *b, enum section kind, void *base)
{
	const struct conf_param *p = NULL;

	while ((p = param_next(kind, p)) != NULL) {
		struct slot slot = {.arena = b->c->arena, .param = p,
		    .field = (char *)base + p->offset};

		set_default(&slot);
	}
}

static int fill_leg(struct builder *b, const struct doc_section *s)
{
	struct conf_leg *l = &b->c->leg[b->c->legs++];

	/* Each has the defaults of the keys that only the other can set. */
	set_defaults(b, SEC_EGRESS, l);
	set_defaults(b, SEC_LEG, l);
	l->name = arena_strdup(b->c->arena, s->title);
	l->egress = s->kind == SEC_EGRESS;
	l->file = s->file;
	l->line = s->line;
	return fill_section(b, s, l);
}

static int fill_domain(struct builder *b, const struct doc_section *s)
{
	struct conf_domain *d = &b->c->domain[b->c->domains++];

	d->name = arena_strdup(b->c->arena, s->title);
	d->file = s->file;
	d->line = s->line;
	return fill_section(b, s, d);
}

static int fill_verdict(struct builder *b, const struct doc_section *s)
{
	struct conf_verdict *v = &b->c->verdict[b->c->verdicts++];

	v->name = arena_strdup(b->c->arena, s->title);
	v->file = s->file;
	v->line = s->line;
	return fill_section(b, s, v);
}

static int fill_coexist(struct builder *b, const struct doc_section *s)
{
	struct conf_coexist *x = &b->c->coexist[b->c->coexists++];

	x->name = arena_strdup(b->c->arena, s->title);
	x->file = s->file;
	x->line = s->line;
	return fill_section(b, s, x);
}

static int fill_all(struct builder *b, enum section kind,
    int (*fill)(struct builder *b, const struct doc_section *s))
{
	for (int i = 0; i < b->doc->sections; i++)
		if (b->doc->section[i].kind == kind &&
		    fill(b, &b->doc->section[i]) != 0)
			return -1;
	return 0;
}

static int fill_listens(struct builder *b)
{
	int n = count_sections(b->doc, SEC_LISTEN);
	struct doc_section all_defaults = {.kind = SEC_LISTEN,
	    .title = section_table[SEC_LISTEN].title, .file = b->c->file,
	    .line = 1, .first = DOC_END, .last = DOC_END};

	b->c->listen = arena_alloc(b->c->arena,
	    sizeof(struct conf_listen) * (size_t)(n + 1));
	return n == 0 ? fill_listen(b, &all_defaults) :
			fill_all(b, SEC_LISTEN, fill_listen);
}

static int fill_legs(struct builder *b)
{
	int n = count_sections(b->doc, SEC_LEG) +
		count_sections(b->doc, SEC_EGRESS) + 1; /* fill_mx() */

	b->c->leg = arena_alloc(b->c->arena,
	    sizeof(struct conf_leg) * (size_t)n);
	if (fill_all(b, SEC_LEG, fill_leg) != 0)
		return -1;
	return fill_all(b, SEC_EGRESS, fill_leg);
}

static int fill_domains(struct builder *b)
{
	int n = count_sections(b->doc, SEC_DOMAIN);

	b->c->domain = arena_alloc(b->c->arena,
	    sizeof(struct conf_domain) * (size_t)(n + 1));
	return fill_all(b, SEC_DOMAIN, fill_domain);
}

static int fill_verdicts(struct builder *b)
{
	int n = count_sections(b->doc, SEC_VERDICT);

	b->c->verdict = arena_alloc(b->c->arena,
	    sizeof(struct conf_verdict) * (size_t)(n + 1));
	return fill_all(b, SEC_VERDICT, fill_verdict);
}

static int fill_coexists(struct builder *b)
{
	int n = count_sections(b->doc, SEC_COEXIST);

	b->c->coexist = arena_alloc(b->c->arena,
	    sizeof(struct conf_coexist) * (size_t)(n + 1));
	return fill_all(b, SEC_COEXIST, fill_coexist);
}

/* Sections whose fields are in struct conf, written or not. */
static int fill_plain(struct builder *b)
{
	for (int kind = SEC_TOP; kind < SECTIONS; kind++) {
		struct doc_section absent = {.kind = (enum section)kind,
		    .file = b->c->file, .line = 1, .first = DOC_END};
		const struct doc_section *s = &absent;

		if (section_table[kind].size != 0)
			continue;
		for (int i = 0; i < b->doc->sections; i++)
			if ((int)b->doc->section[i].kind == kind)
				s = &b->doc->section[i];
		if (fill_section(b, s, b->c) != 0)
			return -1;
	}
	return 0;
}

/* ---- snapshots --------------------------------------------------------- */

static struct conf *conf_new(const char *file, struct names *names)
{
	struct conf *c = NEW(struct conf);

	atomic_init(&c->refs, 1);
	c->arena = arena_new();
	c->names = names;
	c->file = arena_strdup(c->arena, file);
	return c;
}

/* Numbers are given last: a leg of a refused configuration gets none. */
static int number_legs(struct conf *c, struct error *err)
{
	for (int i = 0; i < c->legs; i++) {
		struct conf_leg *l = &c->leg[i];

		l->id = names_id(c->names, slice_str(l->name));
		if (l->id < 0)
			return error_at(err, l->file, l->line, "\"%s\" is one "
			    "name of a leg too many since the start; restart",
			    l->name);
		c->leg_of_id[l->id] = l;
	}
	return 0;
}

/* dsn.via = "mx" is an egress that needs no section of its own. */
static int fill_mx(struct builder *b)
{
	struct doc_section absent = {.kind = SEC_EGRESS, .title = "mx",
	    .file = b->c->file, .line = 1, .first = DOC_END, .last = DOC_END};

	if (strcmp(b->c->dsn.via, "mx") != 0)
		return 0;
	if (fill_leg(b, &absent) != 0)
		return -1;
	b->c->leg[b->c->legs - 1].direct = true;
	return 0;
}

/* ---- places ------------------------------------------------------------
 *
 * Where each key of the single sections stands, so that a fault that shows only
 * on this machine can still be reported as FILE:LINE. */

/* A place for each key of each section that exists once, written or not. */
static int count_keys(void)
{
	int n = 0;

	for (int kind = SEC_TOP; kind < SECTIONS; kind++) {
		const struct conf_param *p = NULL;

		if (section_table[kind].size != 0)
			continue;
		while ((p = param_next((enum section)kind, p)) != NULL)
			n++;
	}
	return n;
}

static void note_places(struct conf *c, const struct doc *doc)
{
	int n = 0;

	c->place = arena_alloc(c->arena,
	    sizeof(*c->place) * (size_t)(count_keys() + 1));
	for (int kind = SEC_TOP; kind < SECTIONS; kind++) {
		const struct conf_param *p = NULL;

		if (section_table[kind].size != 0)
			continue;
		while ((p = param_next((enum section)kind, p)) != NULL) {
			struct doc_place at =
			    doc_place(doc, (enum section)kind, p->name);

			c->place[n++] = (struct conf_place){
			    section_table[kind].name, p->name, at.file,
			    at.line};
		}
	}
	c->places = n;
}

struct conf_place conf_place(const struct conf *c, const char *section,
    const char *key)
{
	for (int i = 0; i < c->places; i++)
		if (strcmp(c->place[i].section, section) == 0 &&
		    strcmp(c->place[i].key, key) == 0)
			return c->place[i];
	return (struct conf_place){section, key, c->file, 1};
}

static int build(struct conf *c, const struct doc *doc, struct error *err)
{
	struct builder b = {.c = c, .doc = doc, .err = err};

	note_places(c, doc);
	if (fill_plain(&b) != 0 || fill_listens(&b) != 0 ||
	    fill_legs(&b) != 0 || fill_domains(&b) != 0 ||
	    fill_verdicts(&b) != 0 || fill_coexists(&b) != 0 ||
	    conf_check(c, doc, err) != 0 || fill_mx(&b) != 0 ||
	    conf_profiles_load(c, err) != 0)
		return -1;
	PH_ASSERT(c->legs > 0 && c->domains > 0 && c->domain_by_name != NULL);
	return number_legs(c, err);
}

struct conf *conf_load(const char *file, struct names *names,
    struct error *err)
{
	struct conf *c = conf_new(file, names);
	struct doc doc;

	if (doc_read(c->file, c->arena, &doc, err) != 0 ||
	    build(c, &doc, err) != 0) {
		conf_unref(c);
		c = NULL;
	}
	doc_fini(&doc);
	return c;
}
