/* SPDX-License-Identifier: ISC
 *
 * Verdicts that one worker has found serve the others, and not those that ask
 * the DNS elsewhere.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/spf/shared_verdicts.h"

enum { MIB = 1 << 20, FOR_MS = 1000, THREADS = 4, DOMAINS = 200, PASSES = 20 };

static struct spf_identity identity(int domain)
{
	struct spf_identity i;
	struct netaddr client;
	char sender[64];
	struct spf_subject s = {.client = &client, .helo = SLICE("mx.example")};

	snprintf(sender, sizeof(sender), "ann@d%d.example", domain);
	s.sender = slice_str(sender);
	assert_int_equal(netaddr_parse(&client, SLICE("192.0.2.1"), 25), 0);
	assert_true(spf_identity_make(&s, &i));
	i.helo = SLICE("mx.example");
	i.local = SLICE("ann");
	return i;
}

/* Each domain has a mechanism of its own, so that a mix-up is seen. */
static void put(struct shared_verdicts *s, uint64_t epoch, int domain,
    int64_t now_ms)
{
	struct spf_identity i = identity(domain);
	struct spf_verdict v = {.result = SPF_PASS,
	    .domain = slice_str(i.domain), .problem = SLICE("")};
	char text[64];

	snprintf(text, sizeof(text), "ip4:192.0.2.%d", domain);
	v.mechanism = slice_str(text);
	shared_verdicts_put(s, &(struct verdict_now){epoch, now_ms}, &i,
	    &(struct verdict_found){&v, 0, FOR_MS, false});
}

static bool is_its_own(const struct verdict_copy *c, int domain)
{
	char text[64];

	snprintf(text, sizeof(text), "ip4:192.0.2.%d", domain);
	return c->verdict.result == SPF_PASS &&
	       slice_eq(c->verdict.mechanism, slice_str(text)) &&
	       c->verdict.domain.n > 0;
}

static bool find(struct shared_verdicts *s, uint64_t epoch, int domain,
    int64_t now_ms)
{
	struct spf_identity i = identity(domain);
	struct verdict_copy c = {.verdict.result = SPF_NONE};
	bool known = shared_verdicts_find(s,
	    &(struct verdict_now){epoch, now_ms}, &i, false, &c);

	assert_true(!known || is_its_own(&c, domain));
	verdict_copy_fini(&c);
	return known;
}

static void a_verdict_is_known_until_its_time_is_over(void **state)
{
	struct shared_verdicts *s = shared_verdicts_new(MIB);

	(void)state;
	assert_false(find(s, 0, 1, 0));
	put(s, 0, 1, 0);
	assert_true(find(s, 0, 1, FOR_MS - 1));
	assert_false(find(s, 0, 2, FOR_MS - 1));
	assert_false(find(s, 0, 1, FOR_MS));
	assert_int_equal(shared_verdicts_bytes(s), 0);
	shared_verdicts_free(s);
}

/* The asker's copy, while another worker has the verdict replaced. */
static void a_copy_outlives_the_verdict(void **state)
{
	struct shared_verdicts *s = shared_verdicts_new(MIB);
	struct spf_identity i = identity(1);
	struct verdict_copy c = {.verdict.result = SPF_NONE};

	(void)state;
	put(s, 0, 1, 0);
	assert_true(shared_verdicts_find(s, &(struct verdict_now){0, 1}, &i,
	    false, &c));
	put(s, 0, 1, 1);
	shared_verdicts_free(s);
	assert_true(is_its_own(&c, 1));
	assert_string_equal(i.domain, "d1.example");
	assert_true(slice_eq(c.verdict.domain, SLICE("d1.example")));
	verdict_copy_fini(&c);
}

/* A worker that has not taken the new servers yet neither sees nor spoils what
 * is found there. */
static void other_servers_have_verdicts_of_their_own(void **state)
{
	struct shared_verdicts *s = shared_verdicts_new(MIB);

	(void)state;
	put(s, 1, 1, 0);
	assert_false(find(s, 2, 1, 0));
	assert_false(find(s, 1, 1, 0)); /* forgotten by the new epoch */
	put(s, 1, 1, 0);
	assert_false(find(s, 1, 1, 0));
	assert_int_equal(shared_verdicts_bytes(s), 0);
	put(s, 2, 1, 0);
	assert_true(find(s, 2, 1, 0));
	assert_false(find(s, 1, 1, 0));
	shared_verdicts_free(s);
}

static void the_ceiling_holds_for_all_parts(void **state)
{
	struct shared_verdicts *s = shared_verdicts_new(MIB / 4);
	int known = 0;

	(void)state;
	for (int d = 0; d < 4000; d++) {
		put(s, 0, d, 0);
		assert_true(shared_verdicts_bytes(s) <= MIB / 4);
	}
	assert_true(shared_verdicts_bytes(s) > MIB / 5);
	for (int d = 0; d < 4000; d++)
		known += find(s, 0, d, 1);
	assert_in_range(known, 200, 3900);
	assert_true(find(s, 0, 3999, 1));
	shared_verdicts_free(s);
}

struct asker {
	struct shared_verdicts *s;
	int first, known;
	bool wrong;
};

/* The main thread judges what it sees. */
static void *run_worker(void *arg)
{
	struct asker *a = arg;
	struct verdict_copy c = {.verdict.result = SPF_NONE};

	for (int n = 0; n < DOMAINS * PASSES; n++) {
		int d = (n + a->first) % DOMAINS;
		struct verdict_now now = {(uint64_t)(n / DOMAINS / 5), 0};
		struct spf_identity i = identity(d);

		if (!shared_verdicts_find(a->s, &now, &i, false, &c)) {
			put(a->s, now.epoch, d, 0);
			continue;
		}
		a->known++;
		a->wrong |= !is_its_own(&c, d);
	}
	verdict_copy_fini(&c);
	return NULL;
}

/* For the thread sanitizer, too; they change to other servers meanwhile. */
static void workers_share_what_they_found(void **state)
{
	struct shared_verdicts *s = shared_verdicts_new(MIB);
	struct asker asker[THREADS];
	pthread_t thread[THREADS];
	int known = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		asker[i] = (struct asker){.s = s,
		    .first = i * DOMAINS / THREADS};
		assert_int_equal(pthread_create(&thread[i], NULL, run_worker,
		    &asker[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		assert_false(asker[i].wrong);
		known += asker[i].known;
	}
	/* Those of the slowest are forgotten when the first one goes on. */
	assert_in_range(known, DOMAINS * 4, THREADS * DOMAINS * PASSES);
	shared_verdicts_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_is_known_until_its_time_is_over),
		cmocka_unit_test(a_copy_outlives_the_verdict),
		cmocka_unit_test(other_servers_have_verdicts_of_their_own),
		cmocka_unit_test(the_ceiling_holds_for_all_parts),
		cmocka_unit_test(workers_share_what_they_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
