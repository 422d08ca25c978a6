/* SPDX-License-Identifier: ISC
 *
 * The identity of the spool: its lock, and spool.key with the format's
 * version, the spool's id and the secret of its checksums. The key is made
 * once, before anything else is written; without it nothing in the spool can
 * be read. It says the newest format that the spool may hold, so an older
 * program refuses it: it is written again before the first batch of a newer
 * format is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum {
	LIFE_BYTES = 8 + SUM_KEY + 8 + 8,
	KEY_MAX = 256 + LIVES_MAX * LIFE_BYTES,
	PID_TEXT = 12,
	FORMAT_LIVES = 2, /* from it on there is a list of lives */
};

static const struct slice magic = {"posthouse-spool ", 16};

static int make_directory(struct spool *s, struct error *err)
{
	struct diskio *io = s->c.io;

	if (io->mkdir(io, s->path, 0700) == 0 || errno == EEXIST)
		return 0;
	return error_sys(err, errno, "make spool %s", s->path);
}

static int lock_taken(struct spool *s, int no, struct error *err)
{
	char pid[PID_TEXT + 1] = {0};
	uint64_t v = 0;

	if (no != EWOULDBLOCK && no != EACCES)
		return error_sys(err, no, "lock spool %s", s->path);
	if (s->c.io->pread(s->c.io, s->lock_fd, pid, PID_TEXT, 0) < 0)
		pid[0] = '\0';
	if (!slice_uint(slice_trim(slice_str(pid)), INT32_MAX, &v))
		return error_set(err, "spool %s is in use", s->path);
	return error_set(err, "spool %s is in use by process %d", s->path,
	    (int)v);
}

int key_lock(struct spool *s, struct error *err)
{
	struct diskio *io = s->c.io;
	char pid[PID_TEXT + 1];
	struct strbuf path;
	int no;

	if (make_directory(s, err) < 0)
		return -1;
	strbuf_init(&path, 4096);
	spool_path(s, "lock", &path);
	s->lock_fd = io->open(io, path.p, O_RDWR | O_CREAT, 0600);
	no = errno;
	strbuf_fini(&path);
	if (s->lock_fd < 0)
		return error_sys(err, no, "spool %s cannot be written",
		    s->path);
	if (io->lock(io, s->lock_fd) < 0)
		return lock_taken(s, errno, err);
	snprintf(pid, sizeof(pid), "%*d", PID_TEXT, (int)getpid());
	if (io->pwrite(io, s->lock_fd, pid, PID_TEXT, 0) < 0)
		return error_sys(err, errno, "spool %s cannot be written",
		    s->path);
	return 0;
}

static uint64_t key_sum(struct slice s)
{
	static const uint64_t key[2] = {0};

	return hash_siphash(key, s.p, s.n);
}

static void take_lives(struct spool *s, struct unpack *u)
{
	s->key.lives = s->key.format < FORMAT_LIVES ? 0 : unpack_u8(u);
	if (s->key.lives > LIVES_MAX) {
		u->bad = true;
		s->key.lives = 0;
	}
	for (unsigned i = 0; i < s->key.lives; i++) {
		struct spool_life *l = &s->key.life[i];

		l->id = unpack_u64(u);
		for (int k = 0; k < SUM_KEY; k++)
			l->secret[k] = unpack_u8(u);
		l->main_to = unpack_u64(u);
		l->bulk_to = unpack_u64(u);
	}
}

static bool take_values(struct spool *s, struct slice text)
{
	struct unpack u;

	unpack_init(&u, text);
	s->key.id = unpack_u64(&u);
	s->key.segment_bytes = unpack_u64(&u);
	for (int i = 0; i < SUM_KEY; i++)
		s->key.secret[i] = unpack_u8(&u);
	take_lives(s, &u);
	text = slice_head(text, text.n - u.rest.n);
	return unpack_u64(&u) == key_sum(text) && unpack_end(&u) &&
	    s->key.segment_bytes % BLOCK == 0 &&
	    s->key.segment_bytes >= SEGMENT_MIN &&
	    s->key.segment_bytes <= SEGMENT_MAX;
}

static int parse(struct spool *s, struct slice text, struct error *err)
{
	struct slice version;
	uint64_t v = 0;

	if (!slice_starts(text, magic))
		return error_set(err, "%s/spool.key is not a spool's key",
		    s->path);
	text = slice_from(text, magic.n);
	if (!slice_next(&text, '\n', &version) ||
	    !slice_uint(version, UINT32_MAX, &v) || v == 0)
		return error_set(err, "%s/spool.key is damaged", s->path);
	if (v > FORMAT_VERSION)
		return error_set(err, "spool %s was made by format %u; this "
		    "program reads up to %d", s->path, (unsigned)v,
		    FORMAT_VERSION);
	s->key.format = (unsigned)v;
	return take_values(s, text)
		   ? 0
		   : error_set(err, "%s/spool.key is damaged", s->path);
}

