/* SPDX-License-Identifier: ISC
 *
 * The text of a reply profile: libConfuse reads it as it reads posthouse.conf
 * (conf/parse.c tells what it needs help with), and each section `reply` is a
 * row.
 */
#include "conf/profile.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>

#include "conf/outline.h"
#include "conf/parse.h"
#include "relay/base/clock.h"
#include "relay/mail/reply_words.h"

enum {
	TEXT_MAX = 1 << 18, ROWS_MAX = 2000, VALUES_MAX = 200, HELP_MAX = 1000,
	PHRASE_MAX = 200,
};

/* ---- types of values --------------------------------------------------- */

static int is_not(const struct slot *s, struct error *err)
{
	return error_set(err, "is not %s; write %s", s->param->type->name,
	    s->param->type->form);
}

/* The field is `low`, and `high` stands behind it. */
static int set_code(const struct slot *s, const char *text, struct error *err)
{
	uint64_t low, high;
	int *field = s->field;

	if (!conf_number_range(slice_str(text), 599, &low, &high) || low < 400)
		return is_not(s, err);
	field[0] = (int)low;
	field[1] = (int)high;
	return 0;
}

static int set_enhanced(const struct slot *s, const char *text,
    struct error *err)
{
	if (!conf_enhanced_ok(text))
		return is_not(s, err);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static int set_line(const struct slot *s, const char *text, struct error *err)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ')
			return is_not(s, err);
	if (n == 0 || n > HELP_MAX)
		return is_not(s, err);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static int set_phrase(const struct slot *s, const char *text,
    struct error *err)
{
	struct strbuf phrase;
	bool good;

	strbuf_init(&phrase, PHRASE_MAX);
	good = phrase_read(slice_str(text), &phrase);
	if (good)
		*(char **)slot_element(s) =
		    arena_slicedup(s->arena, strbuf_view(&phrase));
	strbuf_fini(&phrase);
	return good ? 0 : is_not(s, err);
}

/* A word of the type's, as its place in the list. */
static int word_of(const struct slot *s, const char *text, struct error *err)
{
	const char *const *words = s->param->type->words;
	struct strbuf list;

	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	strbuf_init(&list, 400);
	words_list(words, &list);
	error_set(err, "is unknown; write %s", strbuf_cstr(&list));
	strbuf_fini(&list);
	return -1;
}

static int set_stage(const struct slot *s, const char *text,
    struct error *err)
{
	int i = word_of(s, text, err);

	if (i < 0)
		return -1;
	if (s->index == 0)
		*(unsigned *)s->field = 0;
	*(unsigned *)s->field |= 1u << i;
	return 0;
}

static int set_class(const struct slot *s, const char *text,
    struct error *err)
{
	int i = word_of(s, text, err);

	*(enum reply_class *)s->field = (enum reply_class)(i < 0 ? 0 : i);
	return i < 0 ? -1 : 0;
}

static int set_outcome(const struct slot *s, const char *text,
    struct error *err)
{
	static const enum outcome outcomes[] = {
	    OUT_DEFERRED, OUT_FAILED, OUT_PARKED};
	int i = word_of(s, text, err);

	*(enum outcome *)s->field = outcomes[i < 0 ? 0 : i];
	return i < 0 ? -1 : 0;
}

static int set_slows(const struct slot *s, const char *text,
    struct error *err)
{
	int i = word_of(s, text, err);

