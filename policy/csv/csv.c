/* SPDX-License-Identifier: ISC
 *
 * Separated values (RFC 4180). Fields are cut out of the read buffer in
 * place. A record is checked whole before a byte of it is moved, so that
 * after a bad one reading goes on with the line behind the one that it began
 * on: a quote that is never closed must not hide the lines behind it.
 */
#include "policy/csv/csv.h"

#include "policy/row.h"
#include "relay/base/mem.h"
#include "relay/base/utf8.h"

void csv_init(struct csv *c, int fd)
{
	*c = (struct csv){.separator = ','};
	textfile_init(&c->file, fd);
	c->buf = mem_new(CSV_BLOCK);
}

void csv_fini(struct csv *c)
{
	textfile_fini(&c->file);
	mem_free(c->buf);
	c->buf = NULL;
}

/* More bytes behind what is unread. */
static int refill(struct csv *c, struct error *err)
{
	ssize_t got;

	memmove(c->buf, c->buf + c->at, c->n);
	c->at = 0;
	got = textfile_read(&c->file, c->buf + c->n, CSV_BLOCK - c->n, err);
	if (got < 0)
		return -1;
	c->eof = got == 0;
	c->n += (size_t)got;
	return 0;
}

static size_t quotes_in(const char *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += p[i] == '"';
	return count;
}

/* Bytes of the record at the head of the buffer, its line end included; 0
 * when it does not end here. With `quoted`, a line end between quotes is no
 * end. */
static size_t record_size(const struct csv *c, bool quoted)
{
	const char *p = c->buf + c->at;
	size_t quotes = 0, done = 0;

	for (;;) {
		const char *nl = memchr(p + done, '\n', c->n - done);

		if (nl == NULL)
			return 0;
		if (quoted)
			quotes += quotes_in(p + done,
			    (size_t)(nl - p) - done);
		done = (size_t)(nl - p) + 1;
		if (quotes % 2 == 0)
			return done;
	}
}

