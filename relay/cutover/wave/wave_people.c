/* SPDX-License-Identifier: ISC
 *
 * See wave_people.h.
 */
#include "relay/cutover/wave/wave_people.h"

#include "relay/base/mem.h"
#include "relay/post/mail.h"
#include "relay/queue/queue_people.h"

enum { SLICE_ROWS = 2000 };

struct wave_people {
	char *path;
	struct wave_file *file; /* NULL: at rest */
	struct conf_snapshot *snapshot;
	char *name;
	int64_t id;
	struct queue_people people;
	struct strbuf after; /* the member that was read last */
};

struct wave_people *wave_people_open(const char *table_path,
    struct conf_snapshot *s, const char *name, struct error *err)
{
	struct wave_people *p = NEW(struct wave_people);
	struct wave w;

	p->snapshot = snapshot_ref(s);
	p->name = mem_strdup(name);
	strbuf_init(&p->after, 2 * ADDR_MAX);
	p->path = mem_strdup(table_path);
	queue_people_init(&p->people);
	p->file = wave_file_open(p->path, false, err);
	if (p->file != NULL && wave_need(p->file, name, &w, err) >= 0) {
		p->id = w.id;
		return p;
	}
	wave_people_free(p);
	return NULL;
}

void wave_people_free(struct wave_people *p)
{
	if (p == NULL)
		return;
	wave_file_close(p->file);
	snapshot_unref(p->snapshot);
	strbuf_fini(&p->after);
	mem_free(p->name);
	mem_free(p->path);
	queue_people_fini(&p->people);
	mem_free(p);
}

static void on_key(void *arg, struct slice address)
{
	struct wave_people *p = arg;

	queue_people_add(&p->people, mail_key_hash(p->snapshot->conf, address));
	strbuf_reset(&p->after);
	strbuf_addsl(&p->after, address);
}

int wave_people_read(struct wave_people *p, struct error *err)
{
	const struct member_keys page = {.id = p->id,
	    .after = strbuf_view(&p->after), .limit = SLICE_ROWS,
	    .fn = on_key, .arg = p};
	int n = wave_member_keys(p->file, &page, err);

	return n < 0 ? -1 : n == SLICE_ROWS && !p->people.all;
}

bool wave_people_may(const struct wave_people *p, uint64_t hash)
{
	return queue_people_may(&p->people, hash);
}

int wave_people_has(struct wave_people *p, const char *to, struct error *err)
{
	if (p->file == NULL)
		p->file = wave_file_open(p->path, false, err);
	return p->file == NULL ? -1
			       : wave_has_recipient(p->file,
				     p->snapshot->conf, p->name, to, err);
}

void wave_people_rest(struct wave_people *p)
{
	wave_file_close(p->file);
	p->file = NULL;
}
