/* SPDX-License-Identifier: ISC
 *
 * From files to a flat list of what they say.
 *
 * libConfuse reads one file after another from memory, each after a look by
 * outline.c that makes its line numbers right. Every option is a string to it
 * and has a callback, which is the only place where it tells the line of a
 * value. It includes no file itself: a failure inside one would leave its
 * scanner there for the next reload. So `include` notes the name, and the
 * file is read when the one that names it is at its end.
 */
#include "conf/parse.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/outline.h"

enum { FILE_MAX = 1 << 20, FILES_MAX = 64 };

struct parser {
	const struct conf_source *from;
	struct arena *arena;
	struct doc *doc;
	struct error *err;
	bool failed; /* err is filled */
	const char *file[FILES_MAX];
	int files, current;
	struct outline scan;
	int opened;   /* sections of the current file so far */
	int section;  /* of doc; 0: none is open */
};

/* libConfuse gives its callbacks no pointer of ours. The numeric default of
 * the first option of each section, which a string option has no other use
 * for, carries it. */
_Static_assert(sizeof(long) >= sizeof(void *), "a pointer must fit a long");

static struct parser *parser_of(const cfg_t *cfg)
{
	return (struct parser *)cfg->opts[0].def.number;
}

static const char *current_file(const struct parser *p)
{
	return p->file[p->current];
}

/* Keeps the first failure. Returns -1. */
static int PH_PRINTF(3, 4) fail(struct parser *p, int line, const char *fmt,
    ...)
{
	char text[300];
	va_list ap;

	if (p->failed)
		return -1;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_at(p->err, current_file(p), line, "%s", text);
}

/* ---- the list ---------------------------------------------------------- */

static int doc_add_section(struct parser *p, enum section kind,
    const char *title, int line)
{
	struct doc *d = p->doc;

	d->section = mem_resize(d->section,
	    sizeof(*d->section) * (size_t)(d->sections + 1));
	d->section[d->sections] = (struct doc_section){.kind = kind,
	    .title = arena_strdup(p->arena, title), .file = current_file(p),
	    .line = line, .first = DOC_END, .last = DOC_END};
	return d->sections++;
}

static void doc_add_value(struct parser *p, int section,
    const struct conf_param *param, const char *text, int line)
{
	struct doc *d = p->doc;
	struct doc_section *s = &d->section[section];

	d->value = mem_resize(d->value,
	    sizeof(*d->value) * (size_t)(d->values + 1));
	d->value[d->values] = (struct doc_value){.param = param,
	    .text = arena_strdup(p->arena, text), .file = current_file(p),
	    .line = line, .next = DOC_END};
	if (s->last == DOC_END)
		s->first = d->values;
	else
		d->value[s->last].next = d->values;
	s->last = d->values++;
}

static const struct doc_value *doc_find(const struct doc *d, int section,
    const struct conf_param *param)
{
	for (int v = d->section[section].first; v != DOC_END;
	     v = d->value[v].next)
		if (d->value[v].param == param)
			return &d->value[v];
	return NULL;
}

struct doc_place doc_place(const struct doc *d, enum section kind,
    const char *key)
{
	const struct conf_param *param = param_find(kind, key);
	const struct doc_section *s = &d->section[0];
	const struct doc_value *v;

	for (int i = 0; i < d->sections; i++) {
		if (d->section[i].kind != kind)
			continue;
		s = &d->section[i];
		v = doc_find(d, i, param);
		if (v != NULL)
			return (struct doc_place){v->file, v->line};
	}
	return (struct doc_place){s->file, s->line};
}

void doc_fini(struct doc *d)
{
	mem_free(d->section);
	mem_free(d->value);
	*d = (struct doc){0};
}

/* ---- callbacks --------------------------------------------------------- */