	*(bool *)s->field = i >= 0;
	return i < 0 ? -1 : 0;
}

/* ---- keys -------------------------------------------------------------- */

#define TOP(field) offsetof(struct conf_profile, field)
#define ROW(field) offsetof(struct conf_reply, field)

/* clang-format off */
static const char *const stages[] = { "hello", "mail", "rcpt", "data", NULL };
static const char *const outcomes[] = { "deferred", "failed", "parked", NULL };
static const char *const slows[] = { "sender", NULL };
static const char *const classes[] = { /* in the order of enum reply_class */
	"none", "message", "recipient", "throttle", "mailbox", "configuration",
	"network", "authentication", "loop", "split", NULL };

static const struct conf_type
T_CODE = { .name = "a reply code", .set = set_code,
	.form = "400 to 599, or a range like \"450-451\"" },
T_ENHANCED = { .name = "an enhanced code", .set = set_enhanced,
	.form = "\"5.1.1\", \"5.7.*\", \"4.7.500-699\" or \"none\"" },
T_LINE = { .name = "a line of text", .set = set_line,
	.form = "1 to 1000 printable characters" },
T_PHRASES = { .name = "a phrase", .set = set_phrase, .element = sizeof(char *),
	.form = "words of the reply without quotes, addresses and host names, "
	"like \"no such user\", \"relay* ... denied\"" },
T_STAGES = { .name = "a stage", .set = set_stage, .words = stages,
    .element = sizeof(int) },
T_CLASS = { .name = "a class", .set = set_class, .words = classes },
T_OUTCOME = { .name = "an outcome", .set = set_outcome, .words = outcomes },
T_SLOWS = { .name = "what is slowed", .set = set_slows, .words = slows };

static const struct conf_param top_keys[] = {
	{ .name = "date", .type = &T_LINE, .offset = TOP(date) },
	{ .name = "note", .type = &T_LINE, .offset = TOP(note) },
	{ .name = "max_recipients", .type = &T_INT,
	    .offset = TOP(max_recipients), .max = 1000 },
	{ .name = "max_messages", .type = &T_INT, .offset = TOP(max_messages),
	    .max = 1000000 },
	{ .name = "max_age", .type = &T_DURATION, .offset = TOP(max_age_ms),
	    .max = DAY_MS },
	{ .name = "mailbox_hour", .type = &T_INT, .offset = TOP(mailbox_hour),
	    .max = 1000000 },
	{ .name = "ask_rate", .type = &T_INT, .offset = TOP(ask_rate),
	    .max = 1000 },
	{ .name = "one_domain", .type = &T_BOOL, .offset = TOP(one_domain) },
	{ .name = "no_dead_hosts", .type = &T_BOOL,
	    .offset = TOP(no_dead_hosts) },
	{ .name = "ignores_notify", .type = &T_BOOL,
	    .offset = TOP(ignores_notify) },
	{ .name = "networks", .type = &T_NETS, .offset = TOP(networks) },
};
static const struct conf_param row_keys[] = {
	{ .name = "code",     .type = &T_CODE,     .offset = ROW(low) },
	{ .name = "enhanced", .type = &T_ENHANCED, .offset = ROW(enh) },
	{ .name = "text",     .type = &T_PHRASES,    .offset = ROW(text) },
	{ .name = "stage",    .type = &T_STAGES,   .offset = ROW(stages) },
	{ .name = "class",    .type = &T_CLASS,    .offset = ROW(class) },
	{ .name = "outcome",  .type = &T_OUTCOME,  .offset = ROW(outcome) },
	{ .name = "slows",    .type = &T_SLOWS,
	    .offset = ROW(slows_sender) },
	{ .name = "help",     .type = &T_LINE,     .offset = ROW(help) },
};
enum { TOP_KEYS = ARRAY_LEN(top_keys), ROW_KEYS = ARRAY_LEN(row_keys) };

static const enum outcome outcome_of[CLASSES] = {
	[CLASS_NONE] = OUT_DEFERRED,          [CLASS_MESSAGE] = OUT_FAILED,
	[CLASS_RECIPIENT] = OUT_FAILED,       [CLASS_THROTTLE] = OUT_DEFERRED,
	[CLASS_MAILBOX] = OUT_DEFERRED,
	    [CLASS_CONFIGURATION] = OUT_DEFERRED,
	[CLASS_NETWORK] = OUT_DEFERRED,
	    [CLASS_AUTHENTICATION] = OUT_PARKED,
	[CLASS_LOOP] = OUT_PARKED,            [CLASS_SPLIT] = OUT_DEFERRED,
};
/* clang-format on */

_Static_assert(ARRAY_LEN(classes) == CLASSES + 1, "a word for each class");
_Static_assert(offsetof(struct conf_reply, high) ==
		   offsetof(struct conf_reply, low) + sizeof(int),
    "set_code() writes both");

/* ---- reading ----------------------------------------------------------- */

/* A value as it stands in the file. */
struct profile_value {
	const struct conf_param *param;
	const char *text;
	int line;
};
struct profile_values {
	struct profile_value v[VALUES_MAX];
	int n;
};

struct profile_reader {
	struct arena *arena;
	struct conf_profile *profile;
	const char *file;
	struct error *err;
	bool failed; /* err is filled */
	struct outline scan;
	struct profile_values top, row;
	bool in_row;
};

/* As in conf/parse.c: the only place libConfuse leaves for a pointer. */
static struct profile_reader *reader_of(const cfg_t *cfg)
{
	return (struct profile_reader *)cfg->opts[0].def.number;
}

/* Keeps the first failure. Returns -1. */
static int PH_PRINTF(3, 4) fail(struct profile_reader *r, int line,
    const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (r->failed)
		return -1;
	r->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_at(r->err, r->file, line, "%s", text);
}

static int count_of(const struct profile_values *l, const struct conf_param *p)
{
	int n = 0;

	for (int i = 0; i < l->n; i++)
		n += l->v[i].param == p;
	return n;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value,
    void *result)
{
	struct profile_reader *r = reader_of(cfg);
	bool row = strcmp(cfg->name, "reply") == 0;
	const struct conf_param *p = row ? row_keys : top_keys;
	struct profile_values *l = row ? &r->row : &r->top;

	while (strcmp(p->name, opt->name) != 0)
		p++;
	if (opt->nvalues <= 1 && count_of(l, p) != 0)
		return fail(r, cfg->line, "key \"%s\" stands twice; keep one "
		    "of them", opt->name);
	if (l->n == VALUES_MAX)
		return fail(r, cfg->line, "there are more than %d values "
		    "here; write fewer", VALUES_MAX);
	l->v[l->n++] = (struct profile_value){p, arena_strdup(r->arena, value),
	    cfg->line};
	*(const char **)result = value;
	return 0;
}

static int fill(struct profile_reader *r, const struct profile_values *l,
    void *base)
{
	struct error why;

	for (int i = 0; i < l->n; i++) {
		const struct profile_value *v = &l->v[i];
		struct slot slot = {.arena = r->arena, .param = v->param,
		    .field = (char *)base + v->param->offset,
		    .count = count_of(l, v->param)};

		for (int k = 0; k < i; k++)
			slot.index += l->v[k].param == v->param;
		if (v->param->type->set(&slot, v->text, &why) != 0)
			return fail(r, v->line, "%s \"%.60s\" %s",
			    v->param->name, v->text, why.text);
	}
	return 0;
}

static bool row_says(const struct profile_reader *r, const char *key)
{
	for (int i = 0; i < r->row.n; i++)
		if (strcmp(r->row.v[i].param->name, key) == 0)
			return true;
	return false;
}

static bool may_be_of_session(enum reply_class class)
{
	return class == CLASS_NONE || class == CLASS_THROTTLE ||
	       class == CLASS_CONFIGURATION || class == CLASS_NETWORK;
}

/* A reply about the leg, not about the message, never ends a delivery. */
static int check_row(struct profile_reader *r, struct conf_reply *row)
{
	if (!row_says(r, "code"))
		return fail(r, row->line, "this reply has no code; add code = "
		    "\"550\", or a range of them");
	if (!row_says(r, "class"))
		return fail(r, row->line, "this reply has no class; add class "
		    "= \"message\", or another");
	if (!row_says(r, "outcome"))
		row->outcome = outcome_of[row->class];
	/* Before MAIL nothing was said of one. */
	if (!row_says(r, "stage") && !may_be_of_session(row->class))
		row->stages &= ~(unsigned)ON_HELLO;
	if (outcome_of[row->class] == OUT_DEFERRED &&
	    row->class != CLASS_NONE && row->outcome == OUT_FAILED)
		return fail(r, row->line, "class \"%s\" is never the sender's "
		    "fault; leave outcome out, or write \"parked\"",
		    classes[row->class]);
	return 0;
}

static int on_row_end(cfg_t *cfg, cfg_opt_t *opt)
{
	struct profile_reader *r = reader_of(cfg);
	struct conf_profile *p = r->profile;
	struct conf_reply *row = &p->reply[p->replies];

	(void)opt;
	if (p->replies == r->scan.lines || p->replies == ROWS_MAX)
		return fail(r, cfg->line, "there are more than %d replies; "
		    "put some together by ranges", ROWS_MAX);
	*row = (struct conf_reply){.stages = ON_ANY, .help = "",
	    .line = r->scan.line[p->replies]};
	if (fill(r, &r->row, row) != 0 || check_row(r, row) != 0)
		return -1;
	r->row.n = 0;
	p->replies++;
	return 0;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct profile_reader *r = reader_of(cfg);
	const char *ours = parse_saying(fmt), *name;

	if (strcmp(fmt, "no such option '%s'") == 0) {
		name = va_arg(ap, const char *);
		fail(r, cfg->line, "unknown key \"%.40s\"; a profile has date, "
		    "limits, networks and reply { code enhanced text stage "
		    "class outcome slows help }", name);
	} else if (ours != NULL) {
		name = va_arg(ap, const char *);
		fail(r, cfg->line, "\"%.40s\" %s", name == NULL ? "" : name,
		    ours);
	} else {
		fail(r, cfg->line, "this is not complete or not in order; "
		    "posthouse.conf(5) shows how a profile is written");
	}
}

static void options(struct profile_reader *r, const struct conf_param *p, int n,
    cfg_opt_t *to)
{
	for (int i = 0; i < n; i++) {
		to[i] = (cfg_opt_t)CFG_STR_CB(p[i].name, NULL, CFGF_NODEFAULT,
		    on_value);
		if (p[i].type->element != 0)
			to[i].flags |= CFGF_LIST;
		to[i].def.number = (long)r;
	}
}

static cfg_t *make_cfg(struct profile_reader *r)
{
	cfg_opt_t row[ROW_KEYS + 1], top[TOP_KEYS + 2];
	cfg_t *cfg;

	options(r, row_keys, ROW_KEYS, row);
	row[ROW_KEYS] = (cfg_opt_t)CFG_END();
	options(r, top_keys, TOP_KEYS, top);
	top[TOP_KEYS] = (cfg_opt_t)CFG_SEC("reply", row, CFGF_MULTI);
	top[TOP_KEYS].validcb = on_row_end;
	top[TOP_KEYS + 1] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(top, CFGF_NONE);
	if (cfg != NULL)
		cfg_set_error_function(cfg, on_error);
	return cfg;
}

static int read_text(struct profile_reader *r, struct strbuf *text)
{
	struct conf_profile *p = r->profile;
	struct error why;
	cfg_t *cfg;

	if (!strbuf_ok(text))
		return fail(r, 1, "the file is larger than 256K; make it "
				  "smaller");
	if (outline_text(text->p, text->n, &r->scan, &why) != 0)
		return fail(r, r->scan.error_line, "%s", why.text);
	p->reply = arena_alloc(r->arena,
	    sizeof(*p->reply) * (size_t)(r->scan.lines + 1));
	cfg = make_cfg(r);
	if (cfg == NULL)
		return fail(r, 1, "libConfuse cannot be set up");
	if (cfg_parse_buf(cfg, strbuf_cstr(text)) != CFG_SUCCESS)
		fail(r, cfg->line, "this cannot be read; posthouse.conf(5) "
				   "shows how a profile is written");
	cfg_free(cfg);
	return r->failed ? -1 : fill(r, &r->top, p);
}

int conf_profile_parse(struct slice text, const char *file,
    struct arena *a, struct conf_profile *profile_out, struct error *err)
{
	struct profile_reader *r = NEW(struct profile_reader);
	struct strbuf copy;
	int rc;

	*r = (struct profile_reader){.arena = a, .profile = profile_out,
	    .file = file, .err = err};
	*profile_out = (struct conf_profile){.name = "", .date = "", .note = "",
	    .file = file};
	strbuf_init(&copy, TEXT_MAX);
	strbuf_reserve(&copy, 1); /* an empty text stands somewhere, too */
	strbuf_addsl(&copy, text);
	rc = read_text(r, &copy);
	outline_fini(&r->scan);
	strbuf_fini(&copy);
	mem_free(r);
	return rc;
}
