/* SPDX-License-Identifier: ISC
 *
 * An audit index in a directory of its own, a made-up journal before it, and
 * a clock that stands still: what the tests of the audit trail share.
 */
#ifndef TESTS_UNIT_AUDITFIXTURE_H
#define TESTS_UNIT_AUDITFIXTURE_H

#include "relay/audit/verify/conserve.h"
#include "relay/audit/search/search.h"
#include "tests/unit/fakejournal.h"

/* 2026-11-22T05:12:17Z */
#define T0 INT64_C(1795324337000000)
#define MINUTE INT64_C(60000000)
#define HOUR (60 * MINUTE)

enum { STEP_MS = 250 };

struct fixture {
	char dir[40], index[64], events[64];
	struct conf conf;
	struct names *names;
	uint16_t legacy, cloud;
	struct clock_fake clock;
	struct fakejournal j;
	struct projector *p;
	struct strbuf found; /* of trace(): an event a line */
	unsigned founds;
	bool more;
};

extern const char *const ann[]; /* "Ann@example.com" */

int setup(void **state);
int teardown(void **state);
void remove_dir(const char *dir); /* and the files in it */

void open_projector(struct fixture *f);
void close_projector(struct fixture *f);
void steps(struct fixture *f, int n);
/* A process life: takes in all that is visible, seals what is over, ends. */
void run(struct fixture *f);

/* The output of `trace`; borrowed until the next call. */
const char *trace(struct fixture *f, struct search q);
unsigned count(const char *text, const char *what);
/* events.jsonl; the caller frees. */
char *read_events(struct fixture *f);
unsigned count_events(struct fixture *f, const char *what);
/* The recount; the last recipient that is lost into `lost`. */
void verify(struct fixture *f, struct conserve *out, char lost[64]);

/* The state after an attempt of the first delivery, on cloud. */
struct spool_delivery now(struct fixture *f, enum dstate state,
    unsigned attempts);
void sent(struct fixture *f, uint64_t id, int64_t at, enum dstate old,
    enum dstate state, unsigned attempts);
/* `n` messages, each accepted, deferred once and delivered. */
void usual_mail(struct fixture *f, unsigned n, int64_t apart);
/* All of that is in the index once, and in balance. */
void assert_all_once(struct fixture *f, unsigned messages, int64_t apart);
/* Every line of it stands in events.jsonl, whole, at least once. */
void assert_lines(struct fixture *f, unsigned messages);

#endif
