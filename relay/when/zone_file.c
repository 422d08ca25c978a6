/* SPDX-License-Identifier: ISC
 *
 * Reads the file of a zone, whole and bounded.
 */
#include "relay/when/zone_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = sizeof(ZONE_FOLDER) + 1 + ZONE_NAME_MAX };

bool zone_name_ok(struct slice name)
{
	char before = '/';

	if (name.n == 0 || name.n >= ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_alpha(c) && !ascii_digit(c) &&
		    (c != '/' || before == '/') &&
		    (c == '/' || memchr("+-_", c, 3) == NULL))
			return false;
		before = c;
	}
	return before != '/';
}

/* Returns the bytes read, at most `max`; -1: errno. */
static ssize_t read_file(const char *path, char *buf, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0 && n < max) {
		got = read(fd, buf + n, max - n);
		if (got > 0)
			n += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return got < 0 ? -1 : (ssize_t)n;
}

static struct zone *load(
    struct arena *a, const char *path, const char *name, struct error *err)
{
	char *buf = mem_new(ZONE_FILE_MAX + 1);
	ssize_t n = read_file(path, buf, ZONE_FILE_MAX + 1);
	struct error why = {.no = errno};
	struct zone *z = NULL;

	if (n < 0)
		error_sys(err, why.no, "the zone \"%s\": %s", name, path);
	else
		z = zone_parse(a, name, slice_of(buf, (size_t)n), &why);
	if (n >= 0 && z == NULL)
		error_set(err, "the zone \"%s\" cannot be read from %s: %s",
		    name, path, why.text);
	mem_free(buf);
	return z;
}

static int no_zone(struct slice name, struct error *err)
{
	return error_set(err,
	    "there is no zone \"%.*s\"; write a name of " ZONE_FOLDER
	    ", as \"Europe/London\" or \"UTC\"",
	    (int)(name.n < ZONE_NAME_MAX ? name.n : ZONE_NAME_MAX), name.p);
}

const struct zone *zone_load(struct arena *a, struct slice name,
    struct error *err)
{
	char path[PATH_BYTES], text[ZONE_NAME_MAX];

	if (slice_eq(name, SLICE("UTC")))
		return &zone_utc; /* also without tzdata */
	if (!zone_name_ok(name)) {
		no_zone(name, err);
		return NULL;
	}
	snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
	snprintf(path, sizeof(path), ZONE_FOLDER "/%s", text);
	if (access(path, F_OK) != 0) {
		no_zone(name, err);
		return NULL;
	}
	return load(a, path, text, err);
}

/* The name that the link says, else "local". */
static void system_name(char *out, size_t size)
{
	char link[PATH_MAX];
	ssize_t n = readlink(ZONE_SYSTEM, link, sizeof(link) - 1);
	const char *at;

	link[n < 0 ? 0 : n] = '\0';
	at = strstr(link, "/zoneinfo/");
	if (at != NULL)
		at += sizeof("/zoneinfo/") - 1;
	snprintf(out, size, "%s",
	    at != NULL && zone_name_ok(slice_str(at)) ? at : "local");
}

const struct zone *zone_load_system(struct arena *a, struct error *err)
{
	char name[ZONE_NAME_MAX];

	if (access(ZONE_SYSTEM, F_OK) != 0)
		return &zone_utc;
	system_name(name, sizeof(name));
	return load(a, ZONE_SYSTEM, name, err);
}
