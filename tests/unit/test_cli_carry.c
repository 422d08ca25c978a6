/* SPDX-License-Identifier: ISC
 *
 * queue import against a made-up daemon: which messages of a folder are sent,
 * in which lines, and what is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/ops/ctl.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

#define ID1 "0RPBTVKVM0000"
#define ID2 "0RPBTVKVM0001"
#define ID3 "0RPBTVKVM0002"
/* Of "Subject: x\r\n\r\nx\r\n". */
#define EML "Subject: x\r\n\r\nx\r\n"
#define SHA "bba0f4af655951bf67a87e5b9098b436f502a2d5e0d94a4c3859af52e0bf953a"

enum { TEXT_MAX = 64 << 10, RCPTS = 101 };

struct daemon {
	struct ctl_request *r;
	struct strbuf heard; /* the keys of the lines, and how long lists are */
	const char *state;
};

static void on_line(void *arg, const json_t *line)
{
	struct daemon *d = arg;
	const char *key;
	json_t *value;

	if (line == NULL) {
		strbuf_adds(&d->heard, "gone ");
		ctl_end(d->r, 1, NULL);
		return;
	}
	json_object_foreach((json_t *)line, key, value)
		strbuf_addf(&d->heard, json_is_array(value) ? "%s:%zu " : "%s ",
		    key, json_array_size(value));
	if (json_object_get(line, "end") == NULL) {
		ctl_more(d->r, on_line, d);
		return;
	}
	ctl_row_text(d->r, slice_str(d->state));
	ctl_end(d->r, 0, NULL);
}

static void on_import(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;

	strbuf_addf(&d->heard, "%s%s ",
	    json_string_value(json_object_get(args, "id")),
	    json_is_true(json_object_get(args, "delivering")) ? "!" : "");
	assert_null(json_object_get(args, "recipients"));
	d->r = r;
	ctl_more(r, on_line, d);
}

static const struct ctl_command table[] = {
	{"queue.import", on_import}, {NULL, NULL},
};

/* ---- the folder ---- */

static void write_mail(const char *dir, const char *name, const char *id,
    size_t size, const char *sha)
{
	struct strbuf b;
	char file[64];

	strbuf_init(&b, TEXT_MAX);
	strbuf_addf(&b, "{\"posthouse_mail\":1,\"id\":\"%s\",\"size\":%zu,"
	    "\"sha256\":\"%s\",\"deliveries\":[{}],\"recipients\":[{}",
	    id, size, sha);
	for (int i = 1; i < RCPTS; i++)
		strbuf_adds(&b, ",{}");
	strbuf_adds(&b, "]}");
	snprintf(file, sizeof(file), "carried/%s.json", name);
	conf_tmp_write(dir, file, strbuf_cstr(&b));
	snprintf(file, sizeof(file), "carried/%s.eml", name);
	conf_tmp_write(dir, file, EML);
	strbuf_fini(&b);
}

static void forget(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/carried/%s", dir, name);
	unlink(path);
}