/* The first value of a section, or its end when it has none. */
static int enter_section(struct parser *p, const cfg_t *cfg)
{
	int kind = section_find(cfg->name), line;
	bool named = kind >= 0 && section_table[kind].title != NULL;

	line = p->opened < p->scan.lines ? p->scan.line[p->opened] : cfg->line;
	p->opened++;
	for (int s = 0; !named && s < p->doc->sections; s++)
		if ((int)p->doc->section[s].kind == kind)
			return fail(p, line, "section \"%s\" stands twice; put "
			    "all its keys into that of %s:%d", cfg->name,
			    p->doc->section[s].file, p->doc->section[s].line);
	p->section = doc_add_section(p, (enum section)kind,
	    named ? cfg->title : "", line);
	return 0;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value,
    void *result)
{
	struct parser *p = parser_of(cfg);
	int kind = section_find(cfg->name), section = 0;
	const struct conf_param *param;
	const struct doc_value *before;

	if (kind >= 0 && p->section == 0 && enter_section(p, cfg) != 0)
		return -1;
	if (kind >= 0)
		section = p->section;
	param = param_find(p->doc->section[section].kind, opt->name);
	before = opt->nvalues <= 1 ? doc_find(p->doc, section, param) : NULL;
	if (before != NULL)
		return fail(p, cfg->line, "key \"%s\" stands twice; keep this "
		    "one or that of %s:%d", opt->name, before->file,
		    before->line);
	doc_add_value(p, section, param, value, cfg->line);
	*(const char **)result = value;
	return 0;
}

static int on_section_end(cfg_t *cfg, cfg_opt_t *opt)
{
	struct parser *p = parser_of(cfg);

	if (p->section == 0 &&
	    enter_section(p, cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1)) != 0)
		return -1;
	p->section = 0;
	return 0;
}

/* A relative name is beside the file that names it. */
static const char *beside(struct parser *p, const char *name)
{
	const char *here = current_file(p), *slash = strrchr(here, '/');
	struct strbuf path;

	if (name[0] == '/' || slash == NULL)
		return arena_strdup(p->arena, name);
	strbuf_init(&path, 4096);
	strbuf_add(&path, here, (size_t)(slash + 1 - here));
	strbuf_adds(&path, name);
	here = strbuf_ok(&path) ? arena_strdup(p->arena, strbuf_cstr(&path)) :
				  arena_strdup(p->arena, name);
	strbuf_fini(&path);
	return here;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct parser *p = parser_of(cfg);
	const char *path;

	(void)opt;
	(void)argc; /* one: outline.c has looked */
	path = beside(p, argv[0]);
	for (int i = 0; i < p->files; i++)
		if (strcmp(p->file[i], path) == 0)
			return fail(p, cfg->line, "\"%s\" is read already; "
			    "include each file once", path);
	if (p->files == FILES_MAX)
		return fail(p, cfg->line, "there are more than %d files; put "
					  "them together", FILES_MAX);
	p->file[p->files++] = path;
	return 0;
}

/* ---- what libConfuse says, and what would be right --------------------- */

/* clang-format off */
static const struct { const char *theirs, *ours; } sayings[] = {
	{ "missing equal sign after option '%s'",
	  "has no = behind it; write a key as  name = \"value\"" },
	{ "missing title for section '%s'",
	  "has no name; write it as  section \"name\" { ... }" },
	{ "missing opening brace for section '%s'",
	  "has no { behind it; write a section as  section { ... }  "
	  "or  section \"name\" { ... }" },
	{ "missing parenthesis for function '%s'",
	    "is written  include(\"FILE\")" },
	{ "found duplicate title '%s'",
	  "names two sections; give each a name of its own" },
	{ "attempt to append to non-list option '%s'",
	  "takes one value; write = instead of +=" },
	{ "unexpected token '%s'",
	  "is not expected here; write a key as  name = \"value\"  "
	  "or  name = { \"a\", \"b\" }" },
};
/* clang-format on */

static enum section kind_of(const cfg_t *cfg)
{
	int kind = section_find(cfg->name);

	return kind < 0 ? SEC_TOP : (enum section)kind;
}

/* The sections that do have that key, or "". */
static void owners(const char *name, struct strbuf *out)
{
	for (int s = SEC_TOP + 1; s < SECTIONS; s++)
		if (param_find((enum section)s, name) != NULL)
			strbuf_addf(out, "%s%s", out->n == 0 ? "" : " or ",
			    section_table[s].name);
	if (param_find(SEC_TOP, name) != NULL || strcmp(name, "include") == 0)
		strbuf_adds(out, out->n == 0 ? "no section" : " or none");
}

