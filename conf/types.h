/* SPDX-License-Identifier: ISC
 *
 * The types of parameters: each reads a text into its field and shows the
 * field as text again. A list field is a pointer and the int count behind it;
 * its elements are read one after another. Pure functions; memory comes from
 * the snapshot's arena. Any thread.
 */
#ifndef CONF_TYPES_H
#define CONF_TYPES_H

#include "conf/conf.h"
#include "relay/base/mem.h"

struct conf_param;

/* Where one value goes. */
struct slot {
	struct arena *arena;
	const struct conf_param *param; /* its type, range and name */
	void *field;
	int index, count; /* of a list: this element of so many */
};

struct conf_type {
	const char *name; /* what the manual calls it: "duration" */
	const char *form; /* "write …": how it is written         */
	/* 0, or -1 and err->text: what is wrong with the value and what
	 * would be right, to stand behind `key "value" `. */
	int (*set)(const struct slot *s, const char *text, struct error *err);
	void (*show)(const struct conf_param *p, const void *field,
	    struct strbuf *out);
	void (*number)(int64_t v, struct strbuf *out); /* has a range */
	size_t element; /* list: size of one element, else 0 */
	const char *const *words; /* of an enum, NULL at the end */
	int port;	/* of hosts: when none is written */
	bool bare;	/* written without quotes */
	bool addresses;	/* of hosts: names are refused; port 0 is a free one */
};

/* When a changed value takes effect after a reload. */
enum effect { LIVE, NEW_SESSIONS, RESTART };

/* A row of the table of parameters (schema.h). */
struct conf_param {
	unsigned in; /* sections that have it, a bit each */
	const char *name;
	const struct conf_type *type;
	size_t offset;	 /* in conf, or in the struct of its section */
	const char *def; /* a list's elements stand with blanks between */
	int64_t min, max; /* of a number: in ms, bytes or ones */
	enum effect effect;
	const char *example; /* in the sample instead of the default */
	const char *help;    /* whole sentences */
};

extern const struct conf_type T_BOOL, T_INT, T_COUNT, T_DURATION, T_DURATIONS,
    T_SIZE, T_PATH, T_FILE, T_PATHS, T_CERTIFICATES, T_DOMAIN, T_DOMAINS,
    T_MAILBOX, T_ADDRESS, T_NETS, T_HOSTS, T_LISTEN, T_RESOLVERS, T_NAME,
    T_ROUTE, T_CHAR, T_TLS, T_UNKNOWN, T_BARE_NEWLINE, T_TLS_MIN, T_PROFILE,
    T_ENGINE, T_LEVEL, T_PROTOCOL, T_FAMILY, T_TRUST, T_REWRITE,
    T_RETURN, T_EIGHTBIT,
    T_GUARD, T_SENDERS, T_NO_ANSWER, T_SPF_FAIL, T_SPF_TEMPERROR,
    T_LISTEN_TLS, T_OUTBOUND, T_STRING, T_FINGERPRINTS, T_NAMES,
    T_BLACKOUTS;

/* "FILE:LINE: …"; returns -1. */
int error_at(struct error *err, const char *file, int line, const char *fmt,
    ...) PH_PRINTF(4, 5);
/* The element of a list field that `s` is for; makes the list with the first
 * one. */
void *slot_element(const struct slot *s);
/* A list field as `{ "a", "b" }`: `show` prints one element. */
void list_show(const struct conf_param *p, const void *field,
    struct strbuf *out,
    void (*show)(const struct conf_param *p, const void *element,
	struct strbuf *out));
/* A string field, in quotes. */
void string_show(const struct conf_param *p, const void *field,
    struct strbuf *out);
/* "none, may, encrypt or verify" */
void words_list(const char *const *words, struct strbuf *out);
/* The bounds of a number in the unit it is written in; false: it has none. */
bool param_range(const struct conf_param *p, struct strbuf *out);
/* The name of a leg, an egress or a listener. */
bool conf_name_ok(const char *s);

#endif
