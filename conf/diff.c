/* SPDX-License-Identifier: ISC
 *
 * Lists what a reload would change: every row of the table is shown as text
 * for both snapshots, and the texts are compared. Sections with a name are
 * matched by it. Pure; any thread.
 */
#include "conf/conf.h"

#include "conf/schema.h"

enum { TEXT_MAX = 1 << 20 };

struct diff {
	struct strbuf *lines;
	struct strbuf a, b;
	bool reload_does; /* no change needs a restart */
};

/* A section with a name, whatever its kind. */
struct named {
	const char *name;
	const void *base;
};

/* The n-th section of that kind; false when there are fewer. */
static bool nth(const struct conf *c, enum section kind, int n,
    struct named *out)
{
	if (kind == SEC_LISTEN && n < c->listens) {
		*out = (struct named){c->listen[n].name, &c->listen[n]};
		return true;
	}
	if (kind == SEC_DOMAIN && n < c->domains) {
		*out = (struct named){c->domain[n].name, &c->domain[n]};
		return true;
	}
	if (kind == SEC_VERDICT && n < c->verdicts) {
		*out = (struct named){c->verdict[n].name, &c->verdict[n]};
		return true;
	}
	if (kind == SEC_COEXIST && n < c->coexists) {
		*out = (struct named){c->coexist[n].name, &c->coexist[n]};
		return true;
	}
	if (kind != SEC_LEG && kind != SEC_EGRESS)
		return false;
	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress != (kind == SEC_EGRESS) || n-- > 0)
			continue;
		*out = (struct named){c->leg[i].name, &c->leg[i]};
		return true;
	}
	return false;
}

static const void *find(const struct conf *c, enum section kind,
    const char *name)
{
	struct named s;

	for (int i = 0; nth(c, kind, i, &s); i++)
		if (strcmp(s.name, name) == 0)
			return s.base;
	return NULL;
}

static void say(struct diff *d, const char *what, enum effect effect)
{
	strbuf_addf(d->lines, "%s: %s\n", what, effect_text(effect));
	if (effect == RESTART)
		d->reload_does = false;
}

/* "listen smtp" or "limits", as it stands before a key. */
static void section_label(enum section kind, const char *name,
    struct strbuf *out)
{
	strbuf_adds(out, section_table[kind].name);
	if (name != NULL && name[0] != '\0')
		strbuf_addf(out, " \"%s\"", name);
}

static void compare(struct diff *d, enum section kind, const char *name,
    const struct conf_param *p)
{
	struct strbuf what;

	if (slice_eq(strbuf_view(&d->a), strbuf_view(&d->b)))
		return;
	strbuf_init(&what, 400);
	section_label(kind, name, &what);
	strbuf_addf(&what, "%s%s", kind == SEC_TOP ? "" :
	    name == NULL ? "." : " ", p->name);
	say(d, strbuf_cstr(&what), p->effect);
	strbuf_fini(&what);
}

static void compare_section(struct diff *d, enum section kind,
    const char *name, const void *old, const void *fresh)
{
	const struct conf_param *p = NULL;

	while ((p = param_next(kind, p)) != NULL) {
		strbuf_reset(&d->a);
		strbuf_reset(&d->b);
		p->type->show(p, (const char *)old + p->offset, &d->a);
		p->type->show(p, (const char *)fresh + p->offset, &d->b);
		compare(d, kind, name, p);
	}
}

static void one_sided(struct diff *d, enum section kind, const char *name,
    const char *verb)
{
	struct strbuf what;

	strbuf_init(&what, 400);
	section_label(kind, name, &what);
	strbuf_addf(&what, " %s", verb);
	say(d, strbuf_cstr(&what), section_table[kind].effect);
	strbuf_fini(&what);
}

static void compare_named(struct diff *d, enum section kind,
    const struct conf *old, const struct conf *fresh)
{
	struct named s;
	const void *other;

	for (int i = 0; nth(old, kind, i, &s); i++) {
		other = find(fresh, kind, s.name);
		if (other != NULL)
			compare_section(d, kind, s.name, s.base, other);
		else
			one_sided(d, kind, s.name, "removed");
	}
	for (int i = 0; nth(fresh, kind, i, &s); i++)
		if (find(old, kind, s.name) == NULL)
			one_sided(d, kind, s.name, "added");
}

bool conf_diff(const struct conf *old, const struct conf *fresh,
    struct strbuf *lines_out)
{
	struct diff d = {.lines = lines_out, .reload_does = true};

	strbuf_init(&d.a, TEXT_MAX);
	strbuf_init(&d.b, TEXT_MAX);
	for (int kind = SEC_TOP; kind < SECTIONS; kind++)
		if (section_table[kind].size == 0)
			compare_section(&d, (enum section)kind, NULL, old,
			    fresh);
		else
			compare_named(&d, (enum section)kind, old, fresh);
	strbuf_fini(&d.a);
	strbuf_fini(&d.b);
	return d.reload_does;
}

static bool hop_differs(const struct conf_leg *a, const struct conf_leg *b)
{
	if (b == NULL || a->hosts != b->hosts || strcmp(a->mx, b->mx) != 0)
		return true;
	for (int i = 0; i < a->hosts; i++)
		if (a->host[i].port != b->host[i].port ||
		    strcmp(a->host[i].host, b->host[i].host) != 0)
			return true;
	return false;
}

bool conf_hops_differ(const struct conf *old, const struct conf *fresh)
{
	for (int i = 0; i < old->legs; i++)
		if (hop_differs(&old->leg[i],
			conf_leg_by_id(fresh, old->leg[i].id)))
			return true;
	return false;
}
