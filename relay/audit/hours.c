/* SPDX-License-Identifier: ISC
 *
 * The set of hour files.
 */
#include "relay/audit/hours.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

enum { READERS = 8, HOURS_OF_AN_UPLOAD = 24 };

struct hours {
	char *dir;
	int node;
	struct hourfile *current;
	struct { /* older files that updates still ask for */
		struct hourfile *f;
		uint64_t used;
	} reader[READERS];
	uint64_t clock; /* of reader.used */
	int64_t *unsealed;
	size_t unsealed_n;
	struct error err; /* of an older file; text "": none */
	bool pass_over, passed;
	int64_t told; /* the hour of the last that was passed over */
};

static void path_of(const struct hours *h, int64_t hour, const char *suffix,
    char out[PATH_MAX])
{
	char name[HOUR_NAME];

	hour_name(hour, name);
	snprintf(out, PATH_MAX, "%s/%s%s", h->dir, name, suffix);
}

static void close_reader(struct hours *h, int i)
{
	hourfile_close(h->reader[i].f);
	h->reader[i].f = NULL;
}

static void wait_for_seal(struct hours *h, int64_t hour)
{
	h->unsealed = mem_resize(h->unsealed,
	    (h->unsealed_n + 1) * sizeof(*h->unsealed));
	h->unsealed[h->unsealed_n++] = hour;
}

/* ---- opening ----------------------------------------------------------- */

static void set_aside(const struct hours *h, int64_t hour,
    const struct error *err)
{
	static const char *const suffixes[] = {
	    "", "-wal", "-shm", "-journal"};
	char from[PATH_MAX], to[PATH_MAX + 16];

	log_error("audit.damaged", kv_err(err));
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		path_of(h, hour, suffixes[i], from);
		snprintf(to, sizeof(to), "%s.damaged", from);
		if (rename(from, to) != 0 && errno != ENOENT)
			log_error("audit.rename", kv_str("file", from));
	}
}

/* The newest file that has a cursor; -1 when one cannot be read now. */
static int find_current(struct hours *h, const int64_t *all, size_t *n,
    struct error *err)
{
	while (*n > 0) {
		int64_t hour = all[*n - 1];

		h->current = hourfile_open(h->dir, hour, HOUR_WRITE, err);
		if (h->current != NULL)
			return 0;
		if (err->no == EBADMSG)
			set_aside(h, hour, err);
		else if (err->no != ENOENT)
			return -1;
		(*n)--;
	}
	return 0;
}

/* Is a log or a rollback journal beside it? A power cut may bring one back
 * that the seal had removed, and a reader without write access cannot recover
 * it. */
static bool has_rest(const struct hours *h, int64_t hour)
{
	char path[PATH_MAX];

	path_of(h, hour, "-journal", path);
	if (access(path, F_OK) == 0)
		return true;
	path_of(h, hour, "-wal", path);
	return access(path, F_OK) == 0;
}

static void find_unsealed(struct hours *h, const int64_t *all, size_t n)
{
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < n; i++) {
		path_of(h, all[i], "", path);
		if (stat(path, &st) == 0 && ((st.st_mode & S_IWUSR) != 0 ||
						has_rest(h, all[i])))
			wait_for_seal(h, all[i]);
	}
}

/* A sealed file gets no rows. */
static int roll_if_sealed(struct hours *h, int64_t now_us, struct error *err)
{
	return hourfile_state(h->current)->sealed
		   ? hours_roll(h, hour_of(now_us), err)
		   : 0;
}

static int take_up(struct hours *h, int64_t now_us, struct error *err)
{
	struct hour_state fresh = {.node = h->node};
	int64_t *all;
	size_t n;
	int rc;

	if (hour_list(h->dir, &all, &n, err) != 0)
		return -1;
	rc = find_current(h, all, &n, err);
	if (rc == 0 && h->current == NULL) {
		h->current =
		    hourfile_create(h->dir, hour_of(now_us), &fresh, NULL,
			err);
		rc = h->current == NULL ? -1 : 0;
	} else if (rc == 0) {
		find_unsealed(h, all, n - 1);
		rc = roll_if_sealed(h, now_us, err);
	}
	mem_free(all);
	return rc;
}

struct hours *hours_open(const char *dir, int node, int64_t now_us,
    struct error *err)
{
	struct hours *h;

	if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
		error_sys(err, errno, "%s", dir);
		return NULL;
	}
	h = NEW(struct hours);
	h->dir = mem_strdup(dir);
	h->node = node;
	if (take_up(h, now_us, err) == 0)
		return h;
	hours_close(h);
	return NULL;
}

