/* SPDX-License-Identifier: ISC
 *
 * Exports of directories: Get-Recipient, Get-Mailbox and Get-ADUser of
 * Exchange behind Export-Csv, and the users of Google Workspace, as its console
 * or GAM write them. Each entry is a mailbox: its primary address and aliases
 * are rows of it. Columns may stand in any order, and those that are not known
 * are passed over: an export has a hundred.
 */
#include "policy/csv/csv_column.h"
#include "policy/import/entry_tags.h"
#include "policy/import/import_int.h"
#include "policy/import/proxies.h"
#include "policy/row.h"

enum part {
	PART_NONE,
	PART_PRIMARY,
	PART_PROXIES, /* any number of columns; the others: one */
	PART_TYPE,
	PART_TARGET, /* its address on another leg */
	PART_UNIT,
	PART_STATUS,
	PART_SUSPENDED,
	PART_ARCHIVED,
};

struct heading {
	const char *name; /* csv_heading() */
	enum part part;
};

/* Of two columns for one part the one that stands first here counts. */
static const struct heading exchange[] = {
    {"primarysmtpaddress", PART_PRIMARY},
    {"windowsemailaddress", PART_PRIMARY},
    {"mail", PART_PRIMARY},
    {"address", PART_PRIMARY}, /* of `export coexist` */
    {"emailaddresses", PART_PROXIES},
    {"proxyaddresses", PART_PROXIES},
    {"recipienttypedetails", PART_TYPE},
    {"recipienttype", PART_TYPE},
    {"targetaddress", PART_TARGET},
    {"remoteroutingaddress", PART_TARGET},
    {"externalemailaddress", PART_TARGET},
    {NULL, PART_NONE},
};

static const struct heading google[] = {
    {"emailaddress", PART_PRIMARY},
    {"primaryemail", PART_PRIMARY},
    {"email", PART_PRIMARY},
    {"alias", PART_PROXIES},
    {"aliases", PART_PROXIES},
    {"emailalias", PART_PROXIES},
    {"emailaliases", PART_PROXIES},
    {"noneditablealiases", PART_PROXIES},
    {"orgunitpath", PART_UNIT},
    {"status", PART_STATUS},
    {"suspended", PART_SUSPENDED},
    {"archived", PART_ARCHIVED},
    {NULL, PART_NONE},
};

struct directory {
	struct import_run *run;
	const struct heading *known;
	struct csv csv;
	enum part part[CSV_FIELDS];
	size_t rank[CSV_FIELDS];
	unsigned columns;
	struct strbuf keys, tags, at_leg; /* of the entry at hand */
	const char *route;		  /* that its target says */
	char primary[ADDR_MAX];		  /* "": not known yet */
};

/* ---- the header --------------------------------------------------------- */

/* "aliases.0", "Alias 2": the number is no part of the name. */
static struct slice without_number(struct slice name)
{
	while (name.n > 1 && ascii_digit(name.p[name.n - 1]))
		name.n--;
	return name;
}

static void find_part(struct directory *d, unsigned i)
{
	char text[CSV_HEADING];
	struct slice name = csv_heading(row_trim(d->csv.field[i]), text);

	d->part[i] = PART_NONE;
	for (size_t k = 0; d->known[k].name != NULL; k++) {
		bool many = d->known[k].part == PART_PROXIES;

		if (!slice_eq(many ? without_number(name) : name,
			slice_str(d->known[k].name)))
			continue;
		d->part[i] = d->known[k].part;
		d->rank[i] = k;
		return;
	}
}

/* Leaves one column for each part that is one. */
static int choose_column(struct directory *d, unsigned i, struct error *err)
{
	for (unsigned k = 0; k < i; k++) {
		if (d->part[i] == PART_NONE || d->part[i] == PART_PROXIES ||
		    d->part[k] != d->part[i])
			continue;
		if (d->rank[k] == d->rank[i])
			return error_set(err, "the column '%.*s' stands twice; "
			    "leave one out", (int)d->csv.field[i].n,
			    d->csv.field[i].p);
		d->part[d->rank[k] < d->rank[i] ? i : k] = PART_NONE;
	}
	return 0;
}

static bool has_part(const struct directory *d, enum part part)
{
	for (unsigned i = 0; i < d->columns; i++)
		if (d->part[i] == part)
			return true;
	return false;
}

