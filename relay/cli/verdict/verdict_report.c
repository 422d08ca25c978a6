/* SPDX-License-Identifier: ISC
 *
 * The report of a verdict. Every text that is not written here goes through
 * put(), which leaves nothing in it that HTML would obey.
 */
#include "relay/cli/verdict/verdict_report.h"

#include <inttypes.h>

#include "config.h"
#include "relay/base/clock.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>Verdict</title>\n<style>\n"
    "@page { size: A4; margin: 18mm }\n"
    "body { font: 10pt/1.35 sans-serif; color: #000 }\n"
    "h1 { font-size: 16pt; margin: 0 0 2mm }\n"
    "h2 { font-size: 11pt; margin: 6mm 0 1mm }\n"
    "table { border-collapse: collapse; width: 100% }\n"
    "td, th { border-bottom: 0.3pt solid #888; padding: 1mm 2mm 1mm 0; "
    "text-align: left; vertical-align: top; overflow-wrap: anywhere }\n"
    "tr { page-break-inside: avoid }\n"
    ".state { white-space: nowrap; font-weight: bold }\n"
    ".answer { border: 1pt solid #000; padding: 3mm; font-size: 13pt; "
    "font-weight: bold }\n"
    ".sign td { height: 14mm; vertical-align: bottom }\n"
    "code { font-size: 8pt; overflow-wrap: anywhere }\n"
    "</style></head><body>\n";

/* Control characters have no place in HTML either. */
static void put(FILE *to, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		switch (*p) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc((unsigned char)*p < ' ' || *p == 127 ? ' ' : *p,
			    to);
		}
	}
}

static void put_time(FILE *to, int64_t us)
{
	char text[CLOCK_RFC3339_MAX];

	if (us == 0)
		return;
	clock_rfc3339(us, text);
	put(to, text);
}

static void put_cell(FILE *to, const char *text)
{
	fputs("<td>", to);
	put(to, text);
	fputs("</td>", to);
}

static void put_answer(const struct verdict_look *g, FILE *to)
{
	struct verdict_answer a = verdict_answer(&g->f, g->waiver, g->now_us);

	fputs("<p class=\"answer\">", to);
	if (!a.go)
		fputs("NO-GO: it is not safe to switch the server off", to);
	else if (a.waived == 0)
		fputs("GO: the server may be switched off", to);
	else
		fprintf(to, "GO with %u waiver%s: people have taken on what "
		    "is not known to be safe", a.waived,
		    a.waived == 1 ? "" : "s");
	fputs("</p>\n", to);
}

static void put_waivers(const struct verdict_look *g, FILE *to)
{
	bool any = false;

	for (int r = 0; r < REASONS; r++) {
		const struct waiver *w = g->waiver[r];

		if (w == NULL)
			continue;
		if (!any)
			fputs("<h2>Waivers</h2>\n<table>\n<tr><th>Reason</th>"
			      "<th>Until</th><th>Taken on by</th><th>Why</th>"
			      "</tr>\n", to);
		any = true;
		fputs("<tr>", to);
		put_cell(to, reason_name((enum reason_id)r));
		fputs("<td>", to);
		put_time(to, w->until_us);
		fputs(waiver_holds(w, g->now_us) ? "</td>" : " (has ended)"
		    "</td>", to);
		put_cell(to, w->who);
		put_cell(to, w->note);
		fputs("</tr>\n", to);
	}
	if (any)
		fputs("</table>\n", to);
}

static void put_items(const struct verdict_look *g, enum reason_id r, FILE *to)
{
	for (int i = 0; i < FACTS; i++) {
		const struct evidence *e = &g->f.fact[i];

		if (e->n == 0 || fact_reason((enum fact_id)i) != r)
			continue;
		fprintf(to, "<br>%" PRIu64 " ", e->n);
		put(to, fact_says((enum fact_id)i));
		for (unsigned k = 0; k < e->items; k++) {
			fputs(k == 0 ? ": " : "; ", to);
			put(to, e->item[k].text);
			fputs(e->item[k].at_us == 0 ? "" : " ", to);
			put_time(to, e->item[k].at_us);
		}
		fputs(e->n > e->items ? "; …" : "", to);
	}
}

