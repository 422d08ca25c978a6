/* SPDX-License-Identifier: ISC
 *
 * Checks the sections by which a cutover is run: waves, verdicts and files of
 * coexist.
 */
#include "conf/check.h"

#include "relay/when/blackout_load.h"
#include "relay/when/zone_file.h"

/* Reads the zones that are named. */
static int check_wave(struct conf *c, const struct doc *doc, struct error *err)
{
	struct doc_place zone = doc_place(doc, SEC_WAVE, "zone");
	struct doc_place at = doc_place(doc, SEC_WAVE, "blackout");
	struct blackout_texts texts = {c->wave.blackout.s,
		c->wave.blackout.count, NULL};
	struct error why;

	if (c->wave.zone[0] != '\0') {
		c->wave.clock = zone_load(c->arena, slice_str(c->wave.zone),
		    &why);
		if (c->wave.clock == NULL)
			return error_at(err, zone.file, zone.line,
			    "wave.zone: %s", why.text);
	}
	texts.zone = c->wave.clock;
	if (blackouts_load(c->arena, &texts, &c->wave.limits.blackouts,
		&why) != 0)
		return error_at(err, at.file, at.line, "wave.blackout: %s",
		    why.text);
	c->wave.limits.per_hour = (uint64_t)c->wave.per_hour;
	return 0;
}

/* ---- verdicts ---- */

static int check_verdict_leg(const struct conf *c,
    const struct conf_verdict *v, struct error *err)
{
	const struct conf_leg *l = conf_leg_by_name(c, slice_str(v->leg));

	if (l != NULL && !l->egress)
		return 0;
	return error_at(err, v->file, v->line, "verdict: there is no leg "
	    "\"%s\"; name one that has a section", v->leg);
}

static bool is_customer(const struct conf *c, const char *name)
{
	for (int i = 0; i < c->domains; i++)
		if (strcmp(c->domain[i].customer, name) == 0)
			return true;
	return false;
}

static int check_verdict_domains(const struct conf *c,
    const struct conf_verdict *v, struct error *err)
{
	if (v->customer[0] != '\0' && v->domains.count > 0)
		return error_at(err, v->file, v->line, "verdict \"%s\" has "
		    "customer and domains; write one of them", v->name);
	if (v->customer[0] != '\0' && !is_customer(c, v->customer))
		return error_at(err, v->file, v->line, "verdict \"%s\": no "
		    "domain has customer = \"%s\"; write one that a domain "
		    "has", v->name, v->customer);
	for (int i = 0; i < v->domains.count; i++)
		if (conf_domain(c, slice_str(v->domains.s[i])) == NULL)
			return error_at(err, v->file, v->line, "verdict "
			    "\"%s\": \"%s\" is no domain of ours; name one "
			    "that has a section", v->name, v->domains.s[i]);
	return 0;
}

static const struct conf_listen *listen_by_name(const struct conf *c,
    const char *name)
{
	for (int i = 0; i < c->listens; i++)
		if (strcmp(c->listen[i].name, name) == 0)
			return &c->listen[i];
	return NULL;
}

/* Silence on no listener would be no evidence of anything. */
static int check_verdict_listen(const struct conf *c,
    const struct conf_verdict *v, struct error *err)
{
	for (int i = 0; i < v->listen.count; i++)
		if (listen_by_name(c, v->listen.s[i]) == NULL)
			return error_at(err, v->file, v->line, "verdict: there "
			    "is no listen \"%s\"; name one that has a "
			    "section", v->listen.s[i]);
	return 0;
}

static int check_verdict(const struct conf *c, const struct conf_verdict *v,
    struct error *err)
{
	if (strcmp(v->name, "waive") == 0)
		return error_at(err, v->file, v->line, "\"waive\" is a word "
		    "of posthouse verdict; give the verdict another name");
	if (v->name[0] != '\0' && !conf_name_ok(v->name))
		return error_at(err, v->file, v->line, "\"%.40s\" is no name "
		    "for a verdict; write lower-case letters, digits, - and "
		    "_, at most %d", v->name, NAME_BYTES);
	if (check_verdict_leg(c, v, err) != 0 ||
	    check_verdict_domains(c, v, err) != 0)
		return -1;
	return check_verdict_listen(c, v, err);
}

/* ---- coexist ---- */

static bool is_word(const char *const *words, const char *text)
{
	while (*words != NULL && strcmp(*words, text) != 0)
		words++;
	return *words != NULL;
}

static int check_coexist_leg(const struct conf *c,
    const struct conf_coexist *x, struct error *err)
{
	const struct conf_leg *l = conf_leg_by_name(c, slice_str(x->leg));

	if (x->leg[0] == '\0' || (l != NULL && !l->egress))
		return 0;
	return error_at(err, x->file, x->line, "coexist \"%s\": there is no "
	    "leg \"%s\"; name one that has a section", x->name, x->leg);
}

static int check_coexist_path(const struct conf *c,
    const struct conf_coexist *x, struct error *err)
{
	for (const struct conf_coexist *o = c->coexist; o < x; o++)
		if (strcmp(o->path, x->path) == 0)
			return error_at(err, x->file, x->line, "coexist "
			    "\"%s\" and \"%s\" have one file; give each a "
			    "file of its own", o->name, x->name);
	return 0;
}

static int check_coexist_via(const struct conf_coexist *x, struct error *err)
{
	struct slice host;
	struct error why;
	int port;

	if (x->via[0] == '\0' ||
	    conf_next_hop(slice_str(x->via), &host, &port, &why) == 0)
		return 0;
	return error_at(err, x->file, x->line, "coexist \"%s\": via = %s",
	    x->name, why.text);
}

static int check_coexist(const struct conf *c, const struct conf_coexist *x,
    struct error *err)
{
	static const char *const formats[] = {"exchange", "postfix", "exim",
	    "google", NULL};
	static const char *const maps[] = {"transport", "recipient", NULL};

	if (!conf_name_ok(x->name))
		return error_at(err, x->file, x->line, "\"%.40s\" is no name "
		    "for a coexist; write lower-case letters, digits, - and "
		    "_, at most %d", x->name, NAME_BYTES);
	if (!is_word(formats, x->format))
		return error_at(err, x->file, x->line, "coexist \"%s\": "
		    "format = \"%.40s\" is none of exchange, postfix, exim, "
		    "google", x->name, x->format);
	if (!is_word(maps, x->map))
		return error_at(err, x->file, x->line, "coexist \"%s\": map = "
		    "\"%.40s\" is neither transport nor recipient", x->name,
		    x->map);
	if (check_coexist_leg(c, x, err) != 0 ||
	    check_coexist_via(x, err) != 0)
		return -1;
	return check_coexist_path(c, x, err);
}

int cutover_check(struct conf *c, const struct doc *doc, struct error *err)
{
	if (check_wave(c, doc, err) != 0)
		return -1;
	for (int i = 0; i < c->verdicts; i++)
		if (check_verdict(c, &c->verdict[i], err) != 0)
			return -1;
	for (int i = 0; i < c->coexists; i++)
		if (check_coexist(c, &c->coexist[i], err) != 0)
			return -1;
	return 0;
}