void hours_close(struct hours *h)
{
	if (h == NULL)
		return;
	for (int i = 0; i < READERS; i++)
		close_reader(h, i);
	hourfile_close(h->current);
	mem_free(h->unsealed);
	mem_free(h->dir);
	mem_free(h);
}

struct hourfile *hours_current(struct hours *h)
{
	return h->current;
}

/* Whatever the file before the current one says counts again. */
static int go_back(struct hours *h, int64_t now_us, struct error *err)
{
	struct hourfile *old = h->current;
	int rc;

	h->current = NULL;
	h->unsealed_n = 0;
	rc = take_up(h, now_us, err);
	if (h->current == NULL)
		h->current = old;
	else
		hourfile_close(old);
	return rc;
}

int hours_renew(struct hours *h, bool damaged, int64_t now_us,
    struct error *err)
{
	int64_t hour = hourfile_hour(h->current);

	for (int i = 0; i < READERS; i++)
		close_reader(h, i);
	if (damaged)
		error_sys(err, EBADMSG, "%s", hours_error(h));
	else if (hourfile_reopen(h->current, h->dir, err) == 0)
		return roll_if_sealed(h, now_us, err);
	if (err->no != EBADMSG && err->no != ENOENT)
		return -1;
	if (err->no == EBADMSG)
		set_aside(h, hour, err);
	return go_back(h, now_us, err);
}

/* ---- from hour to hour ------------------------------------------------- */

int hours_roll(struct hours *h, int64_t hour, struct error *err)
{
	struct hour_state st = *hourfile_state(h->current);
	int64_t last = hourfile_hour(h->current);
	struct hourfile *f;

	if (hour <= last)
		hour = last + 1;
	st.node = h->node;
	f = hourfile_create(h->dir, hour, &st, h->current, err);
	if (f == NULL)
		return -1;
	hourfile_close(h->current);
	h->current = f;
	wait_for_seal(h, last);
	return 0;
}

static void forget_reader(struct hours *h, int64_t hour)
{
	for (int i = 0; i < READERS; i++) {
		struct hourfile *f = h->reader[i].f;

		if (f == NULL || hourfile_hour(f) != hour)
			continue;
		close_reader(h, i);
	}
}

int hours_seal(struct hours *h, struct error *err)
{
	struct hourfile *f;
	int64_t hour;
	int rc = 0;

	if (h->unsealed_n == 0)
		return 0;
	hour = h->unsealed[h->unsealed_n - 1];
	forget_reader(h, hour);
	f = hourfile_open(h->dir, hour, HOUR_SEAL, err);
	if (f != NULL)
		rc = hourfile_seal(f, h->dir, err);
	else if (err->no != ENOENT) /* pruned meanwhile */
		rc = -1;
	if (rc != 0)
		return -1;
	h->unsealed_n--;
	return 1;
}

void hours_prune(struct hours *h, bool (*old)(void *arg, int64_t hour),
    void *arg)
{
	char path[PATH_MAX];
	struct error err;
	int64_t *all;
	size_t n;

	if (hour_list(h->dir, &all, &n, &err) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (all[i] == hourfile_hour(h->current) || !old(arg, all[i]))
			continue;
		forget_reader(h, all[i]);
		path_of(h, all[i], "", path);
		if (unlink(path) == 0)
			log_info("audit.pruned", kv_str("file", path));
	}
	mem_free(all);
}

/* ---- older files ------------------------------------------------------- */

/* Why a file cannot be read is in h->err. It is there all the same. */
static int unreadable(struct hours *h, int64_t hour)
{
	bool pruned = h->err.no == ENOENT; /* meanwhile */

	if (!pruned && h->err.no != EBADMSG && !h->pass_over)
		return -1;
	if (!pruned && h->told != hour)
		log_error("audit.unreadable", kv_err(&h->err));
	h->told = hour;
	h->passed = h->passed || !pruned;
	h->err.text[0] = '\0';
	return 0;
}

int hours_unreadable(struct hours *h, struct hourfile *f)
{
	int64_t hour = hourfile_hour(f);

	if (f == h->current)
		return -1;
	error_sys(&h->err, hourfile_damaged(f) ? EBADMSG : EIO, "%s: %s",
	    h->dir, hourfile_error(f));
	forget_reader(h, hour);
	return unreadable(h, hour);
}

void hours_pass_over(struct hours *h, bool yes)
{
	h->pass_over = yes;
}

bool hours_passed_over(const struct hours *h)
{
	return h->passed;
}