static void forget_all(const char *dir)
{
	static const char *const names[] = {"manifest.json", ID1 ".json",
	    ID1 ".eml", ID2 ".json", ID2 ".eml", ID3 ".json", ID3 ".eml",
	    ID1 ".back", "notes.json"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		forget(dir, names[i]);
	snprintf(path, sizeof(path), "%s/carried", dir);
	rmdir(path);
}

static void write_folder(const char *dir, const char *manifest)
{
	char text[512];

	snprintf(text, sizeof(text), "%s/carried", dir);
	mkdir(text, 0700);
	snprintf(text, sizeof(text), "%scontrol { socket = \"%s/sock\" }\n",
	    CONF_BASE, dir);
	conf_tmp_write(dir, "posthouse.conf", text);
	if (manifest != NULL)
		conf_tmp_write(dir, "carried/manifest.json", manifest);
}

/* Runs the command; d->heard is what it asked of the daemon. */
static int import(const char *dir, struct daemon *d, char *out)
{
	struct loop *loop = loop_new(&clock_system);
	struct error err;
	char text[128];
	struct ctl *ctl;
	int code;

	strbuf_reset(&d->heard);
	snprintf(text, sizeof(text), "%s/sock", dir);
	ctl = ctl_open(loop, text, table, d, &err);
	assert_non_null(ctl);
	snprintf(text, sizeof(text), "queue import %s/carried", dir);
	code = cli_rig_run(dir, text, loop, out);
	ctl_close(ctl);
	loop_free(loop);
	return code;
}

static void has(const char *text, const char *piece)
{
	if (strstr(text, piece) == NULL)
		fail_msg("missing: %s\nin: %s", piece, text);
}

static const char all_of[] = "{\"posthouse_export\":1,\"messages\":3,"
    "\"delivering\":false}";

/* ---- tests ---- */

static void what_is_no_export_is_not_imported(void **state)
{
	struct daemon d = {.state = ""};
	char *out = mem_new(CLI_RIG_OUT);

	strbuf_init(&d.heard, TEXT_MAX);
	write_folder(*state, NULL);
	write_mail(*state, ID1, ID1, sizeof(EML) - 1, SHA);
	assert_int_equal(import(*state, &d, out), 1);
	has(out, "it is no folder of `queue export --all`");
	assert_string_equal(strbuf_cstr(&d.heard), "");
	forget_all(*state);
	strbuf_fini(&d.heard);
	mem_free(out);
}

static void an_empty_export_is_imported(void **state)
{
	struct daemon d = {.state = ""};
	char *out = mem_new(CLI_RIG_OUT);

	strbuf_init(&d.heard, TEXT_MAX);
	write_folder(*state, "{\"posthouse_export\":1,\"messages\":0,"
			     "\"delivering\":true}");
	assert_int_equal(import(*state, &d, out), 0);
	assert_string_equal(out,
	    "IMPORTED  KNOWN ALREADY  REFUSED\n"
	    "       0              0        0\n");
	forget_all(*state);
	strbuf_fini(&d.heard);
	mem_free(out);
}

/* In the order of their ids, each in lines of at most 100; the daemon says
 * whether it had a message. */
static void each_message_is_sent_and_counted(void **state)
{
	static const struct {
		const char *state, *out;
	} cases[] = {
		{"{\"state\":\"imported\"}",
		    "       3              0        0\n"},
		{"{\"state\":\"known\"}",
		    "       0              3        0\n"},
	};
	struct daemon d = {.state = ""};
	char *out = mem_new(CLI_RIG_OUT);

	strbuf_init(&d.heard, TEXT_MAX);
	write_folder(*state, all_of);
	write_mail(*state, ID3, ID3, sizeof(EML) - 1, SHA);
	write_mail(*state, ID1, ID1, sizeof(EML) - 1, SHA);
	write_mail(*state, ID2, ID2, sizeof(EML) - 1, SHA);
	conf_tmp_write(*state, "carried/notes.json", "not a message");
	conf_tmp_write(*state, "carried/" ID1 ".back", "nor this");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		d.state = cases[i].state;
		assert_int_equal(import(*state, &d, out), 0);
		has(out, cases[i].out);
		assert_string_equal(strbuf_cstr(&d.heard),
		    ID1 " recipients:100 recipients:1 deliveries:1 chunk end "
		    ID2 " recipients:100 recipients:1 deliveries:1 chunk end "
		    ID3 " recipients:100 recipients:1 deliveries:1 chunk end ");
	}
	forget_all(*state);
	strbuf_fini(&d.heard);
	mem_free(out);
}

/* A file that was renamed, one that was cut and one with other bytes: the
 * last is noticed when all but its end was sent. */
static void what_was_spoilt_is_refused_and_named(void **state)
{
	struct daemon d = {.state = "{\"state\":\"imported\"}"};
	char *out = mem_new(CLI_RIG_OUT);

	strbuf_init(&d.heard, TEXT_MAX);
	write_folder(*state, "{\"posthouse_export\":1,\"messages\":4,"
			     "\"delivering\":true}");
	write_mail(*state, ID1, ID2, sizeof(EML) - 1, SHA);
	write_mail(*state, ID2, ID2, sizeof(EML), SHA);
	write_mail(*state, ID3, ID3, sizeof(EML) - 1, "00");
	assert_int_equal(import(*state, &d, out), 1);
	has(out, "carried/" ID1 ".json: \"id\" is \"" ID2 "\": the file was "
	    "renamed\n");
	has(out, "carried/" ID2 ".eml: it has 17 bytes and should have 18\n");
	has(out, "carried/" ID3 ".eml: it is not what " ID3 ".json says");
	has(out, "       0              0        3\n");
	assert_string_equal(strbuf_cstr(&d.heard),
	    ID3 "! recipients:100 recipients:1 deliveries:1 chunk gone ");
	forget(*state, ID1 ".json");
	forget(*state, ID2 ".json");
	write_mail(*state, ID3, ID3, sizeof(EML) - 1, SHA);
	assert_int_equal(import(*state, &d, out), 1);
	has(out, "1 messages are there, and its manifest counts 4\n");
	has(out, "       1              0        0\n");
	forget_all(*state);
	strbuf_fini(&d.heard);
	mem_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_export_is_not_imported),
		cmocka_unit_test(an_empty_export_is_imported),
		cmocka_unit_test(each_message_is_sent_and_counted),
		cmocka_unit_test(what_was_spoilt_is_refused_and_named),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
