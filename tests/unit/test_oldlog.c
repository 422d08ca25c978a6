/* SPDX-License-Identifier: ISC
 *
 * Lines of the old server's logs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/oldlog/oldlog.h"

/* 2026-12-01 00:00 UTC */
#define NOW (INT64_C(1796083200) * 1000000)

static struct oldlog_columns columns;

/* A line that was read, as one text. */
static const char *shown(const struct oldlog_line *l)
{
	static const char *const kinds[] = {"unread", "other", "client",
	    "sender", "delivered", "refused", "end"};
	static char text[600];
	char time[CLOCK_RFC3339_MAX];

	clock_rfc3339(l->time_us, time);
	if (l->kind == OLDLOG_UNREAD || l->kind == OLDLOG_OTHER)
		return kinds[l->kind];
	snprintf(text, sizeof(text), "%s %.19s id=%.*s c=%.*s n=%.*s h=%.*s "
	    "f=%.*s t=%.*s o=%.*s %s %u", kinds[l->kind], time,
	    (int)l->id.n, l->id.p, (int)l->client.n, l->client.p,
	    (int)l->name.n, l->name.p, (int)l->helo.n, l->helo.p,
	    (int)l->from.n, l->from.p, (int)l->to.n, l->to.p,
	    (int)l->orig_to.n, l->orig_to.p, l->inside ? "in" : "-",
	    l->recipients);
	return text;
}

struct log_row {
	const char *line, *want;
};

static void assert_lines(const struct log_row *rows, size_t n,
    struct oldlog_line (*read)(struct slice line, struct oldlog_clock *c))
{
	struct oldlog_clock c = {.zone = &zone_utc, .now_us = NOW};

	for (size_t i = 0; i < n; i++) {
		struct oldlog_line l = read(slice_str(rows[i].line), &c);

		print_message("%s\n", rows[i].line);
		assert_string_equal(shown(&l), rows[i].want);
	}
}

#define AT "Nov 30 12:00:01 mx postfix/"
#define T "2026-11-30T12:00:01"

static void postfix_lines_are_read(void **state)
{
	static const struct log_row rows[] = {
		{AT "smtpd[7]: 4A5C1: client=scan.example[192.0.2.7]",
		    "client " T " id=4A5C1 c=192.0.2.7 n=scan.example h= f= t= "
		    "o= - 0"},
		{AT "submission/smtpd[7]: 4A5C1: client=unknown[2001:db8::7]",
		    "client " T " id=4A5C1 c=2001:db8::7 n= h= f= t= o= - 0"},
		{AT "smtpd[7]: 4A5C1: client=a[192.0.2.7], sasl_method=PLAIN, "
		    "sasl_username=ann", "other"},
		{AT "smtpd[7]: NOQUEUE: reject: RCPT from unknown[2001:db8::9]:"
		    " 554 5.7.1 <x@y.example>: Relay access denied; "
		    "from=<a@b.example> to=<x@y.example> proto=ESMTP "
		    "helo=<ylmf-pc>",
		    "refused " T " id=NOQUEUE c=2001:db8::9 n= h=ylmf-pc f= t= "
		    "o= - 0"},
		{AT "qmgr[9]: 4A5C1: from=<a@b.example>, size=9, nrcpt=2 "
		    "(queue active)",
		    "sender " T " id=4A5C1 c= n= h= f=a@b.example t= o= - 2"},
		{AT "qmgr[9]: 4A5C1: from=<>, size=9, nrcpt=1 (queue active)",
		    "sender " T " id=4A5C1 c= n= h= f= t= o= - 1"},
		{AT "virtual[3]: 4A5C1: to=<ann@example.com>, relay=virtual, "
		    "delay=0, dsn=2.0.0, status=sent (delivered to maildir)",
		    "delivered " T " id=4A5C1 c= n= h= f= t=ann@example.com o= "
		    "in 0"},
		{AT "local[3]: 4A5C1: to=<ann@mail.example.com>, "
		    "orig_to=<ann@example.com>, relay=local, delay=0, "
		    "dsn=2.0.0, status=sent (delivered to mailbox)",
		    "delivered " T " id=4A5C1 c= n= h= f= "
		    "t=ann@mail.example.com o=ann@example.com in 0"},
		{AT "lmtp[3]: 4A5C1: to=<ann@example.com>, relay=x[private/l], "
		    "delay=0, status=sent (250 2.0.0 Saved)",
		    "delivered " T " id=4A5C1 c= n= h= f= t=ann@example.com o= "
		    "in 0"},
		{AT "smtp[3]: 4A5C1: to=<x@y.example>, relay=h[192.0.2.1]:25, "
		    "delay=0, status=sent (250 ok)",
		    "delivered " T " id=4A5C1 c= n= h= f= t=x@y.example o= - "
		    "0"},
		{AT "local[3]: 4A5C1: to=<ann@example.com>, relay=local, "
		    "delay=0, status=sent (forwarded as 4A5C2)", "other"},
		{AT "local[3]: 4A5C1: to=<ann@example.com>, relay=local, "
		    "delay=0, status=deferred (status=sent )", "other"},
		{AT "qmgr[9]: 4A5C1: removed",
		    "end " T " id=4A5C1 c= n= h= f= t= o= - 0"},
		{"2026-11-30T13:00:01.5+01:00 mx postfix/qmgr[9]: 4A5C1: "
		    "removed", "end " T " id=4A5C1 c= n= h= f= t= o= - 0"},
		{AT "smtpd[7]: connect from scan.example[192.0.2.7]", "other"},
		{"Nov 30 12:00:01 mx dovecot: imap(ann): x", "other"},
		{"Nov 30 12:00:01 mx kernel: [1] x", "other"},
		{"", "unread"},
		{"Nov 30 12:00", "unread"},
		{"Nov 31 12:00:01 mx postfix/qmgr[9]: 4A5C1: removed",
		    "unread"},
		{"Now 30 12:00:01 mx postfix/qmgr[9]: 4A5C1: removed",
		    "unread"},
		{"2026-11-30 12:00:01 1aBcDe-000001-XY Completed", "unread"},
	};

	(void)state;
	assert_lines(rows, sizeof(rows) / sizeof(rows[0]), oldlog_postfix);
}

