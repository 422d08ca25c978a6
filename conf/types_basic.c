/* SPDX-License-Identifier: ISC
 *
 * Numbers, durations, sizes, words and files; what goes over the wire is in
 * types_net.c. Every number has a range, and every refusal says the form or
 * the range that would do. Pure; any thread.
 */
#include "conf/types.h"

#include "relay/base/clock.h"

enum { STRING_MAX = 200, FINGERPRINT_HEX = 64 };

struct unit {
	const char *name;
	int64_t n;
};

static const struct unit durations[] = {
	{ "w", 7 * DAY_MS }, { "d", DAY_MS }, { "h", HOUR_MS },
	{ "m", MINUTE_MS }, { "s", 1000 }, { "ms", 1 },
};
static const struct unit sizes[] = {
	{ "T", 1LL << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 },
	{ "K", 1 << 10 }, { "", 1 },
};

/* ---- numbers ----------------------------------------------------------- */

static void unit_show(const struct unit *units, int64_t v, struct strbuf *out)
{
	int i = 0;

	while (units[i].n > 1 && (v == 0 || v % units[i].n != 0))
		i++;
	if (v == 0 && units == durations)
		i--; /* "0s", not "0ms" */
	strbuf_addf(out, "%lld%s", (long long)(v / units[i].n), units[i].name);
}

static void duration_number(int64_t v, struct strbuf *out)
{
	unit_show(durations, v, out);
}

static void size_number(int64_t v, struct strbuf *out)
{
	unit_show(sizes, v, out);
}

static void plain_number(int64_t v, struct strbuf *out)
{
	strbuf_addf(out, "%lld", (long long)v);
}

static bool unit_parse(const struct unit *units, int n, struct slice s,
    int64_t *v_out)
{
	size_t digits = 0;
	uint64_t v;

	while (digits < s.n && ascii_digit(s.p[digits]))
		digits++;
	for (int i = 0; i < n; i++) {
		if (!slice_eq(slice_from(s, digits), slice_str(units[i].name)))
			continue;
		if (!slice_uint(slice_head(s, digits),
			(uint64_t)(INT64_MAX / units[i].n), &v))
			return false;
		*v_out = (int64_t)v * units[i].n;
		return true;
	}
	return false;
}

static int malformed(const struct slot *s, struct error *err)
{
	const struct conf_type *t = s->param->type;

	return error_set(err, "is not a %s; write %s", t->name, t->form);
}

static int in_range(const struct conf_param *p, int64_t v, struct error *err)
{
	struct strbuf range;

	if (v >= p->min && v <= p->max)
		return 0;
	strbuf_init(&range, 100);
	param_range(p, &range);
	error_set(err, "is out of range; write %s", strbuf_cstr(&range));
	strbuf_fini(&range);
	return -1;
}

static int set_duration(const struct slot *s, const char *text,
    struct error *err)
{
	int64_t v;

	if (!unit_parse(durations, ARRAY_LEN(durations), slice_str(text), &v))
		return malformed(s, err);
	if (in_range(s->param, v, err) != 0)
		return -1;
	if (s->param->type->element != 0)
		*(int64_t *)slot_element(s) = v;
	else
		*(int64_t *)s->field = v;
	return 0;
}

static void show_duration(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	(void)p;
	strbuf_addc(out, '"');
	duration_number(*(const int64_t *)field, out);
	strbuf_addc(out, '"');
}

static void show_durations(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, show_duration);
}

static int set_size(const struct slot *s, const char *text, struct error *err)
{
	int64_t v;

	if (!unit_parse(sizes, ARRAY_LEN(sizes), slice_str(text), &v))
		return malformed(s, err);
	if (in_range(s->param, v, err) != 0)
		return -1;
	*(uint64_t *)s->field = (uint64_t)v;
	return 0;
}

static void show_size(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	(void)p;
	strbuf_addc(out, '"');
	size_number((int64_t) * (const uint64_t *)field, out);
	strbuf_addc(out, '"');
}

static int read_number(const struct slot *s, const char *text, int64_t *v_out,
    struct error *err)
{
	uint64_t v;

	if (!slice_uint(slice_str(text), INT64_MAX, &v))
		return malformed(s, err);
	*v_out = (int64_t)v;
	return in_range(s->param, *v_out, err);
}

static int set_int(const struct slot *s, const char *text, struct error *err)
{
	int64_t v;

	if (read_number(s, text, &v, err) != 0)
		return -1;
	*(int *)s->field = (int)v;
	return 0;
}

static void show_int(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	(void)p;
	plain_number(*(const int *)field, out);
}

static int set_count(const struct slot *s, const char *text,
    struct error *err)
{
	int64_t v;

	if (read_number(s, text, &v, err) != 0)
		return -1;
	*(uint64_t *)s->field = (uint64_t)v;
	return 0;
}

static void show_count(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	(void)p;
	plain_number((int64_t) * (const uint64_t *)field, out);
}

/* ---- words ------------------------------------------------------------- */

static int word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