static void put_reason(const struct verdict_look *g, enum reason_id r, FILE *to)
{
	enum reason_state state = reason_judge(&g->f, r);
	const char *evidence = g->f.unread[r] != NULL ? g->f.unread[r]
		: state == REASON_OK && g->f.looked[r] != NULL
		    ? g->f.looked[r] : "";

	fputs("<tr>", to);
	put_cell(to, reason_name(r));
	fprintf(to, "<td class=\"state\">%s%s</td><td>",
	    reason_state_text(state), state != REASON_OK &&
	    waiver_holds(g->waiver[r], g->now_us) ? ", waived" : "");
	put(to, reason_says(r));
	fputs(".<br>", to);
	put(to, evidence);
	put_items(g, r, to);
	fputs("</td></tr>\n", to);
}

static void put_waived(const struct verdict_look *g, FILE *to)
{
	if (g->waiveds == 0)
		return;
	fprintf(to, "<h2>Recipients that are done without (%zu)</h2>\n<table>\n"
	    "<tr><th>Recipient</th><th>Since</th><th>By</th><th>Why</th></tr>"
	    "\n", g->waiveds);
	for (size_t i = 0; i < g->waiveds; i++) {
		fputs("<tr>", to);
		put_cell(to, g->waived[i].address);
		fputs("<td>", to);
		put_time(to, g->waived[i].time_us);
		fputs("</td>", to);
		put_cell(to, g->waived[i].who);
		put_cell(to, g->waived[i].note);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

static void put_public(const struct verdict_look *g, FILE *to)
{
	fputs("<h2>What still leads to it in public</h2>\n", to);
	if (g->publics == 0)
		fputs("<p>Nothing that was looked for: MX records and their "
		      "addresses, SPF records.</p>\n", to);
	else
		fputs("<table>\n", to);
	for (size_t i = 0; i < g->publics; i++) {
		fputs("<tr>", to);
		put_cell(to, g->public[i].domain);
		put_cell(to, g->public[i].what);
		put_cell(to, g->public[i].text);
		fputs("</tr>\n", to);
	}
	if (g->publics > 0)
		fputs("</table>\n", to);
}

static void put_title(const struct verdict_look *g, FILE *to)
{
	fputs("<h1>May the server behind ", to);
	put(to, g->v->leg);
	fputs(" be switched off?</h1>\n<p>", to);
	if (g->v->name[0] != '\0') {
		fputs("Verdict ", to);
		put(to, g->v->name);
		fputs(". ", to);
	}
	put_time(to, g->now_us);
	fputs(", on ", to);
	put(to, g->conf->hostname);
	fputs(", by Posthouse " PACKAGE_VERSION ", asked by ", to);
	put(to, g->c->who);
	fputs(".</p>\n", to);
}

static void put_heads(const struct verdict_look *g, FILE *to)
{
	fprintf(to, "<h2>By which it can be found again</h2>\n<p>Change %"
	    PRIu64 ", head <code>%s</code><br>Decision %" PRIu64
	    ", head <code>%s</code></p>\n", g->heads.change,
	    g->heads.change_head, g->heads.decision, g->heads.decision_head);
}

bool verdict_report(const struct verdict_look *g, FILE *to)
{
	static const char sign[] =
	    "<h2>Switched off on the responsibility of</h2>\n"
	    "<table class=\"sign\">\n"
	    "<tr><td>Name</td><td>Date</td><td>Signature</td></tr>\n"
	    "<tr><td>Name</td><td>Date</td><td>Signature</td></tr>\n"
	    "</table>\n</body></html>\n";

	fputs(head, to);
	put_title(g, to);
	put_waivers(g, to);
	put_answer(g, to);
	fputs("<h2>Reasons</h2>\n<table>\n", to);
	for (int r = 0; r < REASONS; r++)
		put_reason(g, (enum reason_id)r, to);
	fputs("</table>\n", to);
	put_waived(g, to);
	put_public(g, to);
	put_heads(g, to);
	fputs(sign, to);
	return fflush(to) == 0 && ferror(to) == 0;
}
