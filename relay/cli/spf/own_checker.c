/* SPDX-License-Identifier: ISC
 *
 * Runs the daemon's driver of SPF on a loop of the command line.
 */
#include "relay/cli/spf/own_checker.h"

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_helper.h"

struct own_checker {
	struct loop *loop;
	struct dns *dns;
	struct spf_starter starter;
	struct spf_helper *helper;
	struct spf_checker *checker;
	char program[SPF_PROGRAM_BYTES];
	/* of the check that is waited for */
	void (*told)(void *arg, const struct spf_checked *found);
	void *arg;
};

struct own_checker *own_checker_new(struct cli *c)
{
	const struct conf *conf = cli_conf(c);
	struct own_checker *o;
	struct spf_helper_config h = {0};
	struct error err;

	if (conf == NULL)
		return NULL;
	o = NEW(struct own_checker);
	if (!spf_program_find(o->program)) {
		cli_fail(c, "%s is not there: install it, or run posthouse "
			    "from the folder that has posthouse-spf",
		    o->program);
		own_checker_free(o);
		return NULL;
	}
	o->loop = loop_new(&clock_system);
	o->dns = dns_new(o->loop, conf, &err);
	if (o->dns == NULL) {
		cli_fail(c, "resolver: %s", err.text);
		own_checker_free(o);
		return NULL;
	}
	o->starter = spf_starter_fork(o->program);
	h.loop = o->loop;
	h.starter = &o->starter;
	o->helper = spf_helper_new(&h);
	o->checker = spf_checker_new(o->loop, o->dns, o->helper);
	return o;
}

void own_checker_free(struct own_checker *o)
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

static void on_done(void *arg, const struct spf_checked *found)
{
	struct own_checker *o = arg;

	o->told(o->arg, found);
	loop_stop(o->loop);
}

void own_checker_run(struct own_checker *o, const struct spf_subject *s,
    void (*told)(void *arg, const struct spf_checked *found), void *arg)
{
	struct spf_wait wait = {.done = on_done, .arg = o};
	const struct spf_checked *found;

	o->told = told;
	o->arg = arg;
	list_node_init(&wait.node);
	found = spf_check(o->checker, s, &wait);
	if (found != NULL)
		told(arg, found);
	else
		loop_run(o->loop);
}
