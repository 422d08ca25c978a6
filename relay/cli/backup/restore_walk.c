/* SPDX-License-Identifier: ISC
 *
 * Goes through the files of a manifest.
 */
#include "relay/cli/backup/restore_files.h"

int restore_each(struct putting_back *p, const struct restore_walk *walk)
{
	const json_t *files = json_object_get(p->manifest, "files");
	int code = CLI_DONE;
	struct progress bar;
	json_t *file;
	size_t i;

	progress_begin(&bar, walk->title, json_array_size(files));
	json_array_foreach(files, i, file) {
		int rc = walk->fn(p, file);

		if (rc != CLI_DONE)
			code = rc;
		if (rc != CLI_DONE && !walk->all)
			break;
		progress_at(&bar, i + 1);
	}
	progress_end(&bar);
	return code;
}
