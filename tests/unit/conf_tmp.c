/* SPDX-License-Identifier: ISC
 *
 * Configuration files of a test: a directory that goes away again.
 */
#include "tests/unit/conf_tmp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"

int conf_tmp_setup(void **state)
{
	char *dir = mem_strdup("/tmp/posthouse-conf-XXXXXX");

	*state = dir;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

int conf_tmp_teardown(void **state)
{
	char *dir = *state, path[600];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
	mem_free(dir);
	return 0;
}

const char *conf_tmp_write(const char *dir, const char *name, const char *text)
{
	static _Thread_local char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
	return path;
}

const char *conf_tmp_secret(const char *dir, const char *name,
    const char *text)
{
	const char *path = conf_tmp_write(dir, name, text);

	if (chmod(path, 0600) != 0)
		abort();
	return path;
}

struct conf *conf_tmp_load(const char *dir, const char *text,
    struct names *names, struct error *err)
{
	return conf_load(conf_tmp_write(dir, "posthouse.conf", text), names,
	    err);
}

struct conf *conf_tmp_good(const char *dir, const char *text,
    struct names *names)
{
	struct error err = {0};
	struct conf *c = conf_tmp_load(dir, text, names, &err);

	if (c != NULL)
		return c;
	fprintf(stderr, "%s\n", err.text);
	abort();
}
