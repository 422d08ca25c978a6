/* SPDX-License-Identifier: ISC
 *
 * The line of stragglers: from the files, as waves are (wave_status.c).
 */
#include "relay/cli/straggler/straggler_status.h"

#include <inttypes.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/cli/common/human.h"
#include "relay/straggler/stragglers.h"

struct straggler_sum {
	uint64_t restless;
	int64_t last_us;
};

static bool on_restless(void *arg, const struct straggler_found *f)
{
	struct straggler_sum *sum = arg;

	sum->restless++;
	if (f->seen.last_us > sum->last_us)
		sum->last_us = f->seen.last_us;
	return true;
}

static void put_row(struct cli *c, const struct straggler_sum *sum,
    int64_t since_us)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	struct jout *j;

	out_table(&c->out, none);
	j = out_row(&c->out);
	jout_str(j, "section", "stragglers");
	jout_int(j, "legitimate", (int64_t)sum->restless);
	if (sum->last_us != 0)
		jout_time(j, "last", sum->last_us);
	if (since_us != 0)
		jout_time(j, "since", since_us);
	out_row_end(&c->out);
	out_end(&c->out);
}

static void say_line(struct cli *c, const struct straggler_sum *sum,
    int64_t now_us)
{
	int64_t age_s = (now_us - sum->last_us) / 1000000;
	struct strbuf text;

	strbuf_init(&text, 300);
	human_count((int64_t)sum->restless, &text);
	strbuf_adds(&text, " legitimate and not quiet");
	if (sum->restless > 0) {
		strbuf_adds(&text, ", the last seen ");
		human_age(age_s < 0 ? 0 : age_s, &text);
		strbuf_adds(&text, " ago");
	}
	out_say(&c->out, "stragglers: %s; posthouse stragglers",
	    strbuf_cstr(&text));
	strbuf_fini(&text);
}

static void show(struct cli *c, struct stragglers *s)
{
	const struct conf_verdict *v = conf_verdict(c->conf, SLICE(""));
	int64_t now_us = clock_wall_us(&clock_system);
	struct straggler_sum sum = {.restless = 0};
	struct straggler_ask ask = {
		.quiet_us = v == NULL ? STRAGGLER_QUIET_US : v->quiet_ms * 1000,
		.fn = on_restless, .arg = &sum};
	struct error ignored;

	if (stragglers_restless(s, &ask, now_us, &ignored) != 0)
		return;
	if (c->json)
		put_row(c, &sum, stragglers_since(s));
	else
		say_line(c, &sum, now_us);
}

void straggler_status(struct cli *c)
{
	const struct conf *conf = cli_conf_try(c);
	struct stragglers *s;
	struct error ignored;

	if (conf == NULL || access(conf->table.path, R_OK) != 0)
		return;
	s = stragglers_open(conf, &ignored);
	if (s == NULL)
		return;
	show(c, s);
	stragglers_close(s);
}
