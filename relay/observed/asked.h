/* SPDX-License-Identifier: ISC
 *
 * Legs that were asked about recipients, in observed.db: askings (the
 * preflight of a wave, a comparison of two legs), the rows of each, and what
 * the legs answered, which shadows add to. An asking goes on after a restart
 * from its rows. The owner of the handle is the thread; where nothing else is
 * said, 0 or -1 and `err` is returned.
 */
#ifndef RELAY_OBSERVED_ASKED_H
#define RELAY_OBSERVED_ASKED_H

#include "relay/base/mem.h"
#include "relay/observed/observed.h"

/* The numbers are stored. */
enum asking_kind { ASKING_WAVE = 1, ASKING_COMPARE = 2 };
enum asked_kind {
	ASKED_MEMBER = 0,
	ASKED_ALIAS = 1,  /* of a member's mailbox, and itself no member */
	ASKED_RANDOM = 2, /* a name that cannot exist, at "@domain" */
};

struct asking {
	int64_t number;
	enum asking_kind kind;
	const char *about; /* the wave, or the leg that is compared */
	int64_t created_us; /* of that wave: another may get its name */
	const char *route; /* what the wave is to get; the other leg */
	const char *old;   /* the legs that its members have, a blank between */
	const char *who;
	int64_t started_us, ended_us; /* ended 0: it is under way */
	int stop;	    /* enum preflight_stop, why it ended early */
	const char *reason; /* … in words; "" */
	const char *notes;  /* what was seen beside, a line each; "" */
};

struct asked_row {
	const char *leg, *address;
	const char *said; /* the address as the leg is told it */
	enum asked_kind kind;
	const char *tag; /* "group", "room": of its tag `kind`; "" */
	unsigned tries;
	bool settled;
	/* The last answer about `said`; at_us 0: there is none. */
	int64_t at_us;
	int class; /* enum preflight_class */
	int code;
	const char *enh, *reply;
	int random_class; /* that to the random name of its domain; 0 */
};

/* Under way from now on; a number, or -1. `old` is said by asking_old(). */
int64_t asking_add(struct observed *o, const struct asking *a,
    struct error *err);
/* Inside the transaction that adds it. */
int asking_old(struct observed *o, int64_t number, const char *old,
    struct error *err) PH_CHECK;
/* Not yet asked; one that is there stays. */
struct asking_writer;
struct asking_writer *asking_writer_new(struct observed *o, int64_t number,
    struct error *err) PH_CHECK;
int asking_put_row(struct asking_writer *w, const struct asked_row *row,
    struct error *err) PH_CHECK;
void asking_writer_free(struct asking_writer *w); /* NULL is fine */
int asking_end(struct observed *o, const struct asking *a,
    struct error *err) PH_CHECK;
/* 1 and it, 0, -1. Texts live in `a`. The newest that fits: by its number (not
 * 0), or of that kind about that name. */
struct asking_which {
	int64_t number;
	enum asking_kind kind;
	const char *about;
};
int asking_get(struct observed *o, const struct asking_which *w,
    struct arena *a, struct asking *asking_out, struct error *err) PH_CHECK;
/* The oldest behind `after` that is under way: 1, 0, -1. */
int asking_next(struct observed *o, int64_t after, struct arena *a,
    struct asking *asking_out, struct error *err) PH_CHECK;

struct asking_counts {
	uint64_t rows, settled;
};
int asking_count(struct observed *o, int64_t number,
    struct asking_counts *out, struct error *err) PH_CHECK;

/* Rows with their answers, which live until `fn` returns: 0 or more, or -1.
 * Of one leg those that may be asked at `due_us`, random names first (leg not
 * NULL); else all, in order of address and leg. */
struct asked_page {
	int64_t number;
	const char *leg;
	int64_t due_us;
	unsigned limit;
	bool fails; /* leg NULL: those alone that are unknown or refused */
	void (*fn)(void *arg, const struct asked_row *row);
	void *arg;
};
int asked_rows(struct observed *o, const struct asked_page *page,
    struct error *err) PH_CHECK;
/* When the next of that leg is due; INT64_MAX: none is left. */
int asked_next_due(struct observed *o, int64_t number, const char *leg,
    int64_t *due_us_out, struct error *err) PH_CHECK;
/* Settles a row, or has it asked again at `again_us`. */
int asked_mark(struct observed *o, int64_t number,
    const struct asked_row *row, int64_t again_us, struct error *err)
    PH_CHECK;
/* The last answer: leg, said, at_us, class, code, enh and reply. */
int asked_answer(struct observed *o, const struct asked_row *row,
    struct error *err) PH_CHECK;
/* 1 and those fields, with random_class, texts in `a`; 0; -1. */
int asked_find(struct observed *o, struct asked_row *row, struct arena *a,
    struct error *err) PH_CHECK;

/* Why a leg is asked no more by itself, until a person has it asked. */
struct asked_stop {
	int64_t at_us;
	int stop;
	const char *reason;
};
int asked_stop_put(struct observed *o, const char *leg,
    const struct asked_stop *stop, struct error *err) PH_CHECK;
/* The legs of that asking may be asked again. */
int asked_stop_forgive(struct observed *o, int64_t number,
    struct error *err) PH_CHECK;
/* 1, 0, -1. The reason lives in `a`. */
int asked_stop_get(struct observed *o, const char *leg, struct arena *a,
    struct asked_stop *out, struct error *err) PH_CHECK;

/* Answers and askings that ended before then go, some at a time. */
int asked_prune(struct observed *o, int64_t before_us, struct error *err)
    PH_CHECK;

#endif