#define D "2026-11-30 12:00:01 "
#define ID "1aBcDe-000001-XY"

static void exim_lines_are_read(void **state)
{
	static const struct log_row rows[] = {
		{D ID " <= a@b.example H=scan.example (scan) [192.0.2.7]:4000 "
		    "P=esmtp S=9 id=x", "client " T " id=" ID " c=192.0.2.7 "
		    "n=scan.example h=scan f=a@b.example t= o= - 1"},
		{D ID " <= <> H=([192.0.2.5]) [2001:db8::7] P=smtp S=9",
		    "client " T " id=" ID " c=2001:db8::7 n= h=[192.0.2.5] f= "
		    "t= o= - 1"},
		{D "+0100 [77] " ID " <= <> H=[192.0.2.7] P=smtp S=9",
		    "client 2026-11-30T11:00:01 id=" ID " c=192.0.2.7 n= h= f= "
		    "t= o= - 1"},
		{D ID " <= a@b.example H=x [192.0.2.7] P=esmtpa A=login:ann "
		    "S=9", "other"},
		{D ID " <= root@b.example U=root P=local S=9", "other"},
		{D ID " => ann <ann@example.com> R=local T=mail_spool",
		    "delivered " T " id=" ID " c= n= h= f= t=ann "
		    "o=ann@example.com in 0"},
		{D "1aBcDe-0000000001x-XY01 -> bob@example.com R=v T=lmtp",
		    "delivered " T " id=1aBcDe-0000000001x-XY01 c= n= h= f= "
		    "t=bob@example.com o= in 0"},
		{D ID " => x@y.example R=dnslookup T=remote_smtp "
		    "H=h.example [192.0.2.1]:25", "delivered " T " id=" ID
		    " c= n= h= f= t=x@y.example o= - 0"},
		{D ID " == ann@example.com R=r T=t defer (1): x", "other"},
		{D ID " ** x@y.example R=r T=t: 550 no", "other"},
		{D ID " Completed", "end " T " id=" ID " c= n= h= f= t= o= - "
		    "0"},
		{D "H=(ylmf-pc) [192.0.2.9] F=<a@b.example> rejected RCPT "
		    "<x@y.example>: relay not permitted",
		    "refused " T " id= c=192.0.2.9 n= h=ylmf-pc f= t= o= - 0"},
		{D "no host name found for IP address 192.0.2.9", "other"},
		{D, "other"},
		{"2026-11-31 12:00:01 x", "unread"},
		{"12:00:01 x", "unread"},
	};

	(void)state;
	assert_lines(rows, sizeof(rows) / sizeof(rows[0]), oldlog_exim);
}

static struct oldlog_line exchange(struct slice line, struct oldlog_clock *c)
{
	(void)c;
	return oldlog_exchange(line, &columns);
}