static void name_keys(struct directory *d)
{
	if (has_part(d, PART_TYPE))
		strbuf_adds(&d->keys, "kind ");
	if (has_part(d, PART_UNIT))
		strbuf_adds(&d->keys, "ou ");
	if (has_part(d, PART_STATUS) || has_part(d, PART_SUSPENDED) ||
	    has_part(d, PART_ARCHIVED))
		strbuf_adds(&d->keys, "status ");
}

static int take_header(struct directory *d, struct error *err)
{
	int rc = csv_header(&d->csv, err);

	if (rc == CSV_END)
		return error_set(err, "the file is empty: it has no header");
	if (rc < 0)
		return -1;
	d->columns = d->csv.fields;
	for (unsigned i = 0; i < d->columns; i++) {
		find_part(d, i);
		if (choose_column(d, i, err) < 0)
			return -1;
	}
	name_keys(d);
	if (has_part(d, PART_PRIMARY) || has_part(d, PART_PROXIES))
		return 0;
	return error_set(err, d->known == exchange
	    ? "the header has neither PrimarySmtpAddress nor EmailAddresses: "
	      "this is no export of Get-Recipient"
	    : "the header has no 'Email Address': this is no export of "
	      "Google's users");
}

/* ---- an entry ----------------------------------------------------------- */

/* A key without a name would be the row of all others at that domain. */
static int key_of(struct slice address, char key[ADDR_MAX],
    struct error *err)
{
	if (row_key_text(address, key, err) < 0)
		return -1;
	return key[0] != '@'
		   ? 0 : error_set(err, "'%.150s' is no address: it has no "
		       "name before the @", key);
}

/* The address that says it is the primary one; a cell of its own and the list
 * of addresses must agree. */
static int take_primary(struct directory *d, struct slice address,
    struct error *err)
{
	char key[ADDR_MAX];

	if (key_of(address, key, err) < 0)
		return -1;
	if (d->primary[0] != '\0' && strcmp(d->primary, key) != 0)
		return error_set(err, "it has two primary addresses, %.150s "
		    "and %.150s; one of them must be an alias", d->primary,
		    key);
	memcpy(d->primary, key, sizeof(key));
	return 0;
}

static int find_primary(struct directory *d, struct slice cell,
    struct error *err)
{
	enum proxy_kind kind;
	struct slice address;
	int rc;

	while ((rc = proxy_next(&cell, &address, &kind, err)) > 0)
		if (kind == PROXY_PRIMARY &&
		    take_primary(d, address, err) < 0)
			return -1;
	return rc;
}

/* Mail for an entry with a target goes there: if a leg has that domain, the
 * mailbox is behind that leg. Others are forwarded by the old server. */
static int take_target(struct directory *d, struct slice address,
    struct error *err)
{
	const struct conf_leg *leg;
	char key[ADDR_MAX];

	if (key_of(address, key, err) < 0)
		return -1;
	leg = import_leg_of(d->run, key);
	if (leg == NULL)
		return 0;
	d->route = leg->name;
	strbuf_reset(&d->at_leg);
	strbuf_addf(&d->at_leg, "%s=%s", leg->name, key);
	return 0;
}

/* "ann@tenant.example", or "SMTP:ann@tenant.example"; "NOTES:Ann Lee/Org" is a
 * target of another mail system, which no leg is. */
static int find_target(struct directory *d, struct slice cell,
    struct error *err)
{
	enum proxy_kind kind;
	struct slice address;
	int rc;

	if (slice_find(cell, ':') < 0)
		return cell.n == 0 ? 0 : take_target(d, cell, err);
	while ((rc = proxy_next(&cell, &address, &kind, err)) > 0)
		if (kind != PROXY_OTHER && take_target(d, address, err) < 0)
			return -1;
	return rc;
}