static void unknown_name(struct parser *p, const cfg_t *cfg, const char *name)
{
	enum section kind = kind_of(cfg);
	const char *near = schema_nearest(kind, name);
	const char *what = kind == SEC_TOP ? "name" : "key";
	struct strbuf place;

	strbuf_init(&place, 200);
	owners(name, &place);
	if (schema_reserved(kind, name, NULL))
		fail(p, cfg->line, "\"%s\" is not supported by this version; "
				   "remove it", name);
	else if (place.n != 0)
		fail(p, cfg->line, "\"%s\" does not belong here; it stands in "
				   "%s", name, strbuf_cstr(&place));
	else if (near != NULL)
		fail(p, cfg->line, "unknown %s \"%.40s\"; did you mean "
				   "\"%s\"?", what, name, near);
	else
		fail(p, cfg->line, "unknown %s \"%.40s\"; posthouse.conf(5) "
				   "lists those of %s%s", what, name,
		    kind == SEC_TOP ? "the top level" : "section ",
		    section_table[kind].name);
	strbuf_fini(&place);
}

const char *parse_saying(const char *fmt)
{
	for (size_t i = 0; i < ARRAY_LEN(sayings); i++)
		if (strcmp(fmt, sayings[i].theirs) == 0)
			return sayings[i].ours;
	return NULL;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct parser *p = parser_of(cfg);
	const char *name, *ours = parse_saying(fmt);

	if (strcmp(fmt, "no such option '%s'") == 0) {
		unknown_name(p, cfg, va_arg(ap, const char *));
		return;
	}
	if (ours != NULL) {
		name = va_arg(ap, const char *);
		fail(p, cfg->line, "\"%.40s\" %s", name == NULL ? "" : name,
		    ours);
		return;
	}
	fail(p, cfg->line, "this is not complete or not in order; "
			   "posthouse.conf(5) shows how it is written");
}

/* ---- options for libConfuse from the table ----------------------------- */

static cfg_opt_t option(struct parser *p, const struct conf_param *param)
{
	cfg_opt_t o = CFG_STR_CB(param->name, NULL, CFGF_NODEFAULT, on_value);

	if (param->type->element != 0)
		o.flags |= CFGF_LIST;
	o.def.number = (long)p;
	return o;
}

static int fill_options(struct parser *p, enum section s, cfg_opt_t *to)
{
	const struct conf_param *param = NULL;
	int n = 0;

	while ((param = param_next(s, param)) != NULL)
		to[n++] = option(p, param);
	return n;
}

/* Sections without a name may come twice too, so that on_value() can say
 * where the first one is. */
static cfg_t *make_cfg(struct parser *p)
{
	const size_t room = (size_t)(param_count() + SECTIONS + 2);
	cfg_opt_t *opts[SECTIONS], *top;
	cfg_t *cfg;
	int n;

	for (int s = SEC_TOP; s < SECTIONS; s++) {
		opts[s] = NEW_ARRAY(cfg_opt_t, room);
		n = fill_options(p, (enum section)s, opts[s]);
		opts[s][n] = (cfg_opt_t)CFG_END();
	}
	top = opts[SEC_TOP];
	n = cfg_numopts(top);
	for (int s = SEC_TOP + 1; s < SECTIONS; s++, n++) {
		top[n] = (cfg_opt_t)CFG_SEC(section_table[s].name, opts[s],
		    CFGF_MULTI);
		if (section_table[s].title != NULL)
			top[n].flags |= CFGF_TITLE | CFGF_NO_TITLE_DUPES;
		top[n].validcb = on_section_end;
	}
	top[n++] = (cfg_opt_t)CFG_FUNC("include", on_include);
	top[n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(top, CFGF_NONE);
	for (int s = SEC_TOP; s < SECTIONS; s++)
		mem_free(opts[s]);
	if (cfg != NULL)
		cfg_set_error_function(cfg, on_error);
	return cfg;
}

/* ---- files ------------------------------------------------------------- */

/* The daemon does what this file says, so only its owner may write it. */
static bool writable_by_all(FILE *f)
{
	struct stat st;

	return f != NULL && fstat(fileno(f), &st) == 0 &&
	       S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) != 0;
}

