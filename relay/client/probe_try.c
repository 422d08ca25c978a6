/* SPDX-License-Identifier: ISC
 *
 * The last part of a probe: logs in where the leg wants it, and tries a
 * transaction without content, MAIL, RCPT, RSET. Only that shows that the leg
 * takes mail from us: many refuse an address of ours, a missing connector or
 * a certificate there and not before. One worker's loop.
 */
#include "relay/client/probe_int.h"

static void refused(struct probe_look *k, const char *command)
{
	const struct client_probe *job = probe_job(k);
	const char *text = k->stage == STAGE_AUTH || k->stage == STAGE_RESPONSE
			       ? login_hide(&k->login, probe_reply(k))
			       : probe_reply(k);

	probe_end_look(k, probe_say(job, "%s was answered %d %s: %s", command,
	    k->reply.code, k->reply.enh, text));
}

static void send_mail(struct probe_look *k)
{
	const char *from = probe_job(k)->from;

	probe_enter(k, STAGE_MAIL, "MAIL FROM:",
	    probe_say(probe_job(k), "<%s>", from));
}

static void send_rcpt(struct probe_look *k)
{
	const char *to = probe_job(k)->to;

	probe_enter(k, STAGE_RCPT, "RCPT TO:",
	    probe_say(probe_job(k), "<%s>", to));
}

static void send_login(struct probe_look *k)
{
	const char *why = login_begin(&k->login, probe_job(k)->leg,
	    &k->row->ehlo, k->in_tls);

	if (why != NULL) {
		probe_end_look(k, probe_say(probe_job(k), "%s: have one of "
		    "them switched on there, or remove auth_user", why));
		return;
	}
	login_command(&k->login, stream_out(k->stream));
	probe_enter(k, STAGE_AUTH, NULL, "");
}

void probe_try(struct probe_look *k)
{
	const char *stops = probe_stops(probe_job(k), k->row);

	if (stops != NULL) {
		k->row->problem = stops;
		probe_enter(k, STAGE_QUIT, "QUIT", "");
	} else if (probe_job(k)->leg->auth_user[0] != '\0') {
		send_login(k);
	} else {
		send_mail(k);
	}
}

static void on_login(struct probe_look *k)
{
	if (k->reply.code == 235) {
		send_mail(k);
	} else if (login_has_more(&k->login, k->reply.code)) {
		login_respond(&k->login, stream_out(k->stream));
		probe_enter(k, STAGE_RESPONSE, NULL, "");
	} else {
		refused(k, "the login");
	}
}

static void on_rcpt(struct probe_look *k)
{
	const char *to = probe_job(k)->to;

	if (k->reply.code / 100 == 2)
		probe_enter(k, STAGE_RSET, "RSET", "");
	else
		refused(k, probe_say(probe_job(k), "RCPT TO:<%s> (--to names "
		    "another)", to));
}

void probe_try_reply(struct probe_look *k)
{
	switch (k->stage) {
	case STAGE_AUTH:
	case STAGE_RESPONSE:
		on_login(k);
		break;
	case STAGE_MAIL:
		if (k->reply.code / 100 == 2)
			send_rcpt(k);
		else
			refused(k, probe_say(probe_job(k), "MAIL FROM:<%s>",
			    probe_job(k)->from));
		break;
	case STAGE_RCPT:
		on_rcpt(k);
		break;
	case STAGE_RSET:
		probe_enter(k, STAGE_QUIT, "QUIT", "");
		break;
	default:
		probe_end_look(k, NULL);
		break;
	}
}
