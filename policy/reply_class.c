/* SPDX-License-Identifier: ISC
 *
 * What a leg's answer means: a table, read from the top, the first row that
 * fits wins. Enhanced codes are RFC 3463; a leg's text is looked at only
 * where its codes say too little.
 */
#include "policy/reply_class.h"

enum { HELLO = 1, MAIL = 2, RCPT = 4, DATA = 8, ANY = 15 };

struct row {
	int low, high;	  /* of the code */
	const char *enh;  /* "5.1.1", "5.7.*", "" : none was given, NULL: any */
	unsigned stages;
	const char *text; /* somewhere in it, case folded; NULL: any */
	enum reply_class class;
	enum outcome outcome;
};

/* clang-format off */
static const struct row generic[] = {
	{ 200, 299, NULL,     ANY,   NULL,    CLASS_NONE,           OUT_DELIVERED },
	{   0,   0, NULL,     ANY,   NULL,    CLASS_NETWORK,        OUT_DEFERRED  },
	/* Nothing was said of a message before MAIL: whatever it is, it is
	 * about us or the leg, and no reason to bounce anything. */
	{ 421, 421, "4.7.*",  ANY,   NULL,    CLASS_THROTTLE,       OUT_DEFERRED  },
	{ 400, 499, NULL,     HELLO, NULL,    CLASS_NETWORK,        OUT_DEFERRED  },
	{ 500, 599, NULL,     HELLO, NULL,    CLASS_CONFIGURATION,  OUT_DEFERRED  },

	{ 452, 452, "4.5.3",  ANY,   NULL,    CLASS_SPLIT,          OUT_DEFERRED  },
	{ 452, 452, "",       RCPT,  "too many", CLASS_SPLIT,       OUT_DEFERRED  },
	{ 400, 599, NULL,     RCPT,  "multiple destination domains",
					      CLASS_SPLIT,          OUT_DEFERRED  },

	{ 400, 599, "*.2.2",  ANY,   NULL,    CLASS_MAILBOX,        OUT_DEFERRED  },
	{ 400, 499, "4.2.1",  ANY,   NULL,    CLASS_MAILBOX,        OUT_DEFERRED  },
	{ 432, 432, NULL,     ANY,   NULL,    CLASS_MAILBOX,        OUT_DEFERRED  },

	{ 421, 421, NULL,     ANY,   NULL,    CLASS_THROTTLE,       OUT_DEFERRED  },
	{ 400, 499, "4.3.1",  ANY,   NULL,    CLASS_THROTTLE,       OUT_DEFERRED  },
	{ 400, 499, "4.3.2",  ANY,   NULL,    CLASS_THROTTLE,       OUT_DEFERRED  },

	{ 530, 530, NULL,     ANY,   NULL,    CLASS_CONFIGURATION,  OUT_DEFERRED  },
	{ 534, 535, NULL,     ANY,   NULL,    CLASS_CONFIGURATION,  OUT_DEFERRED  },
	{ 538, 538, NULL,     ANY,   NULL,    CLASS_CONFIGURATION,  OUT_DEFERRED  },
	{ 400, 599, "*.3.5",  ANY,   NULL,    CLASS_CONFIGURATION,  OUT_DEFERRED  },
	{ 500, 599, NULL,     MAIL | RCPT, "relay",
					      CLASS_CONFIGURATION,  OUT_DEFERRED  },
	{ 500, 504, NULL,     ANY,   NULL,    CLASS_CONFIGURATION,  OUT_DEFERRED  },

	{ 500, 599, "5.4.6",  ANY,   NULL,    CLASS_LOOP,           OUT_FAILED    },
	{ 500, 599, "5.4.14", ANY,   NULL,    CLASS_LOOP,           OUT_FAILED    },

	{ 500, 599, "5.1.1",  ANY,   NULL,    CLASS_RECIPIENT,      OUT_FAILED    },
	{ 500, 599, "5.1.10", ANY,   NULL,    CLASS_RECIPIENT,      OUT_FAILED    },
	{ 500, 599, "5.4.1",  ANY,   NULL,    CLASS_RECIPIENT,      OUT_FAILED    },
	{ 550, 551, "",       RCPT,  NULL,    CLASS_RECIPIENT,      OUT_FAILED    },

	{ 400, 499, NULL,     ANY,   NULL,    CLASS_NONE,           OUT_DEFERRED  },
	{ 500, 599, NULL,     ANY,   NULL,    CLASS_MESSAGE,        OUT_FAILED    },
};
/* clang-format on */

static const struct {
	const char *name;
	const struct row *row;
	size_t rows;
} profiles[] = {
	{"generic", generic, ARRAY_LEN(generic)},
};

static unsigned stage_bit(const char *stage)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
	    {"mail", MAIL}, {"rcpt", RCPT}, {"data", DATA}, {"body", DATA},
	};

	for (size_t i = 0; stage != NULL && i < ARRAY_LEN(known); i++)
		if (strcmp(stage, known[i].name) == 0)
			return known[i].bit;
	return HELLO;
}

/* A '*' stands for one number. */
static bool enh_fits(const char *pattern, const char *enh)
{
	struct slice p = slice_str(pattern), e = slice_str(enh), a, b;

	if (p.n == 0 || e.n == 0)
		return p.n == e.n;
	while (slice_next(&p, '.', &a)) {
		if (!slice_next(&e, '.', &b))
			return false;
		if (!slice_eq(a, SLICE("*")) && !slice_eq(a, b))
			return false;
	}
	return e.p == NULL;
}

static bool text_has(const char *text, const char *part)
{
	struct slice rest = slice_str(text);

	for (; rest.n > 0; rest = slice_from(rest, 1))
		if (slice_case_starts(rest, slice_str(part)))
			return true;
	return false;
}

static bool fits(const struct row *row, const struct result *r)
{
	if (r->code < row->low || r->code > row->high)
		return false;
	if ((row->stages & stage_bit(r->stage)) == 0)
		return false;
	if (row->enh != NULL && !enh_fits(row->enh, r->enh))
		return false;
	return row->text == NULL || (r->text != NULL &&
	    text_has(r->text, row->text));
}

static bool apply(const struct row *row, size_t rows, struct result *r)
{
	for (; rows > 0; row++, rows--) {
		if (!fits(row, r))
			continue;
		r->class = row->class;
		r->outcome = row->outcome;
		return true;
	}
	return false;
}

void reply_classify(const char *profile, struct result *r)
{
	if (r->outcome == OUT_UNTRIED ||
	    (r->code == 0 && r->class != CLASS_NONE))
		return;
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (strcmp(profile, profiles[i].name) == 0 &&
		    apply(profiles[i].row, profiles[i].rows, r))
			return;
	if (apply(generic, ARRAY_LEN(generic), r))
		return;
	/* Neither 2yz, 4yz nor 5yz: the leg does not speak SMTP. */
	r->class = CLASS_NETWORK;
	r->outcome = OUT_DEFERRED;
}
