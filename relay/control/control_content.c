/* SPDX-License-Identifier: ISC
 *
 * Control commands that show a message's content: in chunks, as fast as the
 * client reads, and with a record of who did. The ops loop.
 */
#include "relay/control/control_int.h"

#include <openssl/evp.h>

#include "relay/audit/note_post.h"
#include "relay/control/carried.h"

enum { CHUNK = 48 << 10 };

struct content {
	struct control *c;
	struct ctl_request *r;
	enum content_for what;
	struct source *source;
};

static void content_end(struct content *ct, int code, const char *why)
{
	ctl_end(ct->r, code, "%s", why);
	source_free(ct->source);
	ct->c->busy--;
	mem_free(ct);
}

static const char *const commands[] = {
	[CONTENT_SHOW] = "queue show --body",
	[CONTENT_EXPORT] = "queue export",
	[CONTENT_CARRY] = "queue export --all",
	[CONTENT_KEPT] = "queue show",
	[CONTENT_KEPT_BODY] = "queue show --body",
};

static void send_chunk(const struct content *ct, struct slice bytes)
{
	while (bytes.n > 0) {
		struct slice part = slice_head(bytes, CHUNK);
		char *text = mem_new(part.n / 3 * 4 + 8);
		struct jout *j;

		EVP_EncodeBlock((unsigned char *)text,
		    (const unsigned char *)part.p, (int)part.n);
		j = ctl_row(ct->r);
		jout_str(j, "section", "body");
		jout_str(j, "chunk", text);
		ctl_row_end(ct->r);
		mem_free(text);
		bytes = slice_from(bytes, part.n);
	}
}

static void on_content(void *arg)
{
	struct content *ct = arg;
	struct slice chunk;

	while (!ctl_gone(ct->r)) {
		if (ctl_busy(ct->r)) {
			ctl_on_drain(ct->r, on_content, ct);
			return;
		}
		switch (source_next(ct->source, &chunk)) {
		case SOURCE_CHUNK:
			send_chunk(ct, chunk);
			break;
		case SOURCE_WAIT:
			return;
		case SOURCE_END:
			content_end(ct, 0, "");
			return;
		case SOURCE_ERROR:
			content_end(ct, 1, "the message cannot be read from "
					   "the journal");
			return;
		}
	}
	content_end(ct, 1, "gone");
}

static struct jout *section(struct content *ct, const char *name)
{
	struct jout *j = ctl_row(ct->r);

	jout_str(j, "section", name);
	return j;
}

/* All that another Posthouse must know of it. */
static void send_envelope(struct content *ct, const struct spool_fetch *f,
    const struct envelope *e)
{
	const struct names *names = ct->c->cfg.shared->names;

	carried_print_envelope(section(ct, "envelope"), e);
	ctl_row_end(ct->r);
	for (unsigned i = 0; i < e->rcpts; i++) {
		carried_print_rcpt(section(ct, "recipient"), e, i);
		ctl_row_end(ct->r);
	}
	for (unsigned i = 0; i < f->deliveries; i++) {
		carried_print_delivery(section(ct, "delivery"), names,
		    &f->delivery[i], strbuf_view(&f->reply[i]));
		ctl_row_end(ct->r);
	}
}

static bool give_envelope(struct content *ct, const struct spool_fetch *f)
{
	struct arena *a = arena_new();
	struct envelope e;
	bool sound = envelope_unpack(strbuf_view(&f->envelope), a, &e) == 0;

	if (sound)
		send_envelope(ct, f, &e);
	arena_free(a);
	return sound;
}

/* Reading a body is an event with who (A3). */
static void note_body(const struct content *ct, uint64_t id)
{
	const struct shared *sh = ct->c->cfg.shared;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_BODY);
	char text[ID_TEXT];

	id_text(id, text);
	jout_str(j, "id", text);
	jout_str(j, "who", ctl_who(ct->r));
	jout_str(j, "command", commands[ct->what]);
	note_post(&n, sh->spool, NOTE_BODY, clock_wall_us(sh->clock));
}

static void content_failed(struct content *ct, const struct spool_fetch *f)
{
	/* Over since the queue was asked: nothing to carry. */
	if (ct->what == CONTENT_CARRY && f->err.no == 0) {
		section(ct, "gone");
		ctl_row_end(ct->r);
		content_end(ct, 0, "");
	} else if (f->err.no == 0) {
		content_end(ct, 1, "no such message is in the queue or kept "
				   "(spool.retain); see `posthouse trace`");
	} else {
		content_end(ct, 1, f->err.text);
	}
}

/* The rows before the body; `f` is taken. */
static bool give_rows(struct content *ct, struct spool_fetch *f)
{
	bool good = true;

	if (ct->what == CONTENT_KEPT || ct->what == CONTENT_KEPT_BODY)
		return control_print_kept(ct->c, ct->r, f);
	if (ct->what == CONTENT_CARRY)
		good = give_envelope(ct, f);
	spool_fetch_free(f);
	return good;
}

void control_content_fetched(struct spool_fetch *f)
{
	struct content *ct = f->arg;
	uint64_t id = f->id;

	if (f->status != 0) {
		content_failed(ct, f);
		spool_fetch_free(f);
		return;
	}
	ct->source = f->source;
	f->source = NULL;
	if (!give_rows(ct, f)) {
		content_end(ct, 1, "its envelope cannot be read");
		return;
	}
	if (ct->source == NULL) {
		content_end(ct, 0, "");
		return;
	}
	note_body(ct, id);
	ct->source->ready = on_content;
	ct->source->ready_arg = ct;
	on_content(ct);
}

void control_content(struct control *c, struct ctl_request *r, uint64_t id,
    enum content_for what)
{
	struct content *ct = NEW(struct content);
	struct spool_fetch *f = spool_fetch_new(id, &c->box, O_CONTENT);

	ct->c = c;
	ct->r = r;
	ct->what = what;
	c->busy++;
	f->arg = ct;
	f->want_body = what != CONTENT_KEPT;
	f->want_kept = what != CONTENT_CARRY;
	spool_fetch_post(c->cfg.shared->spool, f);
}

void control_queue_export(void *arg, struct ctl_request *r,
    const json_t *args)
{
	uint64_t id;

	if (id_parse(slice_str(control_arg(args, "id")), &id) < 0)
		ctl_end(r, 1, "\"%s\" is no message id",
		    control_arg(args, "id"));
	else
		control_content(arg, r, id,
		    json_is_true(json_object_get(args, "envelope"))
			? CONTENT_CARRY : CONTENT_EXPORT);
}
