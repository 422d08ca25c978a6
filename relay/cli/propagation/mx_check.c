/* SPDX-License-Identifier: ISC
 *
 * See mx_check.h. RFC 6125 (names of certificates), RFC 7672 (TLSA), RFC 8461
 * (MTA-STS).
 */
#include "relay/cli/propagation/mx_check.h"

#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/propagation/mx_names.h"
#include "relay/cli/propagation/mx_sts.h"

static const struct out_column columns[] = {
	{"host", "MX", false},
	{"check", "CHECK", false},
	{"state", "STATE", false},
	{"why", "", false},
	{NULL, NULL, false},
};

/* ---- the names ----------------------------------------------------------- */

static bool leads_to_us(const json_t *mx)
{
	json_t *list = json_object_get(mx, "addresses"), *a;
	size_t i;

	json_array_foreach(list, i, a)
		if (strcmp(json_text(a, "leads"), "us") == 0)
			return true;
	return false;
}

static void add_name(struct cli *c, struct mx_names *n, const char *host)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->name[i], host) == 0)
			return;
	if (n->n < MX_NAMES)
		n->name[n->n++] = arena_strdup(c->arena, host);
}

/* `ours`: only those that lead to us. */
static void collect(const struct mx_checked *m, bool ours,
    struct mx_names *out)
{
	for (size_t i = 0; i < m->rows->n; i++) {
		json_t *answer = json_loads(m->rows->detail[i].answer, 0,
		    NULL), *mx;
		size_t k;

		json_array_foreach(answer, k, mx)
			if (!ours || leads_to_us(mx))
				add_name(m->c, out, json_text(mx, "host"));
		json_decref(answer);
	}
}

/* ---- the checks ---------------------------------------------------------- */

static void put(struct cli *c, const char *host, const char *check,
    const struct mx_found *f)
{
	static const char *const text[] = {[MX_FITS] = "ok",
	    [MX_NONE] = "none", [MX_MISMATCH] = "mismatch",
	    [MX_UNKNOWN] = "unknown"};
	struct jout *j = out_row(&c->out);

	jout_str(j, "kind", "mx");
	jout_str(j, "host", host);
	jout_str(j, "check", check);
	jout_str(j, "state", text[f->state]);
	jout_str(j, "why", f->why);
	out_row_end(&c->out);
}

static bool is_good(const struct mx_found *f)
{
	return f->state == MX_FITS || f->state == MX_NONE;
}

static bool check_name(const struct mx_checked *m, struct mx_asker *k,
    const char *host)
{
	struct mx_found certificate, tlsa;

	mx_certificate(m->conf, host, &certificate);
	put(m->c, host, "certificate", &certificate);
	mx_tlsa(k, m->conf, host, &tlsa);
	put(m->c, host, "tlsa", &tlsa);
	return is_good(&certificate) && is_good(&tlsa);
}

/* The policy speaks of all MX, wherever they lead. */
static bool check_sts(const struct mx_checked *m, struct mx_asker *k)
{
	struct mx_names all = {.n = 0};
	struct mx_found f;

	collect(m, false, &all);
	mx_sts(k, m->domain, &all, &f);
	put(m->c, m->domain, "mta-sts", &f);
	return is_good(&f);
}

int mx_check(const struct mx_checked *m)
{
	struct mx_names names = {.n = 0};
	struct mx_asker *k;
	struct error err;
	bool good = true;

	collect(m, true, &names);
	if (names.n == 0)
		return CLI_DONE;
	k = mx_asker_new(m->conf, &err);
	if (k == NULL)
		return cli_fail(m->c, "%s", err.text);
	out_table(&m->c->out, columns);
	for (size_t i = 0; i < names.n; i++)
		good = check_name(m, k, names.name[i]) && good;
	good = check_sts(m, k) && good;
	out_end(&m->c->out);
	mx_asker_free(k);
	return good ? CLI_DONE : CLI_NO;
}