static int not_a_word(const struct slot *s, struct error *err)
{
	struct strbuf list;

	strbuf_init(&list, 200);
	words_list(s->param->type->words, &list);
	error_set(err, "is unknown; write %s", strbuf_cstr(&list));
	strbuf_fini(&list);
	return -1;
}

static int set_bool(const struct slot *s, const char *text, struct error *err)
{
	int i = word_index(s->param->type->words, text);

	if (i < 0)
		return not_a_word(s, err);
	*(bool *)s->field = i == 0;
	return 0;
}

static void show_bool(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	strbuf_adds(out, p->type->words[*(const bool *)field ? 0 : 1]);
}

/* Every enum of conf.h is an int and in the order of its words. */
static int set_enum(const struct slot *s, const char *text, struct error *err)
{
	int i = word_index(s->param->type->words, text);

	if (i < 0)
		return not_a_word(s, err);
	*(int *)s->field = i;
	return 0;
}

static void show_enum(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	strbuf_addf(out, "\"%s\"", p->type->words[*(const int *)field]);
}

static int set_word(const struct slot *s, const char *text, struct error *err)
{
	if (word_index(s->param->type->words, text) < 0)
		return not_a_word(s, err);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static int set_name(const struct slot *s, const char *text, struct error *err)
{
	if (text[0] != '\0' && !conf_name_ok(text))
		return malformed(s, err);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static int set_names(const struct slot *s, const char *text,
    struct error *err)
{
	if (!conf_name_ok(text))
		return malformed(s, err);
	*(char **)slot_element(s) = arena_strdup(s->arena, text);
	return 0;
}

/* Whether its legs exist is asked when all of them are known (check.c). */
static int set_route(const struct slot *s, const char *text,
    struct error *err)
{
	(void)err;
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static int set_char(const struct slot *s, const char *text, struct error *err)
{
	/* The NUL at the end of the separators stands for none. */
	if (strlen(text) > 1 || strchr(CONF_SEPARATORS, text[0]) == NULL)
		return malformed(s, err);
	*(char *)s->field = text[0];
	return 0;
}

static void show_char(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	char c[2] = {*(const char *)field, '\0'};

	(void)p;
	strbuf_addf(out, "\"%s\"", c);
}

/* ---- files ------------------------------------------------------------- */

/* A daemon has no directory of its own to read a relative name from. */
static bool path_ok(const char *text)
{
	return text[0] == '/' && strlen(text) < 4096;
}

static int set_path(const struct slot *s, const char *text, struct error *err)
{
	bool none = text[0] == '\0' && s->param->type == &T_FILE;

	if (!none && !path_ok(text))
		return malformed(s, err);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

static int set_paths(const struct slot *s, const char *text,
    struct error *err)
{
	if (!path_ok(text))
		return malformed(s, err);
	*(char **)slot_element(s) = arena_strdup(s->arena, text);
	return 0;
}

static void show_texts(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, string_show);
}

static int set_certificate(const struct slot *s, const char *text,
    struct error *err)
{
	struct conf_certificate *c;

	if (!path_ok(text))
		return malformed(s, err);
	c = slot_element(s);
	c->cert = c->key = arena_strdup(s->arena, text);
	return 0;
}

static void show_certificate(const struct conf_param *p, const void *element,
    struct strbuf *out)
{
	const struct conf_certificate *c = element;

	string_show(p, &c->cert, out);
}

static void show_certificates(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, show_certificate);
}

static int set_string(const struct slot *s, const char *text,
    struct error *err)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return malformed(s, err);
	if (n > STRING_MAX)
		return malformed(s, err);
	*(char **)s->field = arena_strdup(s->arena, text);
	return 0;
}

/* Kept as lower-case hex without colons. */
static int set_fingerprint(const struct slot *s, const char *text,
    struct error *err)
{
	char hex[FINGERPRINT_HEX + 1];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		char c = *text >= 'A' && *text <= 'F' ? *text + 32 : *text;

		if (c == ':')
			continue;
		if (n == FINGERPRINT_HEX ||
		    (!ascii_digit(c) && (c < 'a' || c > 'f')))
			return malformed(s, err);
		hex[n++] = c;
	}
	if (n != FINGERPRINT_HEX)
		return malformed(s, err);
	hex[n] = '\0';
	*(char **)slot_element(s) = arena_strdup(s->arena, hex);
	return 0;
}

#define WORD(list) \
	{ .name = "word", .set = set_enum, .show = show_enum, .words = (list) }

/* clang-format off */
static const char *const bools[] = { "true", "false", NULL };
static const char *const tls_levels[] = { "none", "may", "encrypt", "verify", "dane", NULL };
static const char *const unknowns[] = { "route", "reject", "defer", "probe", NULL };
static const char *const protocols[] = { "smtp", "lmtp", NULL };
static const char *const families[] = { "ipv6-first", "ipv4-first", "ipv6", "ipv4", NULL };
static const char *const senders[] = { "any", "ours", NULL };
static const char *const trusts[] = { "none", "address", "certificate", "skip-listing",
	"inbound-gateway", NULL };
