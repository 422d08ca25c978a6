/* SPDX-License-Identifier: ISC
 *
 * Opens the waves, and reads what several of their commands take.
 */
#include "relay/cli/wave/wave_open.h"

#include <errno.h>
#include <unistd.h>

#include "policy/change/table_make.h"
#include "policy/route.h"
#include "relay/cli/table/cli_table.h"

static int prepare(struct cli *c, const char *path, bool write,
    struct error *err)
{
	if (!write && (access(path, F_OK) == 0 || errno != ENOENT))
		return 0;
	return table_prepare(path, c->conf, c->who, err);
}

struct wave_file *wave_open(struct cli *c, bool write)
{
	const char *path = cli_table_path(c);
	struct wave_file *f = NULL;
	struct error err = {0};

	if (path == NULL)
		return NULL;
	if (prepare(c, path, write, &err) == 0)
		f = wave_file_open(path, write, &err);
	if (f == NULL)
		cli_fail(c, "%s", err.text);
	return f;
}

struct change_by wave_by(const struct cli *c)
{
	return (struct change_by){
	    .who = c->who,
	    .host = c->host,
	    .command = c->command->name,
	    .note = cli_value(c, "note"),
	};
}

const char *wave_route(struct cli *c, const char *text)
{
	const struct conf *conf = cli_conf(c);
	struct error err = {0};
	struct route r;

	if (conf == NULL)
		return NULL;
	if (route_parse(slice_str(text), conf, NULL, &r, &err) == 0)
		return text;
	for (int i = 0; i < conf->domains; i++)
		if (route_parse(slice_str(text), conf, &conf->domain[i], &r,
			&err) == 0)
			return text;
	cli_fail(c, "%s", err.text);
	return NULL;
}
