/* SPDX-License-Identifier: ISC
 *
 * The answers of the DNS as the helper reads them.
 */
#include "relay/spf/spf_check_int.h"
#include "relay/spf/term.h"

/* A mapped IPv4 address in an AAAA record has become IPv4; it has its 16 bytes
 * here, and no client has it. */
static void pack_address(struct strbuf *out, enum dns_type type,
    const struct netaddr *a)
{
	unsigned char six[16] = {[10] = 0xff, [11] = 0xff};

	if (a->sa.sa_family != AF_INET)
		memcpy(six, &a->in6.sin6_addr, sizeof(six));
	else
		memcpy(six + 12, &a->in.sin_addr, 4);
	pack_bytes(out, type == DNS_A ? slice_of(six + 12, 4) :
					slice_of(six, sizeof(six)));
}

static void pack_record(struct strbuf *out, const struct dns_answer *a, int i)
{
	switch (a->type) {
	case DNS_A:
	case DNS_AAAA:
		pack_address(out, a->type, &a->addr[i]);
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
	case DNS_NS:
	case DNS_SOA:
		break;
	}
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
		    spf_record_is(a->txt[i]))
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