const char *hours_error(struct hours *h)
{
	return h->err.text[0] != '\0' ? h->err.text
				      : hourfile_error(h->current);
}

/* NULL: h->err says why. */
static struct hourfile *reader_for(struct hours *h, int64_t hour)
{
	int oldest = 0;

	for (int i = 0; i < READERS; i++) {
		struct hourfile *f = h->reader[i].f;

		if (f != NULL && hourfile_hour(f) == hour) {
			h->reader[i].used = ++h->clock;
			return f;
		}
		if (h->reader[i].used < h->reader[oldest].used)
			oldest = i;
	}
	close_reader(h, oldest);
	h->reader[oldest].f = hourfile_open(h->dir, hour, HOUR_READ, &h->err);
	h->reader[oldest].used = ++h->clock;
	return h->reader[oldest].f;
}

static bool exists(const struct hours *h, int64_t hour)
{
	char path[PATH_MAX];

	path_of(h, hour, "", path);
	return access(path, F_OK) == 0;
}

/* A message whose file is looked for. */
struct home_search {
	uint64_t id;
	struct arena *a;
	struct envelope *env_out;
	struct hourfile **home_out;
};

static int in_older(struct hours *h, int64_t hour,
    const struct home_search *s)
{
	int rc;

	if (!exists(h, hour))
		return 0;
	*s->home_out = reader_for(h, hour);
	if (*s->home_out == NULL)
		return unreadable(h, hour);
	rc = hourfile_message(*s->home_out, s->id, s->a, s->env_out);
	return rc < 0 ? hours_unreadable(h, *s->home_out) : rc;
}

/* The one file before the hour of its id. */
static int in_earlier(struct hours *h, const struct home_search *s)
{
	int64_t *all, first;
	size_t n;

	if (hour_list(h->dir, &all, &n, &h->err) != 0)
		return -1;
	first = hour_first(all, n, s->id);
	mem_free(all);
	return first == hourfile_hour(h->current)
		   ? 0
		   : in_older(h, first, s);
}

int hours_home(struct hours *h, uint64_t id, struct arena *a,
    struct envelope *env_out, struct hourfile **home_out)
{
	const struct home_search s = {id, a, env_out, home_out};
	int64_t now = hourfile_hour(h->current);
	int64_t hour = hour_of(id_wall_ms(id) * 1000);
	int64_t last = hour + HOURS_OF_AN_UPLOAD;
	int rc;

	h->err.text[0] = '\0';
	h->passed = false;
	/* Most messages are in the current file, also those with the id of an
	 * earlier hour that were accepted after the clock was set back. */
	*home_out = h->current;
	rc = hourfile_message(h->current, id, a, env_out);
	for (; rc == 0 && hour < now && hour <= last; hour++)
		rc = in_older(h, hour, &s);
	return rc == 0 ? in_earlier(h, &s) : rc;
}

/* Those that hours_home() does not look at, the newest first. */
static int in_later(struct hours *h, const struct home_search *s)
{
	int64_t from = hour_of(id_wall_ms(s->id) * 1000) + HOURS_OF_AN_UPLOAD;
	int64_t *all;
	size_t n;
	int rc = 0;

	if (hour_list(h->dir, &all, &n, &h->err) != 0)
		return -1;
	while (n-- > 0 && all[n] > from && rc == 0)
		if (all[n] != hourfile_hour(h->current))
			rc = in_older(h, all[n], s);
	mem_free(all);
	return rc;
}

int hours_home_of_any(struct hours *h, uint64_t id, struct arena *a,
    struct envelope *env_out, struct hourfile **home_out)
{
	const struct home_search s = {id, a, env_out, home_out};
	int rc = hours_home(h, id, a, env_out, home_out);

	return rc == 0 ? in_later(h, &s) : rc;
}

void hours_since(struct hours *h, uint64_t id,
    bool (*fn)(void *arg, struct hourfile *f), void *arg)
{
	int64_t from;
	int64_t now = hourfile_hour(h->current);
	struct error err;
	int64_t *all;
	size_t n;

	if (hour_list(h->dir, &all, &n, &err) != 0)
		return;
	from = hour_first(all, n, id);
	for (size_t i = 0; i < n; i++) {
		struct hourfile *f;

		/* A clock that stepped back leaves old ids in a later file. */
		if (all[i] < from && all[i] != now)
			continue;
		f = all[i] == now ? h->current : reader_for(h, all[i]);
		if (f != NULL && fn(arg, f))
			break;
	}
	h->err.text[0] = '\0';
	mem_free(all);
}
