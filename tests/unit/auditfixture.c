/* SPDX-License-Identifier: ISC
 *
 * Shared by the tests of the audit trail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/auditfixture.h"

enum { STEPS_MAX = 2000, TEXT_MAX = 16 << 20 };

const char *const ann[] = {"Ann@example.com", NULL};

int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_audit.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->index, sizeof(f->index), "%s/index", f->dir);
	snprintf(f->events, sizeof(f->events), "%s/events.jsonl", f->dir);
	f->conf.node = 1;
	f->conf.audit.path = f->index;
	f->conf.audit.events = f->events;
	f->conf.audit.keep_ms = INT64_C(90) * 24 * 3600 * 1000;
	f->names = names_new();
	f->legacy = (uint16_t)names_id(f->names, SLICE("legacy"));
	f->cloud = (uint16_t)names_id(f->names, SLICE("cloud"));
	clock_fake_init(&f->clock, T0);
	fakejournal_init(&f->j);
	strbuf_init(&f->found, TEXT_MAX);
	*state = f;
	return 0;
}

void remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

int teardown(void **state)
{
	struct fixture *f = *state;

	projector_close(f->p);
	fakejournal_fini(&f->j);
	names_free(f->names);
	strbuf_fini(&f->found);
	remove_dir(f->index);
	remove_dir(f->dir);
	mem_free(f);
	return 0;
}

void open_projector(struct fixture *f)
{
	struct projector_input in = fakejournal_input(&f->j);
	struct error err;

	f->p = projector_open_on(
	    &f->conf, &in, f->names, &f->clock.clock, &err);
	if (f->p == NULL)
		print_message("%s\n", err.text);
	assert_non_null(f->p);
}

void close_projector(struct fixture *f)
{
	projector_close(f->p);
	f->p = NULL;
}

void steps(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++) {
		clock_fake_step(&f->clock, STEP_MS * 1000);
		projector_step(f->p, clock_mono_ms(&f->clock.clock));
	}
}

/* Until all that is visible is committed and sealed. */
void run(struct fixture *f)
{
	open_projector(f);
	for (int i = 0; i < STEPS_MAX; i++) {
		steps(f, 1);
		if (f->j.at == f->j.visible && i > 20)
			break;
	}
	assert_int_equal(projector_flush(f->p, INT64_MAX), 0);
	close_projector(f);
}

static void on_found(void *arg, struct slice object)
{
	struct fixture *f = arg;

	strbuf_addsl(&f->found, object);
	strbuf_addc(&f->found, '\n');
	f->founds++;
}

const char *trace(struct fixture *f, struct search q)
{
	struct error err = {.text = ""};

	strbuf_reset(&f->found);
	f->founds = 0;
	if (search_run(f->index, &q, on_found, f, &err) != 0)
		fail_msg("%s", err.text);
	f->more = q.more;
	return strbuf_cstr(&f->found);
}

unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

char *read_events(struct fixture *f)
{
	struct strbuf b;
	char buf[4096];
	size_t n;
	FILE *in = fopen(f->events, "r");

	strbuf_init(&b, TEXT_MAX);
	while (in != NULL && (n = fread(buf, 1, sizeof(buf), in)) > 0)
		strbuf_add(&b, buf, n);
	if (in != NULL)
		fclose(in);
	strbuf_cstr(&b);
	return b.p != NULL ? b.p : mem_strdup("");
}

unsigned count_events(struct fixture *f, const char *what)
{
	char *text = read_events(f);
	unsigned n = count(text, what);

	mem_free(text);
	return n;
}

static void on_lost(void *arg, uint64_t id, const char *to)
{
	(void)id;
	snprintf(arg, 64, "%s", to);
}

void verify(struct fixture *f, struct conserve *out, char lost[64])
{
	struct error err;

	lost[0] = '\0';
	*out = (struct conserve){.on_lost = on_lost, .arg = lost};
	assert_int_equal(conserve_run(f->index, f->names, out, &err), 0);
}

struct spool_delivery now(struct fixture *f, enum dstate state,
    unsigned attempts)
{
	return (struct spool_delivery){.leg = f->cloud, .role = ROLE_PRIMARY,
	    .state = (uint8_t)state, .attempts = (uint16_t)attempts,
	    .change = 7};
}

void sent(struct fixture *f, uint64_t id, int64_t at, enum dstate old,
    enum dstate state, unsigned attempts)
{
	struct spool_delivery d = now(f, state, attempts);

	fake_attempt(&f->j, id, at, &d, old);
}

/* `n` messages, each accepted, deferred once and delivered. */
void usual_mail(struct fixture *f, unsigned n, int64_t apart)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t at = T0 + i * apart;
		uint64_t id = fake_id(at, i);

		fake_accepted(&f->j, id, at, "bob@example.org", ann, f->cloud);
		sent(f, id, at + 500000, D_QUEUED, D_DEFERRED, 1);
		sent(f, id, at + 1500000, D_DEFERRED, D_DELIVERED, 2);
	}
}

void assert_all_once(struct fixture *f, unsigned messages,
    int64_t apart)
{
	struct conserve c;
	char lost[64];

	for (unsigned i = 0; i < messages; i++) {
		const char *text = trace(f,
		    (struct search){.id = fake_id(T0 + i * apart, i)});

		assert_int_equal(count(text, "\"event\":\"accepted\""), 1);
		assert_int_equal(count(text, "\"event\":\"deferred\""), 1);
		assert_int_equal(count(text, "\"event\":\"delivered\""), 1);
		assert_int_equal(f->founds, 3);
	}
	verify(f, &c, lost);
	assert_int_equal(c.leg[f->cloud].total[T_CREATED], messages);
	assert_int_equal(c.leg[f->cloud].total[T_DELIVERED], messages);
	assert_int_equal(c.leg[f->cloud].gap, 0);
	assert_int_equal(c.lost, 0);
}

/* Every line stands there at least once, whole. */
void assert_lines(struct fixture *f, unsigned messages)
{
	char *text = read_events(f);
	struct slice rest = slice_str(text), line;
	unsigned seen[3] = {0};
	json_t *pos = json_object();

	while (slice_next(&rest, '\n', &line) && line.n > 0) {
		json_t *o = json_loadb(line.p, line.n, 0, NULL);
		const char *at = json_string_value(json_object_get(o, "pos"));
		const char *ev = json_string_value(json_object_get(o, "event"));

		assert_non_null(at);
		if (json_object_get(pos, at) == NULL)
			seen[ev[0] == 'a' ? 0 : ev[2] == 'f' ? 1 : 2]++;
		json_object_set_new(pos, at, json_true());
		json_decref(o);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen[i], messages);
	json_decref(pos);
	mem_free(text);
}
