/* SPDX-License-Identifier: ISC
 *
 * A test runs in the build folder; `srcdir` leads to the sources.
 */
#include "tests/unit/transcript.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"

enum { PATH_BYTES = 512 };

static FILE *open_file(struct transcript *t, const char *how)
{
	const char *top = getenv("srcdir");
	char path[PATH_BYTES];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/data/%s/%s",
	    top != NULL ? top : "..", t->folder, t->name);
	f = fopen(path, how);
	if (f == NULL)
		snprintf(t->why, sizeof(t->why), "%s cannot be opened", path);
	return f;
}

int transcript_open(struct transcript *t)
{
	FILE *f = open_file(t, "r");

	if (f == NULL)
		return -1;
	t->text = mem_new(TRANSCRIPT_MAX);
	t->text[fread(t->text, 1, TRANSCRIPT_MAX - 1, f)] = '\0';
	fclose(f);
	return 0;
}

static int compare(struct transcript *t, const char *is)
{
	const char *want = t->text;
	int line = 1;

	while (*is == *want && *is != '\0') {
		line += *is == '\n';
		is++;
		want++;
	}
	if (*is == *want)
		return 0;
	snprintf(t->why, sizeof(t->why), "tests/data/%s/%s: line %d: "
	    "is: %.300s\nwant: %.300s", t->folder, t->name, line, is, want);
	return -1;
}

int transcript_close(struct transcript *t, const char *is, bool write)
{
	FILE *f = write ? open_file(t, "w") : NULL;
	int rc = write ? -(f == NULL) : compare(t, is);

	if (f != NULL) {
		fputs(is, f);
		fclose(f);
	}
	mem_free(t->text);
	t->text = NULL;
	return rc;
}
