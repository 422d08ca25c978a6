/* SPDX-License-Identifier: ISC
 *
 * An alarm as a message of our own: plain text, one subject line.
 */
#include "relay/delivery/alarm_mail.h"

#include "relay/base/mem.h"
#include "relay/base/utf8.h"
#include "relay/delivery/own_mail.h"
#include "relay/post/call.h"

/* On its way to the worker. */
struct alarm_mail {
	struct worker *w;
	char *kind, *about, *text;
	unsigned unsaid, others;
};

/* In a header field: printable ASCII alone. */
static void add_plain(struct strbuf *out, const char *text)
{
	for (; *text != '\0'; text++)
		strbuf_addc(out, *text >= 0x20 && *text < 0x7f ? *text : '?');
}

static void add_line(struct strbuf *out, const char *text)
{
	utf8_show(slice_str(text), out);
	strbuf_adds(out, "\r\n");
}

static void print_header(const struct alarm_mail *m, const char *id,
    struct strbuf *out)
{
	const struct conf *c = m->w->snapshot->conf;
	char date[CLOCK_RFC5322_MAX];

	clock_rfc5322(clock_wall_us(m->w->shared->clock), date);
	strbuf_addf(out, "From: Posthouse <%s>\r\nTo: <%s>\r\nSubject: ",
	    c->postmaster, c->alarm.mail);
	strbuf_addf(out, "[%s] %s: ", c->hostname, m->kind);
	add_plain(out, m->about);
	strbuf_addf(out, "\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n", date, id, c->hostname);
}

static void print_message(const void *arg, const char *id, struct strbuf *out)
{
	const struct alarm_mail *m = arg;

	print_header(m, id, out);
	add_line(out, m->text);
	strbuf_addf(out, "\r\nKind:  %s\r\nAbout: ", m->kind);
	add_line(out, m->about);
	strbuf_addf(out, "Host:  %s\r\n", m->w->snapshot->conf->hostname);
	if (m->unsaid != 0)
		strbuf_addf(out, "\r\nThe same came %u time%s since it was "
		    "told last.\r\n", m->unsaid, m->unsaid == 1 ? "" : "s");
	if (m->others != 0)
		strbuf_addf(out, "\r\n%u other alarm%s had to be left out; "
		    "the audit trail has %s.\r\n", m->others,
		    m->others == 1 ? "" : "s", m->others == 1 ? "it" : "them");
}

/* On the worker's loop. */
static void send_mail(void *arg)
{
	struct alarm_mail *m = arg;
	const char *to = m->w->snapshot->conf->alarm.mail;

	if (to[0] != '\0' && !atomic_load(&m->w->shared->stopping))
		own_mail_send(m->w, "an alarm", to, print_message, m);
	mem_free(m->kind);
	mem_free(m->about);
	mem_free(m->text);
	mem_free(m);
}

void alarm_mail_post(struct worker *w, const struct alarm_told *told)
{
	struct alarm_mail *copy = NEW(struct alarm_mail);

	*copy = (struct alarm_mail){.w = w, .kind = mem_strdup(told->kind),
	    .about = mem_strdup(told->about), .text = mem_strdup(told->text),
	    .unsaid = told->unsaid, .others = told->others};
	call_post(&w->box, W_CALL, send_mail, copy);
}