static int take_cell(struct directory *d, unsigned i, struct error *err)
{
	struct slice cell = row_trim(d->csv.field[i]);

	switch (d->part[i]) {
	case PART_PRIMARY:
		return cell.n == 0 ? 0 : take_primary(d, cell, err);
	case PART_PROXIES:
		return find_primary(d, cell, err);
	case PART_TYPE:
		entry_kind(cell, &d->tags);
		return 0;
	case PART_TARGET:
		return find_target(d, cell, err);
	case PART_UNIT:
		entry_unit(cell, &d->tags);
		return 0;
	case PART_STATUS:
		entry_status(cell, &d->tags);
		return 0;
	case PART_SUSPENDED:
		entry_flag(cell, "suspended", &d->tags);
		return 0;
	case PART_ARCHIVED:
		entry_flag(cell, "archived", &d->tags);
		return 0;
	case PART_NONE:
		break;
	}
	return 0;
}

static int give(struct directory *d, const char *key, struct error *err)
{
	struct import_row row = {
	    .line = d->csv.line,
	    .key = key,
	    .route = d->route,
	    .mailbox = d->primary,
	    .tags = strbuf_cstr(&d->tags),
	    .keys = strbuf_cstr(&d->keys),
	    .addresses = d->at_leg.n == 0 ? NULL : strbuf_cstr(&d->at_leg),
	};

	return import_give(d->run, &row, err);
}

static int give_aliases(struct directory *d, struct slice cell,
    struct error *err)
{
	enum proxy_kind kind;
	struct slice address;
	char key[ADDR_MAX];
	int rc;

	while ((rc = proxy_next(&cell, &address, &kind, err)) > 0) {
		if (kind != PROXY_ALIAS)
			continue;
		if (key_of(address, key, err) < 0)
			return -1;
		if (strcmp(key, d->primary) != 0 && give(d, key, err) < 0)
			return -1;
	}
	return rc;
}

static int give_entry(struct directory *d, struct error *err)
{
	if (give(d, d->primary, err) < 0)
		return -1;
	for (unsigned i = 0; i < d->columns; i++)
		if (d->part[i] == PART_PROXIES &&
		    give_aliases(d, d->csv.field[i], err) < 0)
			return -1;
	return 0;
}

/* Aliases without a primary address are of no mailbox that could be named. */
static int check_nameless(struct directory *d, struct error *err)
{
	enum proxy_kind kind;
	struct slice cell, address;

	for (unsigned i = 0; i < d->columns; i++) {
		int rc = 1;

		cell = d->csv.field[i];
		while (d->part[i] == PART_PROXIES && rc > 0) {
			rc = proxy_next(&cell, &address, &kind, err);
			if (rc > 0 && kind == PROXY_ALIAS)
				return error_set(err, "it has aliases and no "
				    "primary address (PrimarySmtpAddress, or "
				    "SMTP: in capitals)");
		}
	}
	d->run->counts->nameless++;
	return 0;
}

static int take_entry(struct directory *d, struct error *err)
{
	d->primary[0] = '\0';
	d->route = NULL;
	strbuf_reset(&d->tags);
	strbuf_reset(&d->at_leg);
	if (csv_check_width(&d->csv, d->columns, err) < 0)
		return -1;
	for (unsigned i = 0; i < d->columns; i++)
		if (take_cell(d, i, err) < 0)
			return -1;
	return d->primary[0] == '\0' ? check_nameless(d, err)
				     : give_entry(d, err);
}

static void take_entries(struct directory *d)
{
	struct error err = {0};
	int rc;

	while ((rc = csv_next(&d->csv, &err)) != CSV_END) {
		if (rc == CSV_RECORD_READ && csv_empty_from(&d->csv, 0))
			continue;
		if (rc < 0 || take_entry(d, &err) < 0)
			import_fault(d->run, d->csv.line, err.text);
		if (rc == CSV_FAILED)
			return;
		import_progress(d->run, &d->csv);
	}
}

void directory_read(struct import_run *r, int fd)
{
	struct directory d = {.run = r,
	    .known = r->how->format == IMPORT_GOOGLE ? google : exchange};
	struct error err = {0};

	csv_init(&d.csv, fd);
	strbuf_init(&d.keys, IMPORT_TEXT);
	strbuf_init(&d.tags, IMPORT_TEXT);
	strbuf_init(&d.at_leg, IMPORT_TEXT);
	if (take_header(&d, &err) < 0)
		import_fault(r, d.csv.line, err.text);
	else
		take_entries(&d);
	strbuf_fini(&d.keys);
	strbuf_fini(&d.tags);
	strbuf_fini(&d.at_leg);
	csv_fini(&d.csv);
}
