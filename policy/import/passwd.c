/* SPDX-License-Identifier: ISC
 *
 * Users of a system (passwd(5), or master.passwd of BSD with ten fields): each
 * name at the domain that is said, if its number is in the range.
 */
#include "policy/import/import_int.h"
#include "policy/row.h"

enum { FIELDS = 7, FIELDS_BSD = 10, UID_FIELD = 2 };

/* Fields of the line, cut at colons; how many it has. */
static unsigned cut(struct slice line, struct slice field[FIELDS_BSD])
{
	struct slice one;
	unsigned n = 0;

	while (slice_next(&line, ':', &one)) {
		if (n < FIELDS_BSD)
			field[n] = one;
		n++;
	}
	return n;
}

static int give_user(struct import_run *r, uint64_t line, struct slice name,
    struct error *err)
{
	char key[ADDR_MAX];
	struct import_row row = {.line = line, .key = key};

	if (name.n == 0 || slice_find(name, '@') >= 0)
		return error_set(err, "'%.*s' is no name of a user",
		    (int)slice_head(name, 100).n, name.p);
	if (import_key_at(name, slice_str(r->how->domain), key, err) < 0)
		return -1;
	return import_give(r, &row, err);
}

static int take_line(struct import_run *r, uint64_t line, struct slice text,
    struct error *err)
{
	struct slice field[FIELDS_BSD];
	unsigned n = cut(text, field);
	uint64_t uid;

	if (n != FIELDS && n != FIELDS_BSD)
		return error_set(err, "it has %u fields where passwd has %d, "
		    "name:password:uid:gid:gecos:home:shell", n, FIELDS);
	if (!slice_uint(field[UID_FIELD], UINT32_MAX, &uid))
		return error_set(err, "the uid '%.*s' is no number",
		    (int)slice_head(field[UID_FIELD], 40).n,
		    field[UID_FIELD].p);
	if (uid < r->how->uid_min || uid > r->how->uid_max) {
		r->counts->passed++;
		return 0;
	}
	return give_user(r, line, field[0], err);
}

/* Blank, a comment of BSD, or a line that asks NIS. */
static bool names_no_user(struct slice text)
{
	return text.n == 0 || text.p[0] == '#' || text.p[0] == '+' ||
	       text.p[0] == '-';
}

void passwd_read(struct import_run *r, int fd)
{
	struct csv c;
	struct error err = {0};
	int rc;

	csv_init(&c, fd);
	while ((rc = csv_line(&c, &err)) != CSV_END) {
		struct slice text = row_trim(c.field[0]);

		if (rc > 0 && names_no_user(text))
			continue;
		if (rc < 0 || take_line(r, c.line, text, &err) < 0)
			import_fault(r, c.line, err.text);
		if (rc == CSV_FAILED)
			break;
		import_progress(r, &c);
	}
	csv_fini(&c);
}
