/* SPDX-License-Identifier: ISC
 *
 * The one list of what the daemon writes.
 */
#include "relay/daemon/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/base/mem.h"

#define PATH(field) offsetof(struct conf, field)

/* clang-format off */
static const struct place places[] = {
	{ "spool",   "path",   PATH(spool.path),     true,  true,  PLACE_KEEP },
	{ "audit",   "path",   PATH(audit.path),     true,  true,  PLACE_KEEP },
	/* with its WAL */
	{ "table",   "path",   PATH(table.path),     false, true,  PLACE_KEEP },
	/* made anew when rotated */
	{ "audit",   "events", PATH(audit.events),   false, false, PLACE_ADD  },
	{ "log",     "file",   PATH(log.file),       false, false, PLACE_ADD  },
	{ "control", "socket", PATH(control.socket), false, false, PLACE_BIND },
};
/* clang-format on */

const struct place *place_at(size_t i)
{
	return i < ARRAY_LEN(places) ? &places[i] : NULL;
}

const char *place_path(const struct place *p, const struct conf *c)
{
	return *(char *const *)((const char *)c + p->path);
}

/* In which that file is; the caller's. */
static char *folder_of(const char *file)
{
	char *folder = mem_strdup(file);
	char *slash = strrchr(folder, '/');

	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	return folder;
}

char *place_folder(const struct place *p, const struct conf *c)
{
	const char *path = place_path(p, c);

	return p->is_folder ? mem_strdup(path) : folder_of(path);
}

char *place_coexist(const struct conf *c, int i)
{
	return i < c->coexists ? folder_of(c->coexist[i].path) : NULL;
}

/* Both names without links; what does not exist holds nothing. */
static bool is_below(const char *path, const char *folder)
{
	char whole[PATH_MAX], real[PATH_MAX];
	size_t n;

	if (realpath(path, whole) == NULL || realpath(folder, real) == NULL)
		return false;
	n = strlen(real);
	return strcmp(real, "/") == 0 ||
	       (strncmp(whole, real, n) == 0 && whole[n] == '/');
}

const char *place_may_write(const struct conf *c, const char *path)
{
	const struct place *p;

	for (size_t i = 0; (p = place_at(i)) != NULL; i++) {
		const char *place = place_path(p, c);
		char *folder = place_folder(p, c);
		bool below = place[0] != '\0' && is_below(path, folder);

		mem_free(folder);
		if (below)
			return place;
	}
	for (int k = 0; k < c->coexists; k++) {
		char *folder = place_coexist(c, k);
		bool below = is_below(path, folder);

		mem_free(folder);
		if (below)
			return c->coexist[k].path;
	}
	return NULL;
}

static bool is_open(const char *path, bool sticky_is_fine)
{
	struct stat st;

	return path[0] != '\0' && stat(path, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
	       (st.st_mode & S_IWOTH) != 0 &&
	       !(sticky_is_fine && (st.st_mode & S_ISVTX) != 0);
}

bool place_open_to_all(const struct conf *c, struct place_open *open_out)
{
	const struct place *p;

	for (size_t i = 0; (p = place_at(i)) != NULL; i++) {
		const char *path = place_path(p, c);
		char *folder = place_folder(p, c);
		const char *bad = is_open(folder, !p->truth) ? folder
				: is_open(path, false) ? path : NULL;

		*open_out = (struct place_open){p->section, p->key, ""};
		if (path[0] != '\0' && bad != NULL)
			snprintf(open_out->path, sizeof(open_out->path), "%s",
			    bad);
		mem_free(folder);
		if (open_out->path[0] != '\0')
			return true;
	}
	return false;
}

int place_check_private(const struct conf *c, struct error *err)
{
	struct place_open o;

	if (!place_open_to_all(c, &o))
		return 0;
	return error_set(err, "%s.%s: everybody on this machine can write %s; "
	    "chmod o-w %s", o.section, o.key, o.path, o.path);
}