static const char *const rewrites[] = { "never", "when-spf-fails", NULL };
static const char *const copy_returns[] = { "notify", "token", NULL };
static const char *const eightbits[] = { "send", "refuse", NULL };
static const char *const guards[] = { "off", "fail", "pass-only", NULL };
static const char *const no_answers[] = { "accept", "defer", NULL };
static const char *const spf_fails[] = { "report", "refuse", NULL };
static const char *const spf_temperrors[] = { "report", "defer", NULL };
static const char *const bare_newlines[] = { "reject", "normalize", NULL };
static const char *const tls_mins[] = { "1.2", "1.0", "1.1", "1.3", NULL };
static const char *const listen_tls[] = { "starttls", "implicit", NULL };
static const char *const outbounds[] = { "allowed", "only", "off", NULL };
static const char *const engines[] = { "sqlite", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };

const struct conf_type
T_BOOL = { .name = "switch", .set = set_bool, .show = show_bool,
	.form = "true or false",
	.words = bools, .bare = true },
T_INT = { .name = "number", .set = set_int, .show = show_int,
	.form = "digits only",
	.number = plain_number, .bare = true },
T_COUNT = { .name = "number", .set = set_count, .show = show_count,
	.form = "digits only",
	.number = plain_number, .bare = true },
T_DURATION = { .name = "duration", .set = set_duration, .show = show_duration,
	.form = "\"100ms\", \"90s\", \"5m\", \"2h\", \"7d\" or \"1w\"",
	.number = duration_number },
T_DURATIONS = { .name = "duration", .set = set_duration, .show = show_durations,
	.form = "\"100ms\", \"90s\", \"5m\", \"2h\", \"7d\" or \"1w\"",
	.number = duration_number, .element = sizeof(int64_t) },
T_SIZE = { .name = "size", .set = set_size, .show = show_size,
	.form = "bytes, or \"64K\", \"50M\", \"2G\" or \"1T\"",
	.number = size_number },
T_PATH = { .name = "file name", .set = set_path, .show = string_show,
	.form = "the whole path, beginning with /" },
T_FILE = { .name = "file name", .set = set_path, .show = string_show,
	.form = "the whole path, beginning with /, or \"\"" },
T_PATHS = { .name = "file name", .set = set_paths, .show = show_texts,
	.form = "the whole path, beginning with /",
	.element = sizeof(char *) },
T_CERTIFICATES = { .name = "file name", .set = set_certificate, .show = show_certificates,
	.form = "the whole path, beginning with /",
	.element = sizeof(struct conf_certificate) },
T_NAME = { .name = "name", .set = set_name, .show = string_show,
	.form = "lower-case letters, digits, - and _, at most 32" },
T_NAMES = { .name = "name", .set = set_names, .show = show_texts,
	.form = "lower-case letters, digits, - and _, at most 32",
	.element = sizeof(char *) },
T_ROUTE = { .name = "route", .set = set_route, .show = string_show,
	.form = "legs joined by +, the first of them primary, or defer, reject or gone" },
T_CHAR = { .name = "separator", .set = set_char, .show = show_char,
	.form = "one of ! # $ % & ' * + - / = ? ^ _ ` { | } ~ . or \"\"" },
T_TLS = WORD(tls_levels),
T_UNKNOWN = WORD(unknowns),
T_BARE_NEWLINE = WORD(bare_newlines),
T_TLS_MIN = { .name = "version", .set = set_enum, .show = show_enum,
	.words = tls_mins },
T_LISTEN_TLS = WORD(listen_tls),
T_OUTBOUND = WORD(outbounds),
T_PROFILE = { .name = "name", .set = set_name, .show = string_show,
	.form = "lower-case letters, digits, - and _, at most 32" },
T_PROTOCOL = WORD(protocols),
T_FAMILY = WORD(families),
T_TRUST = WORD(trusts),
T_REWRITE = WORD(rewrites),
T_RETURN = WORD(copy_returns),
T_EIGHTBIT = WORD(eightbits),
T_GUARD = WORD(guards),
T_SENDERS = WORD(senders),
T_NO_ANSWER = WORD(no_answers),
T_SPF_FAIL = WORD(spf_fails),
T_SPF_TEMPERROR = WORD(spf_temperrors),
T_STRING = { .name = "text", .set = set_string, .show = string_show,
	.form = "printable characters, at most 200" },
T_FINGERPRINTS = { .name = "fingerprint", .set = set_fingerprint, .show = show_texts,
	.form = "the 64 hex digits of a SHA-256, with or without colons",
	.element = sizeof(char *) },
T_ENGINE = { .name = "word", .set = set_word, .show = string_show,
	.words = engines },
T_LEVEL = WORD(levels);
/* clang-format on */

_Static_assert(sizeof(enum tls_level) == sizeof(int) &&
		   sizeof(enum unknown) == sizeof(int) &&
		   sizeof(enum bare_newline) == sizeof(int) &&
		   sizeof(enum log_level) == sizeof(int),
    "set_enum() writes an int");
