/* SPDX-License-Identifier: ISC
 *
 * Which profile each leg has, and what it leaves to it: its own file in the
 * folder `profiles`, or the one that is compiled in.
 */
#include "conf/profile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "conf/check.h"
#include "conf/parse.h"

enum { PATH_BYTES = PATH_MAX + NAME_BYTES + 16, FILE_MAX = 1 << 18 };

static const char generic[] = "generic";

struct loader {
	struct conf *c;
	struct conf_profile *profile[NAMES_MAX + 8];
	int n;
	struct error *err;
};

struct slice conf_profile_text(const char *name)
{
	for (int i = 0; i < profile_texts; i++)
		if (strcmp(profile_text[i].name, name) == 0)
			return slice_str(profile_text[i].text);
	return slice_of("", 0);
}

static int no_such(const struct loader *l, const struct conf_leg *leg)
{
	struct strbuf list;

	strbuf_init(&list, 400);
	for (int i = 0; i < profile_texts; i++)
		strbuf_addf(&list, "%s%s", i == 0 ? "" : ", ",
		    profile_text[i].name);
	error_at(l->err, leg->file, leg->line, "leg \"%s\": there is no "
	    "profile \"%s\"; write one of %s, or put %s.profile into the "
	    "folder that profiles names", leg->name, leg->profile,
	    strbuf_cstr(&list), leg->profile);
	strbuf_fini(&list);
	return -1;
}

/* The text of the folder's file, if there is one, else ours. 1: neither. */
static int find_text(const struct loader *l, const char *name,
    struct strbuf *text, char path[PATH_BYTES])
{
	int rc;

	snprintf(path, PATH_BYTES, "%s/%s.profile", l->c->profiles, name);
	if (l->c->profiles[0] != '\0') {
		rc = parse_file(path, text, l->err);
		if (rc != ENOENT)
			return rc == 0 ? 0 : -1;
	}
	snprintf(path, PATH_BYTES, "%s.profile", name);
	strbuf_addsl(text, conf_profile_text(name));
	return text->n == 0 ? 1 : 0;
}

static struct conf_profile *loaded(const struct loader *l, const char *name)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->profile[i]->name, name) == 0)
			return l->profile[i];
	return NULL;
}

/* Its own rows, then those of generic; what it does not limit generic
 * does. */
static void add_generic(struct loader *l, struct conf_profile *p)
{
	const struct conf_profile *g = l->profile[0];
	struct conf_reply *all = arena_alloc(l->c->arena,
	    sizeof(*all) * (size_t)(p->replies + g->replies));

	memcpy(all, p->reply, sizeof(*all) * (size_t)p->replies);
	memcpy(all + p->replies, g->reply, sizeof(*all) * (size_t)g->replies);
	p->reply = all;
	p->replies += g->replies;
	if (p->max_recipients == 0)
		p->max_recipients = g->max_recipients;
	if (p->max_messages == 0)
		p->max_messages = g->max_messages;
	if (p->max_age_ms == 0)
		p->max_age_ms = g->max_age_ms;
	if (p->ask_rate == 0)
		p->ask_rate = g->ask_rate;
}

/* 1: there is none of that name. */
static int load(struct loader *l, const char *name)
{
	struct conf_profile *p;
	char path[PATH_BYTES];
	struct strbuf text;
	int rc;

	if (loaded(l, name) != NULL)
		return 0;
	strbuf_init(&text, FILE_MAX);
	p = arena_alloc(l->c->arena, sizeof(*p));
	rc = find_text(l, name, &text, path);
	if (rc == 0)
		rc = conf_profile_parse(strbuf_view(&text),
		    arena_strdup(l->c->arena, path), l->c->arena, p, l->err);
	strbuf_fini(&text);
	if (rc != 0)
		return rc;
	p->name = arena_strdup(l->c->arena, name);
	if (l->n > 0)
		add_generic(l, p);
	l->profile[l->n++] = p;
	return 0;
}

/* ---- what legs leave to it --------------------------------------------- */

static void set_limits(struct conf_leg *leg)
{
	const struct conf_profile *p = leg->replies;

	if (leg->max_recipients == 0)
		leg->max_recipients = p->max_recipients;
	if (leg->max_messages == 0)
		leg->max_messages = p->max_messages;
	if (leg->max_age_ms == 0)
		leg->max_age_ms = p->max_age_ms;
	if (leg->ask_rate == 0)
		leg->ask_rate = p->ask_rate;
}

/* Every tenant of the platform has these addresses: mail from them need not be
 * this leg's, nor this organisation's. */
static int check_clients(const struct loader *l, const char *file, int line,
    const char *whose, const struct conf_nets *nets)
{
	for (int i = 0; i < l->n; i++) {
		const struct conf_profile *p = l->profile[i];

		if (conf_nets_overlap(nets, &p->networks))
			return error_at(l->err, file, line, "%s: clients has "
			    "addresses of %s, which all its tenants send from; "
			    "name only addresses that are its alone", whose,
			    p->name);
	}
	return 0;
}

static int check_leg_clients(const struct loader *l,
    const struct conf_leg *leg)
{
	char whose[NAME_BYTES + 16];

	snprintf(whose, sizeof(whose), "leg \"%s\"", leg->name);
	return check_clients(l, leg->file, leg->line, whose, &leg->clients);
}

/* Those who would be believed by such an address are all tenants of the
 * platform: an open relay. */
static int check_outbound(const struct loader *l)
{
	const struct conf *c = l->c;

	return check_clients(l, c->outbound.file, c->outbound.line, "outbound",
	    &c->outbound.clients);
}

int conf_profiles_load(struct conf *c, struct error *err)
{
	struct loader l = {.c = c, .err = err};

	if (load(&l, generic) != 0)
		return -1;
	for (int i = 0; i < profile_texts; i++)
		if (load(&l, profile_text[i].name) != 0)
			return -1;
	for (int i = 0; i < c->legs; i++) {
		int rc;

		if (c->leg[i].profile[0] == '\0')
			c->leg[i].profile = arena_strdup(c->arena,
			    c->leg[i].direct ? "internet" : generic);
		rc = load(&l, c->leg[i].profile);

		if (rc != 0)
			return rc < 0 ? -1 : no_such(&l, &c->leg[i]);
		c->leg[i].replies = loaded(&l, c->leg[i].profile);
		set_limits(&c->leg[i]);
	}
	for (int i = 0; i < c->legs; i++)
		if (check_leg_clients(&l, &c->leg[i]) != 0)
			return -1;
	return check_outbound(&l);
}
