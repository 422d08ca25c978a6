/* SPDX-License-Identifier: ISC
 *
 * A helper for tests: a function of the test's evaluates, later, as the true
 * process does. A program that links it does not get the true one.
 */
#ifndef TESTS_UNIT_FAKEHELPER_H
#define TESTS_UNIT_FAKEHELPER_H

#include "relay/base/loop.h"
#include "relay/spf/spf_helper.h"
#include "relay/spf/spf_wire.h"

/* Fills *r, which is zeroed. False: there is no answer. */
typedef bool (*fakehelper_fn)(void *arg, const struct spf_request *q,
    struct spf_reply *r);

struct spf_helper *fakehelper_new(struct loop *l, fakehelper_fn fn, void *arg);
int fakehelper_asked(const struct spf_helper *h);
int fakehelper_pending(const struct spf_helper *h);

#endif
