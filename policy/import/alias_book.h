/* SPDX-License-Identifier: ISC
 *
 * The aliases of one virtual map: an alias may lead to another one, and stands
 * before or after it, so all are kept until the end. Some 150 bytes each. Pure.
 */
#ifndef POLICY_IMPORT_ALIAS_BOOK_H
#define POLICY_IMPORT_ALIAS_BOOK_H

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum {
	ALIAS_BOOK_MAX = 4000000, /* aliases */
	ALIAS_STEPS_MAX = 32,	  /* from one to its end */
};

/* Keys are in canonical form. A text that is not given is NULL. */
struct alias {
	const char *key;
	const char *to;	    /* another address of ours; NULL: it ends here */
	const char *kind;   /* a tag: "kind=group"; NULL: none */
	const char *leg;    /* that has it under another name; NULL */
	const char *at_leg; /* … which is that; NULL */
	uint64_t line;
	/* Set by alias_book_resolve(). */
	bool meant; /* another one ends here */
	const struct alias *end; /* NULL: `to` is in no line */
	const char *mailbox;	 /* the key of the last address */
};

struct alias_book;

struct alias_book *alias_book_new(void);
void alias_book_free(struct alias_book *b);
/* Copies keys; `kind` and `leg` outlive the book. -1: the book is full. */
int alias_book_add(struct alias_book *b, const struct alias *a,
    struct error *err) PH_CHECK;
/* Follows each alias to its end. Calls `each` for all of them in order of
 * keys, or `fault` for those that cannot be: they contradict another line, or
 * lead in a circle. */
struct alias_book_visit {
	void (*each)(void *arg, const struct alias *a);
	void (*fault)(void *arg, uint64_t line, const char *why);
	void *arg;
};
void alias_book_resolve(struct alias_book *b,
    const struct alias_book_visit *v);

#endif
