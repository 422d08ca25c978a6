/* SPDX-License-Identifier: ISC
 *
 * Deliveries of a wave's members, among others.
 */
#include "relay/cli/wave/wave_filter.h"

#include "relay/mail/addr.h"

int wave_filter_open(struct cli *c, struct wave_filter *filter)
{
	const char *name = cli_value(c, "wave");
	struct error err;
	struct wave w;

	*filter = (struct wave_filter){.wave = name};
	if (name == NULL)
		return CLI_DONE;
	filter->file = wave_open(c, false);
	if (filter->file == NULL)
		return CLI_NO;
	filter->conf = c->conf;
	if (wave_need(filter->file, name, &w, &err) == 0)
		return CLI_DONE;
	wave_file_close(filter->file);
	filter->file = NULL;
	return cli_fail(c, "%s", err.text);
}

static int has_key(struct wave_filter *filter, const struct addr *a,
    char subaddress)
{
	struct strbuf key;
	int rc = 0;

	strbuf_init(&key, ADDR_MAX);
	if (addr_key(a, subaddress, &key))
		rc = wave_has(filter->file, slice_str(filter->wave),
		    strbuf_view(&key), &filter->err);
	strbuf_fini(&key);
	return rc;
}

bool wave_filter_has(struct wave_filter *filter, const char *to)
{
	const struct conf_domain *d;
	struct addr a;
	const char *why;
	int rc;

	if (filter->file == NULL)
		return true;
	if (addr_parse(slice_str(to), true, &a, &why) < 0)
		return false;
	rc = has_key(filter, &a, '\0');
	d = conf_domain(filter->conf, a.domain);
	if (rc == 0 && d != NULL)
		rc = has_key(filter, &a, d->subaddress);
	return rc > 0;
}

int wave_filter_close(struct cli *c, struct wave_filter *filter)
{
	wave_file_close(filter->file);
	filter->file = NULL;
	return filter->err.text[0] == '\0'
		   ? CLI_DONE : cli_fail(c, "%s", filter->err.text);
}