int parse_file(const char *path, struct strbuf *text_out, struct error *err)
{
	FILE *f = fopen(path, "re");
	int no = f == NULL ? errno : 0;
	char *to;
	size_t n;

	if (writable_by_all(f)) {
		fclose(f);
		error_set(err, "%s:1: everybody on this machine can write "
		    "this file; chmod o-w %s", path, path);
		return EPERM;
	}
	while (f != NULL && (to = strbuf_reserve(text_out, 4096)) != NULL &&
	       (n = fread(to, 1, 4096, f)) > 0)
		strbuf_used(text_out, n);
	if (f != NULL) {
		no = ferror(f) ? errno : 0;
		fclose(f);
	}
	if (no != 0) {
		error_sys(err, no, "%s:1: cannot read the file", path);
		return no;
	}
	if (strbuf_ok(text_out))
		return 0;
	error_set(err, "%s:1: the file is larger than %zuK; put parts of it "
		       "into other files", path, text_out->max >> 10);
	return EFBIG;
}

/* errno, and p->err. */
static int read_text(struct parser *p, struct strbuf *text_out)
{
	const char *path = current_file(p);

	if (p->from->where != NULL)
		path = p->from->where(p->from->arg, path);
	if (path != NULL)
		return parse_file(path, text_out, p->err);
	error_set(p->err, "%s:1: the file is not with the others",
	    current_file(p));
	return ENOENT;
}

static bool is_optional(struct slice kind)
{
	for (int s = SEC_TOP; s < SECTIONS; s++)
		if (section_name_optional(&section_table[s]) &&
		    slice_eq(kind, slice_str(section_table[s].name)))
			return true;
	return false;
}

static int read_file(struct parser *p, cfg_t *cfg)
{
	struct strbuf text, named;
	struct error why;
	int rc = -1;

	strbuf_init(&text, FILE_MAX);
	strbuf_init(&named, 2 * FILE_MAX);
	p->opened = 0;
	if (read_text(p, &text) != 0) {
		p->failed = true;
		goto out;
	}
	if (outline_text(text.p, text.n, &p->scan, &why) != 0) {
		fail(p, p->scan.error_line, "%s", why.text);
		goto out;
	}
	outline_named(&p->scan, strbuf_view(&text), is_optional, &named);
	if (cfg_parse_buf(cfg, strbuf_cstr(&named)) != CFG_SUCCESS)
		fail(p, cfg->line, "this cannot be read; posthouse.conf(5) "
				   "shows how it is written");
	rc = p->failed ? -1 : 0;
out:
	outline_fini(&p->scan);
	strbuf_fini(&text);
	strbuf_fini(&named);
	return rc;
}

int doc_read(const char *file, struct arena *arena, struct doc *doc_out,
    struct error *err)
{
	return doc_read_from(&(struct conf_source){.file = file}, arena,
	    doc_out, err);
}

int doc_read_from(const struct conf_source *from, struct arena *arena,
    struct doc *doc_out, struct error *err)
{
	struct parser p = {.from = from, .arena = arena, .doc = doc_out,
	    .err = err};
	cfg_t *cfg = make_cfg(&p);
	int rc = 0;

	*doc_out = (struct doc){0};
	p.file[p.files++] = arena_strdup(arena, from->file);
	if (cfg == NULL)
		return fail(&p, 1, "libConfuse cannot be set up");
	doc_add_section(&p, SEC_TOP, "", 1);
	for (; rc == 0 && p.current < p.files; p.current++)
		rc = read_file(&p, cfg);
	cfg_free(cfg);
	doc_out->files = p.files;
	doc_out->file = arena_alloc(arena, sizeof(p.file));
	memcpy(doc_out->file, p.file, sizeof(p.file));
	return rc;
}
