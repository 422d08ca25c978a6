/* SPDX-License-Identifier: ISC
 *
 * See sts_policy.h.
 */
#include "relay/cli/propagation/sts_policy.h"

static const char *const modes[] = {[STS_NONE] = "none",
    [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"};

const char *sts_mode_text(enum sts_mode m)
{
	return modes[m];
}

static int refuse(const char **why_out, const char *why)
{
	*why_out = why;
	return -1;
}

/* RFC 8461 3.1 */
bool sts_is_record(struct slice txt)
{
	struct slice field;
	bool id = false;

	if (!slice_next(&txt, ';', &field) ||
	    !slice_eq(slice_trim(field), SLICE("v=STSv1")))
		return false;
	while (slice_next(&txt, ';', &field))
		id = id || (slice_starts(slice_trim(field), SLICE("id=")) &&
			       slice_trim(field).n > 3);
	return id;
}

/* ---- the reply ---------------------------------------------------------- */

/* A line without its end, CR LF or LF; false: there is none. */
static bool next_line(struct slice *rest, struct slice *line_out)
{
	long end = slice_find(*rest, '\n');

	if (end < 0)
		return false;
	*line_out = slice_head(*rest, (size_t)end);
	*rest = slice_from(*rest, (size_t)end + 1);
	if (line_out->n > 0 && line_out->p[line_out->n - 1] == '\r')
		line_out->n--;
	return true;
}

/* "HTTP/1.1 200 OK" */
static bool is_ok(struct slice line)
{
	return (slice_starts(line, SLICE("HTTP/1.1 200")) ||
		   slice_starts(line, SLICE("HTTP/1.0 200"))) &&
	       (line.n == 12 || line.p[12] == ' ');
}

/* The value of a field of that name; n 0 when it is another. */
static struct slice value_of(struct slice line, struct slice name)
{
	if (!slice_case_starts(line, name) || line.n <= name.n ||
	    line.p[name.n] != ':')
		return slice_of(NULL, 0);
	return slice_trim(slice_from(line, name.n + 1));
}

int sts_reply_body(struct slice reply, struct slice *body_out,
    const char **why_out)
{
	struct slice line, length = {NULL, 0};
	uint64_t n;

	if (!next_line(&reply, &line) ||
	    !slice_starts(line, SLICE("HTTP/1.")))
		return refuse(why_out, "the server does not speak HTTP");
	/* A redirect must not be followed (3.3). */
	if (!is_ok(line))
		return refuse(why_out, "the server does not answer 200");
	do {
		if (!next_line(&reply, &line))
			return refuse(why_out, "the reply is cut short");
		if (length.n == 0)
			length = value_of(line, SLICE("Content-Length"));
		if (value_of(line, SLICE("Transfer-Encoding")).n > 0)
			return refuse(why_out, "the reply is encoded");
	} while (line.n > 0);
	if (length.n > 0 && (!slice_uint(length, STS_POLICY_BYTES, &n) ||
				n > reply.n))
		return refuse(why_out, "the reply is cut short");
	*body_out = length.n > 0 ? slice_head(reply, (size_t)n) : reply;
	return 0;
}

/* ---- the policy --------------------------------------------------------- */

static int take_mode(struct slice value, enum sts_mode *out)
{
	for (int i = STS_NONE; i <= STS_ENFORCE; i++)
		if (slice_eq(value, slice_str(modes[i]))) {
			*out = (enum sts_mode)i;
			return 0;
		}
	return -1;
}

struct sts_seen {
	bool version, mode, age;
};

static int take_field(struct slice key, struct slice value,
    struct sts_policy *out, struct sts_seen *seen, const char **why_out)
{
	uint64_t age;

	if (slice_eq(key, SLICE("version"))) {
		seen->version = true;
		if (!slice_eq(value, SLICE("STSv1")))
			return refuse(why_out, "its version is not STSv1");
	} else if (slice_eq(key, SLICE("mode")) && !seen->mode) {
		seen->mode = true;
		if (take_mode(value, &out->mode) < 0)
			return refuse(why_out, "its mode is none of enforce, "
			    "testing, none");
	} else if (slice_eq(key, SLICE("max_age")) && !seen->age) {
		seen->age = true;
		if (!slice_uint(value, 31557600, &age))
			return refuse(why_out, "its max_age is no number up to "
			    "31557600");
	} else if (slice_eq(key, SLICE("mx"))) {
		if (out->count == STS_MX_MAX)
			return refuse(why_out, "it names too many mx");
		out->mx[out->count++] = value;
	}
	return 0;
}

int sts_policy_parse(struct slice text, struct sts_policy *out,
    const char **why_out)
{
	struct sts_seen seen = {false, false, false};
	struct slice line;

	*out = (struct sts_policy){.mode = STS_NONE};
	while (text.n > 0) {
		long colon;

		if (!next_line(&text, &line)) { /* the last needs no end */
			line = text;
			text.n = 0;
		}
		colon = slice_find(line, ':');
		if (colon < 0 && slice_trim(line).n > 0)
			return refuse(why_out, "it has a line without a colon");
		if (colon >= 0 && take_field(
			slice_trim(slice_head(line, (size_t)colon)),
			slice_trim(slice_from(line, (size_t)colon + 1)), out,
			&seen, why_out) < 0)
			return -1;
	}
	if (!seen.version || !seen.mode || !seen.age)
		return refuse(why_out, "it lacks version, mode or max_age");
	if (out->count == 0 && out->mode != STS_NONE)
		return refuse(why_out, "it names no mx");
	return 0;
}

bool sts_policy_has(const struct sts_policy *p, struct slice host)
{
	for (int i = 0; i < p->count; i++) {
		struct slice m = p->mx[i];
		long dot = slice_find(host, '.');

		if (slice_case_eq(m, host))
			return true;
		if (slice_starts(m, SLICE("*.")) && dot > 0 &&
		    slice_case_eq(slice_from(m, 1),
			slice_from(host, (size_t)dot)))
			return true;
	}
	return false;
}
