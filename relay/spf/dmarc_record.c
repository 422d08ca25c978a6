/* SPDX-License-Identifier: ISC
 *
 * A policy record of DMARC, read tag by tag.
 */
#include "relay/spf/dmarc_record.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

static const char *const policy_names[DMARC_POLICIES] = {
	[DMARC_NONE] = "none",
	[DMARC_QUARANTINE] = "quarantine",
	[DMARC_REJECT] = "reject",
};

enum tag { TAG_P, TAG_SP, TAG_NP, TAG_PSD, TAG_ADKIM, TAG_ASPF, TAG_T, TAGS };

static const char *const tag_names[TAGS] = {
	[TAG_P] = "p", [TAG_SP] = "sp", [TAG_NP] = "np", [TAG_PSD] = "psd",
	[TAG_ADKIM] = "adkim", [TAG_ASPF] = "aspf", [TAG_T] = "t",
};

const char *dmarc_policy_name(enum dmarc_policy p)
{
	PH_ASSERT(p < DMARC_POLICIES);
	return policy_names[p];
}

/* "name = value", blanks around both; without '=' both are empty. */
static void cut_tag(struct slice part, struct slice *name_out,
    struct slice *value_out)
{
	long at = slice_find(part, '=');

	*name_out = *value_out = slice_of("", 0);
	if (at < 0)
		return;
	*name_out = slice_trim(slice_head(part, (size_t)at));
	*value_out = slice_trim(slice_from(part, (size_t)at + 1));
}

/* "v" in either case, "DMARC1" in this one alone. */
static bool is_version(struct slice part)
{
	struct slice name, value;

	if (part.n == 0 || (part.p[0] != 'v' && part.p[0] != 'V'))
		return false;
	cut_tag(part, &name, &value);
	return name.n == 1 && slice_eq(value, SLICE("DMARC1"));
}

/* False: it is no policy. An absent one is `otherwise`. */
static bool read_policy(struct slice value, enum dmarc_policy otherwise,
    enum dmarc_policy *out)
{
	*out = otherwise;
	if (value.n == 0)
		return true;
	for (int i = 0; i < DMARC_POLICIES; i++) {
		if (slice_case_eq(value, slice_str(policy_names[i]))) {
			*out = (enum dmarc_policy)i;
			return true;
		}
	}
	return false;
}

static void read_tags(struct slice rest, struct slice *value)
{
	struct slice part, name, text;

	while (slice_next(&rest, ';', &part)) {
		cut_tag(part, &name, &text);
		for (int i = 0; i < TAGS; i++)
			if (value[i].n == 0 &&
			    slice_case_eq(name, slice_str(tag_names[i])))
				value[i] = text;
	}
}

static enum dmarc_psd psd_of(struct slice value)
{
	if (slice_case_eq(value, SLICE("y")))
		return DMARC_PSD_YES;
	return slice_case_eq(value, SLICE("n")) ? DMARC_PSD_NO
						: DMARC_PSD_UNSAID;
}

int dmarc_record_parse(struct slice txt, struct dmarc_record *record_out)
{
	struct slice value[TAGS] = {{NULL, 0}}, part;
	struct dmarc_record *r = record_out;

	*r = (struct dmarc_record){.p = DMARC_NONE};
	if (txt.n > DMARC_RECORD_MAX || !slice_next(&txt, ';', &part) ||
	    !is_version(part))
		return -1;
	read_tags(txt, value);
	/* 4.7: with an unknown policy in it the record asks for nothing. */
	if (!read_policy(value[TAG_P], DMARC_NONE, &r->p) ||
	    !read_policy(value[TAG_SP], r->p, &r->sp) ||
	    !read_policy(value[TAG_NP], r->sp, &r->np))
		r->p = r->sp = r->np = DMARC_NONE;
	r->psd = psd_of(value[TAG_PSD]);
	r->strict_dkim = slice_case_eq(value[TAG_ADKIM], SLICE("s"));
	r->strict_spf = slice_case_eq(value[TAG_ASPF], SLICE("s"));
	r->testing = slice_case_eq(value[TAG_T], SLICE("y"));
	return 0;
}

enum dmarc_policy dmarc_record_policy(const struct dmarc_record *r,
    enum dmarc_place place)
{
	enum dmarc_policy p = place == DMARC_SELF ? r->p :
	    place == DMARC_BELOW ? r->sp : r->np;

	return r->testing && p > DMARC_NONE ? (enum dmarc_policy)(p - 1) : p;
}
