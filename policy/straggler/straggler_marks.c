/* SPDX-License-Identifier: ISC
 *
 * A set of marks: a table of addresses, which are most of them, and a list of
 * networks and names.
 */
#include "policy/straggler/straggler_marks.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "conf/conf.h"
#include "relay/base/hashtable.h"
#include "relay/base/mem.h"

struct mark_entry {
	UT_hash_handle hh;
	struct mark_entry *next; /* of the list */
	enum straggler_mark mark;
	struct conf_net net;
	size_t n; /* of `about` */
	char *note;
	char about[];
};

struct straggler_marks {
	struct mark_entry *clients; /* by `about` */
	struct mark_entry *others;  /* networks and names, any order */
	bool keep; /* one says so */
};

static bool is_client(const struct conf_net *net)
{
	return net->bits == (net->family == AF_INET ? 32 : 128);
}

static int normal_name(struct slice text, struct strbuf *out,
    const char **why_out)
{
	if (text.n < 2 || text.n >= STRAGGLER_MARKED_MAX) {
		*why_out = "is no end of a name";
		return -1;
	}
	for (size_t i = 0; i < text.n; i++) {
		char c = ascii_lower(text.p[i]);

		if (!ascii_alpha(c) && !ascii_digit(c) && c != '.' &&
		    c != '-' && c != '_') {
			*why_out = "is no end of a name: letters, digits, "
				   "dots and hyphens";
			return -1;
		}
		strbuf_addc(out, c);
	}
	return 0;
}

int straggler_marked_normal(struct slice text, struct strbuf *out,
    const char **why_out)
{
	char shown[INET6_ADDRSTRLEN];
	struct conf_net net;

	if (text.n > 0 && text.p[0] == '.')
		return normal_name(text, out, why_out);
	if (conf_net_parse(text, &net, why_out) != 0)
		return -1;
	if (inet_ntop(net.family, net.addr, shown, sizeof(shown)) == NULL) {
		*why_out = "is not an address or a network";
		return -1;
	}
	strbuf_adds(out, shown);
	if (!is_client(&net))
		strbuf_addf(out, "/%d", net.bits);
	return 0;
}

struct straggler_marks *straggler_marks_new(void)
{
	return NEW(struct straggler_marks);
}

static void entry_free(struct mark_entry *e)
{
	mem_free(e->note);
	mem_free(e);
}

void straggler_marks_free(struct straggler_marks *m)
{
	struct mark_entry *e, *next;

	if (m == NULL)
		return;
	HASH_ITER(hh, m->clients, e, next) {
		HASH_DEL(m->clients, e);
		entry_free(e);
	}
	for (e = m->others; e != NULL; e = next) {
		next = e->next;
		entry_free(e);
	}
	mem_free(m);
}

int straggler_marks_add(struct straggler_marks *m, struct slice about,
    enum straggler_mark mark, struct slice note)
{
	struct conf_net net = {0};
	struct mark_entry *e;
	const char *why;

	if (about.n == 0 || (about.p[0] != '.' &&
		conf_net_parse(about, &net, &why) != 0))
		return -1;
	e = mem_new(sizeof(*e) + about.n + 1);
	memcpy(e->about, about.p, about.n);
	e->n = about.n;
	e->mark = mark;
	e->net = net;
	e->note = mem_slicedup(note);
	m->keep = m->keep || mark == STRAGGLER_KEEP;
	if (net.family != 0 && is_client(&net)) {
		HASH_ADD_KEYPTR(hh, m->clients, e->about, e->n, e);
	} else {
		e->next = m->others;
		m->others = e;
	}
	return 0;
}

bool straggler_marks_keep(const struct straggler_marks *m)
{
	return m->keep;
}

/* How near the mark is to that client: 0, not of it; names come before
 * networks, and what is longer before what is shorter. */
static int nearness(const struct mark_entry *e, const struct conf_net *client,
    struct slice name)
{
	struct slice end = slice_of(e->about, e->n);
	struct conf_nets net = {(struct conf_net *)&e->net, 1};
	struct conf_nets one = {(struct conf_net *)client, 1};

	if (e->net.family != 0)
		return client->family != 0 && conf_nets_overlap(&net, &one)
			   ? STRAGGLER_MARKED_MAX + 1 + e->net.bits : 0;
	if (slice_case_ends(name, end) ||
	    slice_case_eq(name, slice_from(end, 1)))
		return (int)e->n;
	return 0;
}

static const struct mark_entry *nearest(const struct straggler_marks *m,
    const char *client, const char *name)
{
	const struct mark_entry *best = NULL;
	struct conf_net net;
	const char *why;
	int most = 0;

	if (conf_net_parse(slice_str(client), &net, &why) != 0)
		net.family = 0;
	for (const struct mark_entry *e = m->others; e != NULL; e = e->next) {
		int near = nearness(e, &net, slice_str(name));

		if (near > most) {
			most = near;
			best = e;
		}
	}
	return best;
}

struct straggler_marked straggler_marks_find(const struct straggler_marks *m,
    const char *client, const char *name)
{
	struct mark_entry *own;
	const struct mark_entry *e;

	HASH_FIND(hh, m->clients, client, strlen(client), own);
	e = own != NULL || m->others == NULL ? own : nearest(m, client, name);
	return e == NULL
		   ? (struct straggler_marked){STRAGGLER_UNMARKED, "", ""}
		   : (struct straggler_marked){e->mark, e->note, e->about};
}
