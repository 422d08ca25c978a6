/* SPDX-License-Identifier: ISC
 *
 * An asking for the commands.
 */
#include "relay/cli/preflight/preflight_open.h"

#include "relay/base/clock.h"

struct asking_follow {
	struct cli *c;
	int64_t number;
};

static uint64_t count_at(const json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

static void on_row(void *arg, json_t *row)
{
	struct asking_follow *f = arg;

	f->number = json_integer_value(json_object_get(row, "number"));
	if (f->c->bar.total == 0)
		progress_begin(&f->c->bar, "asking", count_at(row, "rows"));
	progress_at(&f->c->bar, count_at(row, "settled"));
}

static int preflight_follow(struct cli *c, json_t *args, int64_t *number_out)
{
	struct asking_follow f = {c, 0};
	int code;

	json_object_set_new(args, "wait", json_true());
	code = cli_call(c, "preflight.start", args, on_row, &f);
	progress_end(&c->bar);
	*number_out = f.number;
	return code;
}

static void preflight_close(struct preflight_open *p)
{
	observed_close(p->o);
	p->o = NULL;
}

static int preflight_read(struct cli *c, const struct asking_which *which,
    struct preflight_open *out)
{
	const struct conf *conf = cli_conf(c);
	struct error err;
	int rc;

	*out = (struct preflight_open){.c = c};
	if (conf == NULL)
		return CLI_NO;
	out->o = observed_read(conf->audit.path, &err);
	if (out->o == NULL)
		return cli_fail(c, "%s", err.text);
	rc = asking_get(out->o, which, c->arena, &out->asking, &err);
	if (rc > 0)
		return CLI_DONE;
	preflight_close(out);
	return rc < 0 ? cli_fail(c, "%s", err.text)
		      : cli_fail(c, "nothing of that name was asked; leave "
			    "--show out, and it is");
}

int preflight_show(struct cli *c, json_t *args, struct asking_which which,
    int (*report)(struct cli *c, const struct preflight_open *o))
{
	struct preflight_open o;
	int code = args == NULL ? CLI_DONE
				: preflight_follow(c, args, &which.number);

	if (code == CLI_DONE)
		code = preflight_read(c, &which, &o);
	if (code != CLI_DONE)
		return code;
	code = report(c, &o);
	preflight_close(&o);
	return code;
}

void preflight_say_asking(const struct preflight_open *p)
{
	const struct asking *a = &p->asking;
	char at[CLOCK_LOCAL_MAX];

	clock_local(a->started_us, at);
	out_say(&p->c->out, "asked at %s by %s", at, a->who);
	if (a->ended_us == 0)
		out_say(&p->c->out, "it goes on: these are the answers so "
		    "far");
	else if (a->stop != PREFLIGHT_GO)
		out_say(&p->c->out, "it was stopped: %s", a->reason);
}

enum preflight_class preflight_row_class(const struct asked_row *row)
{
	return preflight_judge((enum preflight_class)row->class,
	    (enum preflight_class)row->random_class);
}

void preflight_put_reply(struct jout *j, const struct asked_row *row)
{
	if (row->at_us != 0)
		jout_time(j, "at", row->at_us);
	if (row->code != 0)
		jout_int(j, "code", row->code);
	if (row->enh[0] != '\0')
		jout_str(j, "enhanced", row->enh);
	jout_str(j, "reply", row->reply);
}
