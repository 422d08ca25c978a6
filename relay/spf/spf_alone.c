/* SPDX-License-Identifier: ISC
 *
 * Runs the daemon's driver of SPF on a loop of its own.
 */
#include "relay/spf/spf_alone.h"

#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_helper.h"

enum { TURN_MS = 1000 };

struct spf_alone {
	struct loop *loop;
	struct dns *dns;
	struct spf_starter starter;
	struct spf_helper *helper;
	struct spf_checker *checker;
	char program[SPF_PROGRAM_BYTES];
	/* of the check that is waited for */
	bool done;
	void (*told)(void *arg, const struct spf_checked *found);
	void *arg;
};

static int begin(struct spf_alone *o, const struct conf *c, struct error *err)
{
	struct spf_helper_config h = {0};
	struct error why;

	if (!spf_program_find(o->program))
		return error_set(err, "%s is not there: install it, or run "
		    "this program from the folder that has posthouse-spf",
		    o->program);
	o->loop = loop_new(&clock_system);
	o->dns = dns_new(o->loop, c, &why);
	if (o->dns == NULL)
		return error_set(err, "resolver: %s", why.text);
	o->starter = spf_starter_fork(o->program);
	h.loop = o->loop;
	h.starter = &o->starter;
	o->helper = spf_helper_new(&h);
	o->checker = spf_checker_new(o->loop, o->dns, o->helper, NULL);
	return 0;
}

struct spf_alone *spf_alone_new(const struct conf *c, struct error *err)
{
	struct spf_alone *o = NEW(struct spf_alone);

	if (begin(o, c, err) == 0)
		return o;
	spf_alone_free(o);
	return NULL;
}

void spf_alone_free(struct spf_alone *o)
{
	if (o == NULL)
		return;
	spf_checker_free(o->checker);
	spf_helper_free(o->helper);
	if (o->dns != NULL)
		dns_free(o->dns);
	if (o->loop != NULL)
		loop_free(o->loop);
	mem_free(o);
}

struct loop *spf_alone_loop(struct spf_alone *o)
{
	return o->loop;
}

struct dns *spf_alone_dns(struct spf_alone *o)
{
	return o->dns;
}

struct spf_checker *spf_alone_checker(struct spf_alone *o)
{
	return o->checker;
}

static void on_done(void *arg, const struct spf_checked *found)
{
	struct spf_alone *o = arg;

	o->told(o->arg, found);
	o->done = true;
}

void spf_alone_wait(struct spf_alone *o, const bool *done)
{
	while (!*done)
		loop_once(o->loop, TURN_MS);
}

void spf_alone_run(struct spf_alone *o, const struct spf_subject *s,
    void (*told)(void *arg, const struct spf_checked *found), void *arg)
{
	struct spf_wait wait = {.done = on_done, .arg = o};
	const struct spf_checked *found;

	o->told = told;
	o->arg = arg;
	o->done = false;
	list_node_init(&wait.node);
	found = spf_check(o->checker, s, &wait);
	if (found != NULL)
		told(arg, found);
	else
		spf_alone_wait(o, &o->done);
}
