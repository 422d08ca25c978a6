/* SPDX-License-Identifier: ISC
 *
 * The lines of status that are about the node and not about a leg: process,
 * table, queue, spool, disks, audit index, certificates. The ops loop.
 */
#include "relay/watch/oldtls.h"
#include "relay/control/control_int.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "relay/audit/projector.h"
#include "relay/base/mem.h"
#include "relay/watch/certificates.h"
#include "relay/post/worker.h"
#include "relay/client/client.h"
#include "relay/net/listen.h"
#include "relay/post/workers.h"

enum { US = 1000000 };

static void row_node(const struct control *c, struct ctl_request *r)
{
	struct jout *j = ctl_row(r);
	int sessions = 0, dialogs = 0;

	for (int i = 0; i < c->cfg.shared->workers->n; i++) {
		sessions += atomic_load(&c->cfg.worker[i]->sessions);
		dialogs += atomic_load(&c->cfg.worker[i]->dialogs);
	}
	jout_str(j, "section", "node");
	jout_str(j, "hostname", c->snapshot->conf->hostname);
	jout_int(j, "pid", getpid());
	jout_time(j, "started", c->cfg.started_us);
	jout_int(j, "workers", c->cfg.shared->workers->n);
	jout_int(j, "connections", acceptor_connections(c->cfg.acceptor));
	jout_int(j, "sessions", sessions);
	jout_int(j, "dialogs", dialogs);
	ctl_row_end(r);
}

static const char *health_text(const struct control *c,
    const struct spool_stats *s)
{
	static const char *const text[] = {[SPOOL_OK] = "ok",
	    [SPOOL_LOW] = "low", [SPOOL_NO_SPACE] = "no space",
	    [SPOOL_SYNC_FAILED] = "sync failed: restart needed"};

	if (s->full && s->health < SPOOL_NO_SPACE)
		return "full: new mail is refused";
	if (s->health == SPOOL_OK && c->cfg.degraded != NULL)
		return c->cfg.degraded;
	return text[s->health];
}

static void row_spool(const struct control *c, struct ctl_request *r,
    const struct spool_stats *s)
{
	struct jout *j = ctl_row(r);

	jout_str(j, "section", "spool");
	jout_str(j, "health", health_text(c, s));
	if (c->cfg.missing != NULL && c->cfg.missing[0] != '\0')
		jout_str(j, "missing_generations", c->cfg.missing);
	jout_int(j, "segments", (int64_t)s->segments);
	jout_int(j, "spares", (int64_t)s->spares);
	jout_int(j, "used_bytes", (int64_t)s->used_bytes);
	jout_int(j, "free_bytes", (int64_t)s->free_bytes);
	jout_int(j, "live_messages", (int64_t)s->live_messages);
	jout_int(j, "batches", (int64_t)s->batches);
	jout_int(j, "syncs", (int64_t)s->syncs);
	jout_int(j, "recycled", (int64_t)s->recycled);
	jout_int(j, "carried", (int64_t)s->carried);
	if (s->oldest_us != 0)
		jout_time(j, "oldest", s->oldest_us);
	ctl_row_end(r);
}

static void row_table_and_queue(const struct control *c, struct ctl_request *r,
    const struct queue_counts *q)
{
	struct jout *j = ctl_row(r);

	jout_str(j, "section", "table");
	jout_int(j, "change",
	    (int64_t)atomic_load(&c->cfg.shared->change_seen));
	jout_str(j, "state", atomic_load(&c->cfg.shared->table_bad)
	    ? "unusable" : "ok");
	ctl_row_end(r);
	j = ctl_row(r);
	jout_str(j, "section", "queue");
	jout_int(j, "messages", (int64_t)q->messages);
	jout_int(j, "deliveries", (int64_t)q->deliveries);
	ctl_row_end(r);
}

static void rows_certificates(const struct control *c, struct ctl_request *r)
{
	const struct certificates *all = c->cfg.certificates;

	for (unsigned i = 0; i < certificates_count(all); i++) {
		struct jout *j = ctl_row(r);

		jout_str(j, "section", "certificate");
		certificates_print(all, i, j);
		ctl_row_end(r);
	}
}

/* The clients that needed a lower tls_min since the start. */
static void rows_oldtls(const struct control *c, struct ctl_request *r)
{
	for (unsigned i = 0; i < oldtls_count(c->cfg.oldtls); i++) {
		struct jout *j = ctl_row(r);

		jout_str(j, "section", "old-tls");
		oldtls_print(c->cfg.oldtls, i, j);
		ctl_row_end(r);
	}
}

/* ---- disks ---- */

static void row_disk(struct ctl_request *r, const char *holds,
    const char *path)
{
	struct statvfs fs;
	struct jout *j;

	if (statvfs(path, &fs) != 0)
		return;
	j = ctl_row(r);
	jout_str(j, "section", "disk");
	jout_str(j, "holds", holds);
	jout_int(j, "free_bytes", (int64_t)fs.f_bavail * (int64_t)fs.f_frsize);
	jout_int(j, "size_bytes", (int64_t)fs.f_blocks * (int64_t)fs.f_frsize);
	ctl_row_end(r);
}

/* A line for each file system, with what lies there. */
static void rows_disks(const struct conf *c, struct ctl_request *r)
{
	const struct {
		const char *what, *path;
	} kept[] = {
	    {"spool", c->spool.path},
	    {"table", c->table.path},
	    {"audit", c->audit.path},
	};
	dev_t dev[ARRAY_LEN(kept)];
	bool said[ARRAY_LEN(kept)] = {false};
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		dev[i] = stat(kept[i].path, &st) == 0 ? st.st_dev : 0;
		said[i] = dev[i] == 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct strbuf holds;

		strbuf_init(&holds, 100);
		for (size_t k = i; k < ARRAY_LEN(kept); k++) {
			if (said[k] || dev[k] != dev[i])
				continue;
			said[k] = true;
			strbuf_addf(&holds, "%s%s", holds.n > 0 ? " " : "",
			    kept[k].what);
		}
		if (holds.n > 0)
			row_disk(r, strbuf_cstr(&holds), kept[i].path);
		strbuf_fini(&holds);
	}
}

/* How much later than mail the index is: trace knows nothing newer. */
static void row_index(const struct control *c, struct ctl_request *r)
{
	struct projector_stats st;
	struct jout *j;

	projector_stats(c->cfg.projector, &st);
	j = ctl_row(r);
	jout_str(j, "section", "index");
	jout_str(j, "state", st.failing ? "failing: see the log" : "ok");
	jout_int(j, "behind_s", st.behind_us / US);
	jout_int(j, "gaps", (int64_t)st.gap);
	jout_time(j, "deliveries_since", st.known_us);
	ctl_row_end(r);
}

void control_rows_node(const struct control *c, struct ctl_request *r,
    const struct spool_stats *s, const struct queue_counts *q)
{
	row_node(c, r);
	row_table_and_queue(c, r, q);
	row_spool(c, r, s);
	rows_disks(c->snapshot->conf, r);
	row_index(c, r);
	control_row_spf(c, r);
	rows_certificates(c, r);
	rows_oldtls(c, r);
}
