/* SPDX-License-Identifier: ISC
 *
 * Control commands that show a message's content: in chunks, as fast as the
 * client reads, and with a record of who did. The ops loop.
 */
#include "relay/control/control_int.h"

#include <openssl/evp.h>

#include "relay/audit/note_post.h"

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

void control_content_fetched(struct spool_fetch *f)
{
	struct content *ct = f->arg;

	if (f->status != 0) {
		content_end(ct, 1, f->err.text);
		spool_fetch_free(f);
		return;
	}
	note_body(ct, f->id);
	ct->source = f->source;
	f->source = NULL;
	spool_fetch_free(f);
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
	f->want_body = true;
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
		control_content(arg, r, id, CONTENT_EXPORT);
}
