/* SPDX-License-Identifier: ISC
 *
 * queue.import by the true daemon: mail of another Posthouse goes on here, is
 * taken once, and nothing of a message that is refused stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>

#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U1 "u1@corp.example"
#define RCPT "{\"recipients\": [{\"to\": \"" U1 "\", \"notify\": 0, " \
	"\"orcpt\": \"\", \"had\": 0}]}"
/* "Subject: x\r\n\r\nx\r\n" */
#define CHUNK "{\"chunk\": \"U3ViamVjdDogeA0KDQp4DQo=\"}"
#define END "{\"end\": true}"

enum { SIZE = 17 };

/* A message of another Posthouse: the words of ours about one that waits
 * here, with another id and content. */
struct carried_mail {
	char id[ID_TEXT];
	char *envelope, *deliveries;
};

/* The first row of a section. */
static json_t *row_of(const char *rows, const char *section)
{
	struct slice rest = slice_str(rows), line;

	while (slice_next(&rest, '\n', &line)) {
		json_t *o = json_loadb(line.p, line.n, 0, NULL);
		const char *is =
		    json_string_value(json_object_get(o, "section"));

		if (is != NULL && strcmp(is, section) == 0)
			return o;
		json_decref(o);
	}
	return NULL;
}

static void model(struct carried_mail *m, const char *id)
{
	char args[64];
	json_t *envelope, *delivery, *deliveries;

	snprintf(args, sizeof(args), "{\"id\": \"%s\", \"envelope\": true}",
	    id);
	envelope = row_of(rig_ctl(0, "queue.export", args), "envelope");
	delivery = row_of(rig_ctl(0, "queue.export", args), "delivery");
	CHECK(envelope != NULL && delivery != NULL);
	snprintf(m->id, sizeof(m->id), "%s", id);
	m->id[ID_TEXT - 2] = id[ID_TEXT - 2] == '1' ? '2' : '1';
	json_object_set_new(envelope, "id", json_string(m->id));
	json_object_set_new(envelope, "size", json_integer(SIZE));
	json_object_set_new(envelope, "delivering", json_false());
	m->envelope = json_dumps(envelope, 0);
	deliveries = json_pack("{s:[o]}", "deliveries", delivery);
	m->deliveries = json_dumps(deliveries, 0);
	json_decref(envelope);
	json_decref(deliveries);
}

static void forget(struct carried_mail *m)
{
	mem_free(m->envelope);
	mem_free(m->deliveries);
}

static void waiting_one(struct carried_mail *m)
{
	char id[16];

	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", U1, id);
	rig_sleep(5);
	model(m, id);
}

static void a_carried_message_goes_on_here_once(void)
{
	struct carried_mail m;

	waiting_one(&m);
	{
		const char *const lines[] = {RCPT, m.deliveries, CHUNK, END,
		    NULL};

		rig_has(rig_ctl_lines(0, "queue.import", m.envelope, lines),
		    "\"state\":\"imported\"");
		rig_has(rig_ctl_lines(0, "queue.import", m.envelope, lines),
		    "\"state\":\"known\"");
		{ /* The same id, and not the same message. */
			char *other = mem_strdup(m.envelope);
			char *from = strstr(other, "a@client.sim");

			CHECK(from != NULL);
			*from = 'b';
			rig_ctl_lines(1, "queue.import", other, lines);
			rig_has(rig_ctl_error(),
			    "another message has this id here");
			mem_free(other);
		}
		rig_deliveries(m.id, "legacy deferred");
		rig_leg_down(LEG_LEGACY, false);
		rig_leg_takes(LEG_LEGACY, 2);
		rig_becomes(m.id, "");
		rig_has(rig_leg_content(LEG_LEGACY), "Subject: x");
		rig_has(rig_events(), "\"imported\"");
		/* Over, and the index knows it. */
		rig_has(rig_ctl_lines(0, "queue.import", m.envelope, lines),
		    "\"state\":\"known\"");
	}
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_LEGACY) == 2);
	forget(&m);
}

/* Of each nothing stays, and the next try is a new one. */
static void what_is_not_whole_is_refused(void)
{
	struct carried_mail m;

	waiting_one(&m);
	{
		const struct {
			const char *line[5], *why;
		} cases[] = {
			{{RCPT, m.deliveries, END}, "it is shorter than"},
			{{RCPT, m.deliveries, CHUNK, CHUNK, END},
			    "it is longer than its envelope says"},
			{{RCPT, m.deliveries, "{\"chunk\": \"%\"}"},
			    "\"chunk\" is not base64"},
			{{RCPT, CHUNK, END}, ""},
			{{m.deliveries, CHUNK, END}, ""},
			{{RCPT, m.deliveries, CHUNK, "{\"recipients\": [7]}"},
			    ""},
			{{RCPT, "{\"deliveries\": [{}]}"}, ""},
			{{RCPT, m.deliveries, CHUNK, NULL}, "gone"},
			{{NULL}, "gone"},
		};
		char args[64];

		snprintf(args, sizeof(args), "{\"id\": \"%s\"}", m.id);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			const char *line[6] = {NULL};

			memcpy(line, cases[i].line, sizeof(cases[i].line));
			rig_ctl_lines(1, "queue.import", m.envelope, line);
			rig_has(rig_ctl_error(), cases[i].why);
			CHECK(*rig_ctl_error() != '\0');
			rig_ctl(1, "queue.show", args);
		}
	}
	{
		const char *const lines[] = {RCPT, m.deliveries, CHUNK, END,
		    NULL};

		rig_has(rig_ctl_lines(0, "queue.import", m.envelope, lines),
		    "\"state\":\"imported\"");
	}
	forget(&m);
}

/* A delivery that was open there may have gone out meanwhile; an address that
 * would end a command is not taken. */
static void what_goes_on_there_too_is_uncertain(void)
{
	struct carried_mail m;
	char *no;

	waiting_one(&m);
	no = strstr(m.envelope, "\"delivering\": false");
	CHECK(no != NULL);
	memcpy(no, "\"delivering\": true ", 19);
	{
		const char *const lines[] = {RCPT, m.deliveries, CHUNK, END,
		    NULL};
		char *other = mem_strdup(m.envelope);
		char *from = strstr(other, "a@client.sim");

		CHECK(from != NULL);
		memcpy(from, "\\n", 2);
		rig_ctl_lines(1, "queue.import", other, lines);
		CHECK(*rig_ctl_error() != '\0');
		mem_free(other);
		rig_ctl_lines(0, "queue.import", m.envelope, lines);
	}
	rig_leg_down(LEG_LEGACY, false);
	rig_becomes(m.id, "");
	rig_has(rig_events(), "\"uncertain\":\"possible\"");
	forget(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_carried_message_goes_on_here_once, NULL),
		RIG_TEST(what_is_not_whole_is_refused, NULL),
		RIG_TEST(what_goes_on_there_too_is_uncertain, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
