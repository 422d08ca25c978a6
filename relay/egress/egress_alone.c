/* SPDX-License-Identifier: ISC
 *
 * See egress_alone.h.
 */
#include "relay/egress/egress_alone.h"

struct judging {
	struct egress_judged *out;
	bool done;
};

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct judging *w = arg;

	*w->out = *judged;
	w->done = true;
}

void egress_judge_alone(struct spf_alone *o, const struct egress_subject *s,
    struct egress_judged *judged_out)
{
	struct egress_judge *j = egress_judge_new(spf_alone_loop(o),
	    spf_alone_dns(o), spf_alone_checker(o));
	struct judging w = {.out = judged_out};
	struct egress_question *q;
	const struct egress_judged *judged = egress_judge(j, s, on_judged, &w,
	    &q);

	if (judged != NULL)
		*judged_out = *judged;
	else
		spf_alone_wait(o, &w.done);
	egress_judge_free(j);
}
