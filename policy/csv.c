/* SPDX-License-Identifier: ISC
 *
 * Comma separated values (RFC 4180). Fields are cut out of the read buffer
 * in place; only quoted ones are moved.
 */
#include "policy/csv.h"

#include <errno.h>
#include <unistd.h>

#include "relay/base/mem.h"

void csv_init(struct csv *c, int fd)
{
	*c = (struct csv){.fd = fd};
	c->buf = mem_new(CSV_BLOCK);
}

void csv_fini(struct csv *c)
{
	mem_free(c->buf);
	c->buf = NULL;
}

/* More bytes behind what is unread. */
static int refill(struct csv *c, struct error *err)
{
	ssize_t got;

	memmove(c->buf, c->buf + c->at, c->n);
	c->at = 0;
	do
		got = read(c->fd, c->buf + c->n, CSV_BLOCK - c->n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_sys(err, errno, "it can not be read");
	c->eof = got == 0;
	c->bytes += (uint64_t)got;
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

static int take_record(struct csv *c, bool quoted, struct slice *out,
    struct error *err)
{
	size_t n = record_size(c, quoted);

	c->line = c->lines + 1;
	while (n == 0 && !c->eof && c->n <= CSV_RECORD) {
		if (refill(c, err) < 0)
			return -1;
		n = record_size(c, quoted);
	}
	if (n == 0 && c->n > CSV_RECORD)
		return error_set(err, "it does not end (is a quote open?)");
	if (n == 0)
		n = c->n;
	if (n > CSV_RECORD)
		return error_set(err, "it is longer than %d bytes",
		    CSV_RECORD);
	*out = slice_of(c->buf + c->at, n);
	c->at += n;
	c->n -= n;
	for (size_t i = 0; i < n; i++)
		c->lines += out->p[i] == '\n';
	if (c->line == 1 && slice_starts(*out, SLICE("\xef\xbb\xbf")))
		*out = slice_from(*out, 3);
	if (out->n > 0 && out->p[out->n - 1] == '\n')
		out->n--;
	if (out->n > 0 && out->p[out->n - 1] == '\r')
		out->n--;
	return n > 0;
}

/* A quoted field at *p, unquoted in place; NULL when what follows its quote
 * is no comma. */
static char *quoted_field(char *p, const char *end, struct slice *field)
{
	char *from = p + 1, *to = p + 1;

	while (from < end) {
		if (*from == '"' && (from + 1 == end || from[1] != '"'))
			break;
		from += *from == '"';
		*to++ = *from++;
	}
	*field = slice_of(p + 1, (size_t)(to - p - 1));
	if (from == end)
		return NULL;
	from++;
	return from == end || *from == ',' ? from : NULL;
}

static int cut_fields(struct csv *c, struct slice record, struct error *err)
{
	char *p = c->buf + (record.p - c->buf);
	char *end = p + record.n;

	for (c->fields = 0; c->fields < CSV_FIELDS; p++) {
		struct slice *field = &c->field[c->fields++];

		if (p < end && *p == '"') {
			p = quoted_field(p, end, field);
		} else {
			char *comma = p == end ? NULL
				: memchr(p, ',', (size_t)(end - p));

			*field = slice_of(p,
			    (size_t)((comma != NULL ? comma : end) - p));
			p = comma != NULL ? comma : end;
		}
		if (p == NULL)
			return error_set(err, "a quote stands in the wrong "
			    "place");
		if (p == end)
			return 1;
	}
	return error_set(err, "more than %d cells", CSV_FIELDS);
}

int csv_next(struct csv *c, struct error *err)
{
	struct slice record;
	int rc = take_record(c, true, &record, err);

	return rc <= 0 ? rc : cut_fields(c, record, err);
}

int csv_line(struct csv *c, struct error *err)
{
	c->fields = 1;
	return take_record(c, false, &c->field[0], err);
}
