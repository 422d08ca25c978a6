/* SPDX-License-Identifier: ISC
 *
 * Operational log: events with typed fields, one line each.
 */
#include "relay/base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/id.h"
#include "relay/base/strbuf.h"

enum { LINE_MAX_BYTES = 4000 };

static struct {
	_Atomic int fd;
	_Atomic int max;
	_Atomic bool journal;
	_Atomic(const struct clock *) clock;
} sink = {2, LOG_LV_INFO, false, &clock_system};

/* JOURNAL_STREAM=DEVICE:INODE of the stream that goes to the journal
 * (systemd.exec(5)): whatever standard error was sent to since then is told
 * from it by these two numbers. */
static bool is_journal(int fd)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct slice inode = slice_str(text == NULL ? "" : text), device;
	uint64_t dev, ino;
	struct stat st;

	return slice_next(&inode, ':', &device) &&
	       slice_uint(device, UINT64_MAX, &dev) &&
	       slice_uint(inode, UINT64_MAX, &ino) && fstat(fd, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

/* One write(2): what the kernel has outlives the process. */
static void log_assertion(const char *cond, const char *at)
{
	log_error("assert.failed", kv_str("at", at), kv_str("condition", cond));
}

void log_setup(int fd, enum log_level max, const struct clock *clock)
{
	atomic_store(&sink.clock, clock);
	atomic_store(&sink.max, (int)max);
	atomic_store(&sink.journal, is_journal(fd));
	atomic_store(&sink.fd, fd);
	assert_report_to(log_assertion);
}

static bool needs_quotes(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' ||
		    s.p[i] == '\\' || s.p[i] == 0x7f)
			return true;
	return s.n == 0;
}

static void add_value(struct strbuf *b, struct slice s)
{
	if (!needs_quotes(s)) {
		strbuf_addsl(b, s);
		return;
	}
	strbuf_addc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			strbuf_addc(b, '\\');
		if (c < 0x20 || c >= 0x7f)
			strbuf_addf(b, "\\x%02X", c);
		else
			strbuf_addc(b, (char)c);
	}
	strbuf_addc(b, '"');
}

static void add_field(struct strbuf *b, const struct kv *f)
{
	char id[ID_TEXT];

	strbuf_addf(b, " %s=", f->key);
	switch (f->type) {
	case KV_SLICE:
		add_value(b, f->s);
		break;
	case KV_INT:
		strbuf_addf(b, "%" PRId64, f->i);
		break;
	case KV_ID:
		id_text((uint64_t)f->i, id);
		strbuf_adds(b, id);
		break;
	}
}

void log_write(enum log_level level, const char *event, const struct kv *kv)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	/* The priorities of syslog, which the journal reads (sd-daemon(3)). */
	static const char *const prefixes[] = {"<3>", "<4>", "<6>", "<7>"};
	int fd = atomic_load(&sink.fd);
	char stamp[CLOCK_RFC3339_MAX];
	struct strbuf b;

	if (fd < 0 || (int)level > atomic_load(&sink.max))
		return;
	strbuf_init(&b, LINE_MAX_BYTES);
	clock_rfc3339(clock_wall_us(atomic_load(&sink.clock)), stamp);
	strbuf_addf(&b, "%s%s %s %s",
	    atomic_load(&sink.journal) ? prefixes[level] : "", stamp,
	    names[level], event);
	for (; kv->key != NULL; kv++)
		add_field(&b, kv);
	/* A line past the ceiling is cut, never dropped. */
	b.max += 1;
	b.overflow = false;
	strbuf_addc(&b, '\n');
	/* A log that cannot be written must not stop the mail. */
	if (write(fd, b.p, b.n) < 0)
		(void)0;
	strbuf_fini(&b);
}
