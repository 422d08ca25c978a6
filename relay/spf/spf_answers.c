/* SPDX-License-Identifier: ISC
 *
 * The answers of the DNS as the helper reads them.
 */
#include "relay/spf/spf_check_int.h"

static void pack_address(struct strbuf *out, const struct netaddr *a)
{
	if (a->sa.sa_family == AF_INET)
		pack_bytes(out, slice_of(&a->in.sin_addr, 4));
	else
		pack_bytes(out, slice_of(&a->in6.sin6_addr, 16));
}

static void pack_record(struct strbuf *out, const struct dns_answer *a, int i)
{
	switch (a->type) {
	case DNS_A:
	case DNS_AAAA:
		pack_address(out, &a->addr[i]);
		break;
	case DNS_MX:
		pack_str(out, a->mx[i].host);
		break;
	case DNS_PTR:
		pack_str(out, a->name[i]);
		break;
	case DNS_TXT:
		pack_bytes(out, a->txt[i]);
		break;
	case DNS_TLSA:
		break;
	}
}

/* RFC 7208 4.5: a blank or nothing behind the version. */
static bool is_spf(struct slice txt)
{
	struct slice version = SLICE("v=spf1");

	return slice_case_starts(txt, version) &&
	       (txt.n == version.n || txt.p[version.n] == ' ');
}

static enum spf_status status_of(const struct dns_answer *a)
{
	switch (a->status) {
	case DNS_OK:
		return SPF_ANSWER_OK;
	case DNS_NODATA:
		return SPF_ANSWER_NODATA;
	case DNS_NXDOMAIN:
		return SPF_ANSWER_NXDOMAIN;
	case DNS_FAILED:
		break;
	}
	return SPF_ANSWER_FAILED;
}

void spf_answer_keep(struct run_question *q, const struct dns_answer *a)
{
	struct spf_run *r = q->run;
	struct strbuf records;

	strbuf_init(&records, SPF_FRAME_MAX);
	for (int i = 0; i < a->count; i++) {
		pack_record(&records, a, i);
		if (a->type == DNS_TXT && q->record.n == 0 &&
		    is_spf(a->txt[i]))
			q->record = slice_of(arena_slicedup(r->arena,
			    a->txt[i]), a->txt[i].n);
	}
	if (!strbuf_ok(&records))
		r->answers.overflow = true;
	spf_answer_pack(&r->answers, &(struct spf_answer){.type = q->type,
	    .status = status_of(a), .name = q->name,
	    .records = strbuf_view(&records)});
	strbuf_fini(&records);
}

struct slice spf_record_of(const struct spf_run *r, struct slice name)
{
	for (int i = 0; i < r->questions; i++)
		if (r->question[i].type == SPF_TYPE_TXT &&
		    slice_eq(r->question[i].name, name))
			return r->question[i].record;
	return slice_of("", 0);
}