static struct slice without_line_end(struct slice s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* Finds the record at hand and its size with the line end; consumes nothing.
 * CSV_BAD: it has no end or is too long. */
static int find_record(struct csv *c, bool quoted, struct slice *record_out,
    size_t *size_out, struct error *err)
{
	size_t n = record_size(c, quoted);

	c->line = c->lines + 1;
	while (n == 0 && !c->eof && c->n <= CSV_RECORD) {
		if (refill(c, err) < 0)
			return CSV_FAILED;
		n = record_size(c, quoted);
	}
	if (n == 0 && c->n > CSV_RECORD) {
		error_set(err, "it does not end (is a quote open?)");
		return CSV_BAD;
	}
	if (n == 0)
		n = c->n;
	if (n > CSV_RECORD) {
		error_set(err, "it is longer than %d bytes", CSV_RECORD);
		return CSV_BAD;
	}
	*size_out = n;
	*record_out = without_line_end(slice_of(c->buf + c->at, n));
	return n > 0 ? CSV_RECORD_READ : CSV_END;
}

static void consume(struct csv *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->lines += c->buf[c->at + i] == '\n';
	c->at += n;
	c->n -= n;
}

/* Passes over the line that the bad record began on. A line that is longer
 * than a record ends the reading: what follows is no text. */
static int pass_bad(struct csv *c)
{
	const char *nl = memchr(c->buf + c->at, '\n', c->n);

	if (nl == NULL && c->n > CSV_RECORD)
		return CSV_FAILED;
	consume(c, nl == NULL ? c->n : (size_t)(nl + 1 - (c->buf + c->at)));
	return CSV_BAD;
}

/* ---- fields ----------------------------------------------------------- */

static const char *skip_blanks(const struct csv *c, const char *p,
    const char *end)
{
	while (p < end && *p != c->separator && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static const char *unquoted_end(const struct csv *c, const char *p,
    const char *end, const char **why)
{
	const char *stop = memchr(p, c->separator, (size_t)(end - p));

	if (stop == NULL)
		stop = end;
	/* A quote inside it joined two lines. */
	if (memchr(p, '\n', (size_t)(stop - p)) != NULL) {
		*why = "a quote stands in the wrong place";
		return NULL;
	}
	return stop;
}

/* Where the field at `p` ends: at a separator or at `end`. NULL and why. */
static const char *field_end(const struct csv *c, const char *p,
    const char *end, const char **why)
{
	const char *q = skip_blanks(c, p, end);

	if (q == end || *q != '"')
		return unquoted_end(c, p, end, why);
	for (q++; q < end; q++) {
		if (*q != '"')
			continue;
		if (q + 1 == end || q[1] != '"')
			break;
		q++;
	}
	*why = "a quote is not closed";
	if (q == end)
		return NULL;
	*why = "a quote stands in the wrong place";
	q = skip_blanks(c, q + 1, end);
	return q == end || *q == c->separator ? q : NULL;
}

static int find_fields(struct csv *c, struct slice record, struct error *err)
{
	const char *p = record.p, *end = record.p + record.n, *why = NULL;

	for (c->fields = 0; c->fields < CSV_FIELDS; p++) {
		const char *stop = field_end(c, p, end, &why);

		if (stop == NULL) {
			error_set(err, "%s", why);
			return CSV_BAD;
		}
		c->field[c->fields++] = slice_of(p, (size_t)(stop - p));
		if (stop == end)
			return CSV_RECORD_READ;
		p = stop;
	}
	error_set(err, "more than %d cells", CSV_FIELDS);
	return CSV_BAD;
}

/* A field without its quotes, moved in place. */
static struct slice unquoted(struct csv *c, struct slice field)
{
	struct slice s = slice_trim(field);
	char *to;
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"')
		return field;
	s = slice_head(slice_from(s, 1), s.n - 2);
	to = c->buf + (s.p - c->buf);
	for (size_t i = 0; i < s.n; i++) {
		i += s.p[i] == '"';
		to[n++] = s.p[i];
	}
	return slice_of(to, n);
}

/* The first piece that is not UTF-8, to show which one is meant. */
static struct slice not_utf8(struct slice s)
{
	size_t at = 0, from;

	while (at < s.n && utf8_next(slice_from(s, at)) > 0)
		at += utf8_next(slice_from(s, at));
	from = at < 12 ? 0 : at - 12;
	/* Not from inside a character. */
	while (from < at && ((unsigned char)s.p[from] & 0xc0) == 0x80)
		from++;
	return slice_head(slice_from(s, from), 24);
}

static int check_coding(struct slice text, struct error *err)
{
	struct slice piece;

	if (utf8_valid(text))
		return CSV_RECORD_READ;
	piece = not_utf8(text);
	error_set(err, "it is not UTF-8 (near '%.*s'), most likely "
	    "Windows-1252 (cp1252): save the file as \"CSV UTF-8\", or "
	    "convert it by iconv -f WINDOWS-1252 -t UTF-8", (int)piece.n,
	    piece.p);
	return CSV_BAD;
}

static int take_fields(struct csv *c, struct error *err)
{
	struct slice record;
	size_t size = 0;
	int rc = find_record(c, true, &record, &size, err);

	if (rc == CSV_RECORD_READ)
		rc = find_fields(c, record, err);
	if (rc == CSV_RECORD_READ)
		rc = check_coding(record, err);
	if (rc == CSV_BAD)
		return pass_bad(c);
	if (rc != CSV_RECORD_READ)
		return rc;
	consume(c, size);
	for (unsigned i = 0; i < c->fields; i++)
		c->field[i] = unquoted(c, c->field[i]);
	return rc;
}

int csv_next(struct csv *c, struct error *err)
{
	return take_fields(c, err);
}

bool csv_empty_from(const struct csv *c, unsigned from)
{
	for (unsigned i = from; i < c->fields; i++)
		if (row_trim(c->field[i]).n > 0)
			return false;
	return true;
}

int csv_check_width(const struct csv *c, unsigned columns, struct error *err)
{
	if (c->fields < columns || !csv_empty_from(c, columns))
		return error_set(err, "%u cells where the header has %u",
		    c->fields, columns);
	return 0;
}

int csv_line(struct csv *c, struct error *err)
{
	size_t size = 0;
	int rc = find_record(c, false, &c->field[0], &size, err);

	c->fields = 1;
	if (rc == CSV_RECORD_READ)
		rc = check_coding(c->field[0], err);
	if (rc == CSV_BAD)
		return pass_bad(c);
	consume(c, size);
	return rc;
}

/* ---- the header ------------------------------------------------------- */

/* "sep=;", quoted or not; the separator may be a TAB. */
static bool takes_separator(struct csv *c, struct slice line)
{
	if (line.n > 0 && line.p[0] == '"')
		line = slice_from(line, 1);
	if (line.n < 5 || !slice_case_starts(line, SLICE("sep=")) ||
	    slice_trim(slice_from(line, 5)).n > 1)
		return false;
	c->separator = line.p[4];
	return true;
}

static char likely_separator(struct slice line)
{
	static const char may[] = ",;\t";
	size_t most = 0;
	char best = ',';

	for (size_t i = 0; i + 1 < sizeof(may); i++) {
		size_t n = 0;
		bool quoted = false;

		for (size_t k = 0; k < line.n; k++) {
			quoted ^= line.p[k] == '"';
			n += !quoted && line.p[k] == may[i];
		}
		if (n > most) {
			most = n;
			best = may[i];
		}
	}
	return best;
}

/* Lines that stand before the header. */
static int pass_prelude(struct csv *c, struct error *err)
{
	bool said = false;

	for (;;) {
		struct slice line;
		size_t size = 0;
		int rc = find_record(c, false, &line, &size, err);

		if (rc != CSV_RECORD_READ)
			return rc;
		if (takes_separator(c, line)) {
			said = true;
		} else if (slice_trim(line).n > 0 && line.p[0] != '#') {
			if (!said)
				c->separator = likely_separator(line);
			return rc;
		}
		consume(c, size);
	}
}

int csv_header(struct csv *c, struct error *err)
{
	int rc;

	c->line = 1;
	if (c->n == 0 && refill(c, err) < 0)
		return CSV_FAILED;
	if (slice_starts(slice_of(c->buf + c->at, c->n), SLICE("PK\3\4"))) {
		error_set(err, "it is a workbook (xlsx or ods), not text: "
		    "save it as \"CSV UTF-8\"");
		return CSV_FAILED;
	}
	rc = pass_prelude(c, err);
	if (rc == CSV_BAD)
		return pass_bad(c);
	return rc == CSV_RECORD_READ ? take_fields(c, err) : rc;
}
