/* SPDX-License-Identifier: ISC
 *
 * The servers that mail is forwarded to.
 */
#include "tests/sim/sim_leg.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_witness.h"
#include "tests/sim/sim_peer.h"
#include "tests/sim/sim_sender.h"
#include "tests/sim/sim_trace.h"

enum { RCPTS = 40, BODY_MAX = 8 << 20, ANSWER_US = 2000 };

static const char *const ips[SIM_LEGS] = {
	SIM_LEGACY_IP, SIM_CLOUD_IP, SIM_OUTSIDE_IP};
static const char *const leg_names[SIM_LEGS] = {"legacy", "cloud", "outside"};

static struct mood moods[SIM_LEGS];
static bool offers_dsn[SIM_LEGS], offers_chunking[SIM_LEGS],
    offers_pipelining[SIM_LEGS];

/* One connection. */
struct leg_session {
	struct peer peer;
	int leg;
	int64_t since_us;
	char from[60];
	char rcpt[RCPTS][60];
	unsigned rcpts;
	struct strbuf content;
	bool begun; /* MAIL was taken */
};

const char *leg_name(int leg)
{
	return leg_names[leg];
}

void leg_mood(int leg, struct mood mood)
{
	moods[leg] = mood;
	witness_trouble(TROUBLE_LEG + leg, mood.kind != MOOD_UP);
	trace_line("mood of %s: %d stage %d number %d", leg_names[leg],
	    (int)mood.kind, (int)mood.stage, mood.number);
}

/* ---- answers ---- */

/* A line, late, or none; false: the connection is over. */
static bool says(struct leg_session *s, const char *line)
{
	const struct mood *m = &moods[s->leg];

	task_sleep_us((int64_t)sim_below(ANSWER_US));
	if (m->kind == MOOD_SLOW)
		task_sleep_us((int64_t)sim_below(
		    (uint64_t)m->number * 1000 + 1));
	return peer_say(&s->peer, slice_str(line));
}

/* Some refusals are of the message, some are of the leg's own trouble. */
static const char *enhanced(int number)
{
	if (number < 500)
		return " 4.3.0";
	return number == 550 ? " 5.7.1" : number == 552 ? " 5.3.0" : "";
}

static bool answer(struct leg_session *s, enum leg_stage stage,
    const char *good)
{
	const struct mood m = moods[s->leg];
	char line[100];

	if (m.stage != stage || m.kind < MOOD_SAYS ||
	    m.kind == MOOD_TAKES_DROPS)
		return says(s, good);
	if (m.kind == MOOD_DROPS)
		return false;
	if (m.kind == MOOD_MUTE) {
		peer_line(&s->peer, (char[PEER_LINE]){0});
		return false;
	}
	snprintf(line, sizeof(line), "%d%s as my mood is\r\n", m.number,
	    enhanced(m.number));
	if (m.number >= 500 && stage >= AT_MAIL)
		witness_refused(s->leg, "", false);
	return says(s, line);
}

static bool is_good(const struct leg_session *s, enum leg_stage stage)
{
	const struct mood *m = &moods[s->leg];

	return m->stage != stage || m->kind < MOOD_SAYS ||
	       m->kind == MOOD_TAKES_DROPS;
}

static bool hello(struct leg_session *s)
{
	struct strbuf b;
	bool good;

	strbuf_init(&b, 400);
	strbuf_addf(&b, "250-%s.sim\r\n250-8BITMIME\r\n",
	    leg_names[s->leg]);
	if (offers_pipelining[s->leg])
		strbuf_adds(&b, "250-PIPELINING\r\n");
	if (offers_chunking[s->leg])
		strbuf_adds(&b, "250-CHUNKING\r\n");
	if (offers_dsn[s->leg])
		strbuf_adds(&b, "250-DSN\r\n");
	strbuf_adds(&b, "250 SIZE 50000000\r\n");
	good = answer(s, AT_HELO, strbuf_cstr(&b));
	strbuf_fini(&b);
	return good;
}

/* ---- a transaction ---- */

static void between(const char *line, char out[60])
{
	const char *a = strchr(line, '<'), *z = strchr(line, '>');
	size_t n = a == NULL || z == NULL || z < a ? 0 : (size_t)(z - a - 1);

	n = n < 59 ? n : 59;
	memcpy(out, a == NULL ? "" : a + 1, n);
	out[n] = '\0';
}

static bool on_mail(struct leg_session *s, const char *line)
{
	between(line, s->from);
	s->rcpts = 0;
	strbuf_reset(&s->content);
	s->begun = is_good(s, AT_MAIL);
	return answer(s, AT_MAIL, "250 2.1.0 sender ok\r\n");
}

static bool on_rcpt(struct leg_session *s, const char *line)
{
	char to[60];
	int user;

	if (!s->begun)
		return says(s, "503 5.5.1 MAIL first\r\n");
	between(line, to);
	user = witness_user(to);
	if (user == SIM_USERS - 1 ||
	    (moods[s->leg].kind == MOOD_KNOWS_NOT &&
		user == moods[s->leg].number % SIM_USERS)) {
		witness_refused(s->leg, to, true);
		return says(s, "550 5.1.1 no such user\r\n");
	}
	if (!is_good(s, AT_RCPT))
		return answer(s, AT_RCPT, "");
	if (s->rcpts == RCPTS)
		return says(s, "452 4.5.3 too many\r\n");
	snprintf(s->rcpt[s->rcpts++], 60, "%s", to);
	return says(s, "250 2.1.5 recipient ok\r\n");
}