static void exchange_lines_are_read(void **state)
{
	static const struct log_row rows[] = {
		{"2026-11-30T12:00:01.123Z,192.0.2.7,h,RECEIVE", "unread"},
		{"#Software: Microsoft Exchange Server", "other"},
		{"#Fields: date-time,client-ip,client-hostname,server-ip,"
		    "source,event-id,internal-message-id,recipient-address,"
		    "message-subject,sender-address,directionality,"
		    "original-client-ip", "other"},
		{"2026-11-30T12:00:01.123Z,192.0.2.50,scan,192.0.2.1,SMTP,"
		    "RECEIVE,77,ann@example.com;bob@example.com,\"a, b\","
		    "a@b.example,Incoming,192.0.2.7",
		    "client " T " id=77 c=192.0.2.7 n=scan h= f=a@b.example "
		    "t=ann@example.com;bob@example.com o= - 2"},
		{"2026-11-30T12:00:01.123Z,192.0.2.50,scan,192.0.2.1,SMTP,"
		    "RECEIVE,77,ann@example.com,x,<>,,",
		    "client " T " id=77 c=192.0.2.50 n=scan h= f= "
		    "t=ann@example.com o= - 1"},
		{"2026-11-30T12:00:01.123Z,192.0.2.50,s,192.0.2.1,SMTP,"
		    "RECEIVE,77,ann@example.com,x,a@b,Originating,", "other"},
		{"2026-11-30T12:00:01.123Z,,,,STOREDRIVER,DELIVER,77,"
		    "ann@example.com,x,a@b.example,Incoming,",
		    "delivered " T " id=77 c= n= h= f=a@b.example "
		    "t=ann@example.com o= in 1"},
		{"2026-11-30T12:00:01.123Z,,,,ROUTING,TRANSFER,77,"
		    "ann@example.com,x,a@b.example,Incoming,", "other"},
		{"2026-11-30T12:00:01.123Z,192.0.2.50", "unread"},
		{"yesterday at noon, more or,,,,x,y,z,a,b,c,d", "unread"},
		{"", "unread"},
	};

	(void)state;
	columns = (struct oldlog_columns){.known = false};
	assert_lines(rows, sizeof(rows) / sizeof(rows[0]), exchange);
}

/* ---- the clock of syslog ------------------------------------------------- */

static int64_t time_of(const char *text, struct oldlog_clock *c)
{
	struct slice line = slice_str(text);
	int64_t us = 0;

	return oldlog_syslog_time(&line, c, &us) ? us : 0;
}

static void the_year_is_guessed_or_said(void **state)
{
	static const struct {
		int year;
		const char *line[3], *want[3];
	} rows[] = {
		/* Now is 2026-12-01 00:00. */
		{0, {"Nov 30 23:59:59 x", "Dec  1 00:00:01 x",
			"Dec  1 12:00:00 x"},
		    {"2026-11-30", "2026-12-01", "2026-12-01"}},
		{0, {"Dec  9 00:00:00 x", "Dec 31 00:00:00 x",
			"Jan  1 00:00:00 x"},
		    {"2025-12-09", "2025-12-31", "2026-01-01"}},
		/* A line that comes late at the turn of the year. */
		{0, {"Dec 31 23:59:59 x", "Jan  1 00:00:00 x",
			"Dec 31 23:59:58 x"},
		    {"2025-12-31", "2026-01-01", "2025-12-31"}},
		{2019, {"Dec 31 23:59:59 x", "Jan  1 00:00:00 x",
			"Feb 29 00:00:00 x"},
		    {"2019-12-31", "2020-01-01", "2020-02-29"}},
		{2019, {"Feb 28 23:59:59 x", "Feb 29 00:00:00 x",
			"Mar  1 00:00:00 x"},
		    {"2019-02-28", "", "2019-03-01"}},
		{0, {"Feb 29 23:59:59 x", "Mar  1 00:00:00 x", ""},
		    {"2024-02-29", "2024-03-01", ""}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oldlog_clock c = {.zone = &zone_utc, .now_us = NOW,
		    .year = rows[i].year};

		for (int k = 0; k < 3; k++) {
			int64_t us = time_of(rows[i].line[k], &c);
			char text[CLOCK_RFC3339_MAX] = "";

			if (us != 0)
				clock_rfc3339(us, text);
			print_message("row %zu: %s\n", i, rows[i].line[k]);
			assert_memory_equal(text, rows[i].want[k],
			    strlen(rows[i].want[k]));
			if (rows[i].want[k][0] == '\0')
				assert_int_equal(us, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(postfix_lines_are_read),
		cmocka_unit_test(exim_lines_are_read),
		cmocka_unit_test(exchange_lines_are_read),
		cmocka_unit_test(the_year_is_guessed_or_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