struct names_found {
	bool segments, restoring;
};

static void on_name(void *arg, const char *name)
{
	struct names_found *f = arg;

	if (slice_starts(slice_str(name), SLICE("seg.")))
		f->segments = true;
	if (strcmp(name, "restoring") == 0)
		f->restoring = true;
}

static void draw(struct spool *s)
{
	struct rng *rng = s->c.rng;

	s->key.id = rng_u64(rng);
	s->key.segment_bytes = s->c.segment_bytes / BLOCK * BLOCK;
	if (s->key.segment_bytes < SEGMENT_MIN)
		s->key.segment_bytes = SEGMENT_MIN;
	if (s->key.segment_bytes > SEGMENT_MAX)
		s->key.segment_bytes = SEGMENT_MAX;
	rng->fill(rng, s->key.secret, SUM_KEY);
}

static void print(const struct spool *s, struct strbuf *out)
{
	size_t from;

	strbuf_addsl(out, magic);
	strbuf_addf(out, "%d\n", FORMAT_VERSION);
	from = out->n;
	pack_u64(out, s->key.id);
	pack_u64(out, s->key.segment_bytes);
	strbuf_add(out, s->key.secret, SUM_KEY);
	pack_u8(out, (uint8_t)s->key.lives);
	for (unsigned i = 0; i < s->key.lives; i++) {
		pack_u64(out, s->key.life[i].id);
		strbuf_add(out, s->key.life[i].secret, SUM_KEY);
		pack_u64(out, s->key.life[i].main_to);
		pack_u64(out, s->key.life[i].bulk_to);
	}
	pack_u64(out, key_sum(slice_from(strbuf_view(out), from)));
}

static int write_key(struct spool *s, const char *tmp, struct slice text)
{
	struct diskio *io = s->c.io;
	int fd = io->open(io, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0600), rc;

	if (fd < 0)
		return -1;
	rc = io->pwrite(io, fd, text.p, text.n, 0) == (ssize_t)text.n ? 0 : -1;
	if (rc == 0)
		rc = io->fsync(io, fd);
	io->close(io, fd);
	return rc;
}

/* By a temporary file, so that there is always a whole one. */
static int replace(struct spool *s, struct error *err)
{
	struct diskio *io = s->c.io;
	struct strbuf text, tmp, path;
	int rc;

	strbuf_init(&text, KEY_MAX);
	strbuf_init(&tmp, 4096);
	strbuf_init(&path, 4096);
	spool_path(s, "spool.key", &path);
	spool_path(s, "spool.key.new", &tmp);
	print(s, &text);
	rc = write_key(s, tmp.p, strbuf_view(&text));
	if (rc == 0)
		rc = io->rename(io, tmp.p, path.p);
	if (rc == 0)
		rc = spool_sync_directory(s);
	if (rc < 0)
		error_sys(err, errno, "write %s", path.p);
	strbuf_fini(&text);
	strbuf_fini(&tmp);
	strbuf_fini(&path);
	return rc;
}

static int make(struct spool *s, struct error *err)
{
	struct names_found found = {0};

	if (s->c.io->list(s->c.io, s->path, on_name, &found) < 0)
		return error_sys(err, errno, "read spool %s", s->path);
	if (found.restoring)
		return error_set(err, "a restore into spool %s was "
		    "interrupted: run posthouse restore again with the same "
		    "backup, or remove restoring and each seg.* there to "
		    "begin with an empty spool", s->path);
	if (found.segments)
		return error_set(err,
		    "%s/spool.key is missing: the spool cannot be read",
		    s->path);
	draw(s);
	s->key.format = FORMAT_VERSION;
	return replace(s, err);
}

int key_upgrade(struct spool *s, struct error *err)
{
	if (s->key.format == FORMAT_VERSION)
		return 0;
	log_info("spool.upgrade", kv_str("path", s->path),
	    kv_int("from", (int64_t)s->key.format),
	    kv_int("to", FORMAT_VERSION));
	s->key.format = FORMAT_VERSION;
	return replace(s, err);
}