/* All is there: it is taken or not, and the answer arrives or not. */
static bool content_over(struct leg_session *s)
{
	bool drops = moods[s->leg].kind == MOOD_TAKES_DROPS;
	struct leg_took took = {.leg = s->leg, .from = s->from,
	    .rcpt = s->rcpt, .rcpts = s->rcpts, .sure = !drops,
	    .content = strbuf_view(&s->content), .since_us = s->since_us};

	s->since_us = sim_now_us();
	if (!is_good(s, AT_CONTENT) || s->rcpts == 0) {
		s->rcpts = 0;
		return s->rcpts == 0 && is_good(s, AT_CONTENT)
		    ? says(s, "554 5.5.1 no recipients\r\n")
		    : answer(s, AT_CONTENT, "");
	}
	/* Between taking and answering the connection may go. */
	if (!drops && moods[s->leg].kind == MOOD_SLOW)
		task_sleep_us((int64_t)sim_below(
		    (uint64_t)moods[s->leg].number * 1000 + 1));
	took.sure = took.sure && !sim_fd_parted(s->peer.fd);
	witness_took(&took);
	if (moods[s->leg].kind == MOOD_RETURNS)
		sender_returns(ips[s->leg], &took);
	s->rcpts = 0;
	return !drops && says(s, "250 2.0.0 taken\r\n");
}

static bool on_data(struct leg_session *s)
{
	char line[PEER_LINE];

	if (s->rcpts == 0)
		return says(s, "554 5.5.1 no recipients\r\n");
	if (!is_good(s, AT_DATA))
		return answer(s, AT_DATA, "");
	if (!says(s, "354 go on\r\n"))
		return false;
	while (peer_line(&s->peer, line)) {
		if (strcmp(line, ".") == 0)
			return content_over(s);
		strbuf_adds(&s->content, line + (line[0] == '.'));
		strbuf_adds(&s->content, "\r\n");
	}
	return false;
}

static bool on_bdat(struct leg_session *s, const char *line)
{
	size_t n = strtoul(line + 5, NULL, 10);
	bool last = strstr(line, "LAST") != NULL;

	if (!peer_bytes(&s->peer, n, &s->content))
		return false;
	if (s->rcpts == 0 || !is_good(s, AT_DATA)) {
		strbuf_reset(&s->content);
		return s->rcpts == 0
		    ? says(s, "554 5.5.1 no recipients\r\n")
		    : answer(s, AT_DATA, "");
	}
	return last ? content_over(s) : says(s, "250 2.0.0 chunk\r\n");
}

static bool command(struct leg_session *s, const char *line)
{
	if (strncmp(line, "EHLO", 4) == 0 || strncmp(line, "HELO", 4) == 0)
		return hello(s);
	if (strncmp(line, "MAIL", 4) == 0)
		return on_mail(s, line);
	if (strncmp(line, "RCPT", 4) == 0)
		return on_rcpt(s, line);
	if (strncmp(line, "DATA", 4) == 0)
		return on_data(s);
	if (strncmp(line, "BDAT", 4) == 0)
		return on_bdat(s, line);
	if (strncmp(line, "RSET", 4) == 0) {
		s->rcpts = 0;
		strbuf_reset(&s->content);
		s->since_us = sim_now_us();
		return says(s, "250 2.0.0 reset\r\n");
	}
	if (strncmp(line, "QUIT", 4) == 0)
		return says(s, "221 2.0.0 bye\r\n") && false;
	return says(s, "500 5.5.1 what\r\n");
}

static void *serve(void *arg)
{
	struct leg_session *s = arg;
	char line[PEER_LINE];
	bool on = answer(s, AT_GREETING, "220 leg.sim ready\r\n");

	while (on && peer_line(&s->peer, line))
		on = command(s, line);
	peer_close(&s->peer, sim_chance(20));
	strbuf_fini(&s->content);
	mem_free(s);
	return NULL;
}

/* ---- connections ---- */

static int fate(const struct netaddr *to, bool *hangs_out)
{
	struct netaddr leg;

	for (int i = 0; i < SIM_LEGS; i++) {
		netaddr_parse(&leg, slice_str(ips[i]), 25);
		if (!netaddr_same_ip(&leg, to))
			continue;
		*hangs_out = moods[i].kind == MOOD_SILENT;
		return moods[i].kind == MOOD_REFUSES ? 111 : 0;
	}
	return 0;
}

static void *accepts(void *arg)
{
	int leg = (int)(intptr_t)arg, fd = sim_socket();
	struct netaddr at, peer;

	netaddr_parse(&at, slice_str(ips[leg]), 25);
	sim_bind(fd, &at);
	sim_listen(fd);
	while (fd >= 0) {
		int got = sim_accept(fd, &peer);
		struct leg_session *s;

		if (got < 0) {
			sim_fd_wait(fd, INT64_MAX);
			continue;
		}
		s = NEW(struct leg_session);
		s->leg = leg;
		s->since_us = sim_now_us();
		strbuf_init(&s->content, BODY_MAX);
		peer_take(&s->peer, got);
		task_new(SIDE_WORLD, leg_names[leg], serve, s);
	}
	return NULL;
}

void legs_setup(uint64_t seed)
{
	sim_on_connect(fate);
	for (int i = 0; i < SIM_LEGS; i++) {
		offers_dsn[i] = (seed >> i & 1) != 0;
		offers_chunking[i] = (seed >> (i + 3) & 3) == 0;
		offers_pipelining[i] = (seed >> (i + 6) & 3) != 0;
		task_new(SIDE_WORLD, leg_names[i], accepts,
		    (void *)(intptr_t)i);
	}
}
