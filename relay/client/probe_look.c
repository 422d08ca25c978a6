/* SPDX-License-Identifier: ISC
 *
 * One connection of a probe: what is said on it, and how it ends. One worker's
 * loop.
 */
#include "relay/client/probe_int.h"

enum { FAREWELL_MS = 2000 };

int64_t look_now_ms(const struct probe_look *k)
{
	return loop_now_ms(k->probe->client->cfg.loop);
}

const struct client_probe *probe_job(const struct probe_look *k)
{
	return k->probe->job;
}

void look_hang_up(struct probe_look *k)
{
	stream_free(k->stream);
	k->stream = NULL;
	defer_cancel(&k->later);
	defer_cancel(&k->again);
	reply_parser_fini(&k->reply);
}

void look_close(struct probe_look *k)
{
	if (k->probe == NULL)
		return;
	look_hang_up(k);
	k->probe->open--;
}

bool look_in_clear(struct probe_look *k, const char *problem)
{
	const struct conf_leg *leg = k->probe->job->leg;

	if (leg->tls > TLS_MAY || leg->auth_user[0] != '\0' || k->in_clear ||
	    (k->stage != STAGE_STARTTLS && k->stage != STAGE_TLS))
		return false;
	k->in_clear = true;
	k->row->note = probe_say(k->probe->job, "mail goes in the clear: %s",
	    problem);
	return true;
}

void probe_end_look(struct probe_look *k, const char *problem)
{
	struct probe *p = k->probe;

	if (problem != NULL && look_in_clear(k, problem)) {
		look_hang_up(k);
		loop_defer(p->client->cfg.loop, &k->again);
		return;
	}
	if (problem != NULL && k->row->problem[0] == '\0')
		k->row->problem = problem;
	k->row->stage = k->stage == STAGE_QUIT ? STAGE_DONE : k->stage;
	probe_judge(p->job, k->row);
	look_close(k);
	k->probe = NULL;
	if (p->open == 0)
		loop_defer(p->client->cfg.loop, &p->over);
}

int64_t look_timeout(const struct probe_look *k)
{
	const struct client_probe *job = k->probe->job;
	int64_t ms;

	if (k->stage == STAGE_QUIT)
		return FAREWELL_MS;
	ms = stages_timeout(job->leg, k->stage);
	return ms < job->timeout_ms ? ms : job->timeout_ms;
}

void probe_enter(struct probe_look *k, enum stage stage, const char *verb,
    const char *arg)
{
	struct strbuf *out = stream_out(k->stream);

	k->stage = stage;
	k->since_ms = look_now_ms(k);
	if (verb != NULL)
		strbuf_addf(out, "%s%s\r\n", verb, arg);
	if (out->n > 0)
		stream_flush(k->stream);
	stream_deadline(k->stream, look_timeout(k));
}

const char *probe_reply(const struct probe_look *k)
{
	return wire_one_line(
	    k->probe->job->arena, strbuf_view(&k->reply.text));
}