void key_of_rcpts(const struct spool *s, uint64_t key_out[2])
{
	static const char label[2][16] = {"posthouse rcpt 0",
	    "posthouse rcpt 1"};
	uint64_t half[2][2];

	/* Hashes that were stored outlive a restore. */
	memcpy(half, s->key.lives > 0 ? s->key.life[0].secret
				      : s->key.secret, sizeof(half));
	for (int i = 0; i < 2; i++)
		key_out[i] = hash_siphash(half[i], label[i], sizeof(label[i]));
}

/* ---- lives ---- */

/* NULL: the present one. */
static const struct spool_life *life_of(const struct spool *s, enum lane lane,
    uint64_t generation)
{
	for (unsigned i = 0; i < s->key.lives; i++) {
		const struct spool_life *l = &s->key.life[i];

		if ((lane == LANE_MAIN && generation <= l->main_to) ||
		    (lane == LANE_BULK && generation <= l->bulk_to))
			return l;
	}
	return NULL;
}

uint64_t key_id(const struct spool *s, enum lane lane, uint64_t generation)
{
	const struct spool_life *l = life_of(s, lane, generation);

	return l == NULL ? s->key.id : l->id;
}

void key_sums(const struct spool *s, enum lane lane, uint64_t generation,
    unsigned char secret_out[SUM_SECRET])
{
	const struct spool_life *l = life_of(s, lane, generation);

	sum_secret(l == NULL ? s->key.secret : l->secret, lane, generation,
	    secret_out);
}

uint64_t key_main_to(const struct spool *s)
{
	return s->key.lives == 0 ? 0 : s->key.life[s->key.lives - 1].main_to;
}

uint64_t key_bulk_to(const struct spool *s)
{
	return s->key.lives == 0 ? 0 : s->key.life[s->key.lives - 1].bulk_to;
}

static void forget_lives(struct spool_key *k, const struct life_bounds *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->lives; i++)
		if (i == 0 || k->life[i].main_to >= b->main_from ||
		    k->life[i].bulk_to >= b->bulk_from)
			k->life[n++] = k->life[i];
	k->lives = n;
}

int key_renew(struct spool *s, const struct life_bounds *b, struct error *err)
{
	struct spool_key *k = &s->key;
	struct spool_life *l;

	PH_ASSERT(b->main_to >= key_main_to(s) &&
	    b->bulk_to >= key_bulk_to(s));
	forget_lives(k, b);
	if (k->lives == LIVES_MAX)
		return error_set(err, "%s: it was restored %d times, and still "
		    "has mail of each; let that go out first", s->path,
		    LIVES_MAX);
	l = &k->life[k->lives++];
	l->id = k->id;
	memcpy(l->secret, k->secret, SUM_KEY);
	l->main_to = b->main_to;
	l->bulk_to = b->bulk_to;
	k->id = rng_u64(s->c.rng);
	s->c.rng->fill(s->c.rng, k->secret, SUM_KEY);
	k->format = FORMAT_VERSION;
	return replace(s, err);
}

/* ---- the file ---- */

static int load(struct spool *s, int fd, struct error *err)
{
	char text[KEY_MAX];
	ssize_t n = s->c.io->pread(s->c.io, fd, text, sizeof(text), 0);

	s->c.io->close(s->c.io, fd);
	if (n < 0)
		return error_sys(err, errno, "read %s/spool.key", s->path);
	if (parse(s, slice_of(text, (size_t)n), err) < 0)
		return -1;
	if (!s->c.look_only && s->c.segment_bytes != s->key.segment_bytes)
		log_warn("spool.segment_size_kept",
		    kv_int("bytes", (int64_t)s->key.segment_bytes));
	return 0;
}

int key_not_locked(struct spool *s, struct error *err)
{
	struct diskio *io = s->c.io;
	struct strbuf path;
	int fd, rc = 0;

	strbuf_init(&path, 4096);
	spool_path(s, "lock", &path);
	fd = io->open(io, path.p, O_RDONLY, 0);
	strbuf_fini(&path);
	if (fd >= 0 && io->lock(io, fd) < 0)
		rc = error_sys(err, EBUSY, "spool %s", s->path);
	if (fd >= 0)
		io->close(io, fd);
	return rc;
}

int key_open(struct spool *s, struct error *err)
{
	struct strbuf path;
	int fd, rc, no;

	strbuf_init(&path, 4096);
	spool_path(s, "spool.key", &path);
	fd = s->c.io->open(s->c.io, path.p, O_RDONLY, 0);
	no = errno;
	if (fd >= 0)
		rc = load(s, fd, err);
	else if (no == ENOENT && !s->c.look_only)
		rc = make(s, err);
	else
		rc = error_sys(err, no, "open %s", path.p);
	strbuf_fini(&path);
	return rc;
}
