/* SPDX-License-Identifier: ISC
 *
 * The files that a configuration consists of and names: what must be kept with
 * it, so that it can be used elsewhere.
 */
#include <sys/stat.h>

#include "conf/conf.h"
#include "conf/parse.h"
#include "relay/base/mem.h"

struct naming {
	void (*fn)(void *arg, const char *path);
	void *arg;
	bool all; /* also what is not there */
	const char **seen;
	int n, cap;
};

static void name(struct naming *m, const char *path)
{
	struct stat st;

	for (int i = 0; i < m->n; i++)
		if (strcmp(m->seen[i], path) == 0)
			return;
	if (!m->all && (stat(path, &st) != 0 || !S_ISREG(st.st_mode)))
		return;
	if (m->n == m->cap) {
		m->cap = m->cap * 2 + 16;
		m->seen = mem_resize(m->seen,
		    (size_t)m->cap * sizeof(*m->seen));
	}
	m->seen[m->n++] = path;
	m->fn(m->arg, path);
}

/* Files that are read; the others of these sections are written, or run. */
static bool is_read(const struct doc_section *s, const struct doc_value *v)
{
	const struct conf_type *t = v->param->type;

	return (t == &T_FILE || t == &T_PATHS || t == &T_CERTIFICATES) &&
	       s->kind != SEC_AUDIT && s->kind != SEC_LOG &&
	       s->kind != SEC_ALARM && s->kind != SEC_HOOK;
}

static void walk(struct naming *m, const struct doc *d)
{
	for (int i = 0; i < d->files; i++)
		name(m, d->file[i]);
	for (int i = 0; i < d->sections; i++) {
		const struct doc_section *s = &d->section[i];

		for (int k = s->first; k != DOC_END; k = d->value[k].next)
			if (is_read(s, &d->value[k]))
				name(m, d->value[k].text);
	}
}

static int name_all(struct naming *m, const struct conf_source *from,
    struct error *err)
{
	struct arena *a = arena_new();
	struct doc d;
	int rc = doc_read_from(from, a, &d, err);

	if (rc == 0)
		walk(m, &d);
	doc_fini(&d);
	mem_free(m->seen);
	arena_free(a);
	return rc;
}

int conf_files(const char *file, void (*fn)(void *arg, const char *path),
    void *arg, struct error *err)
{
	struct naming m = {.fn = fn, .arg = arg};

	return name_all(&m, &(struct conf_source){.file = file}, err);
}

int conf_files_from(const struct conf_source *from,
    void (*fn)(void *arg, const char *path), void *arg, struct error *err)
{
	struct naming m = {.fn = fn, .arg = arg, .all = true};

	return name_all(&m, from, err);
}
