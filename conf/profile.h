/* SPDX-License-Identifier: ISC
 *
 * Reply profiles: what the answers of a kind of leg mean, as data (D4). The
 * files conf/profiles/NAME.profile are compiled in and installed; a file of
 * the same name in the folder `profiles` of the configuration replaces one.
 * Part of a snapshot: constant, any thread.
 *
 *   date = "2026-11-01"            # of its facts
 *   max_recipients = 200           # the leg's own settings win
 *   networks = { "192.0.2.0/24" }  # shared by all tenants: never one's own
 *   reply {
 *       code = "550"  enhanced = "5.7.64"  class = "configuration"
 *       text = { "relay ... denied", "block*" }  stage = { "rcpt" }
 *       help = "The certificate or address no longer matches the connector."
 *   }
 *
 * code: 400 to 599, or a range. enhanced: three numbers, each may be a range
 * or *; or "none", when the answer has none. text: phrases, one of which must
 * stand there (relay/mail/reply_words.h). outcome: deferred, failed (the
 * sender is told) or parked; without it, what suits the class. slows:
 * "sender", when the answer is about the rate of the sender's domain.
 */
#ifndef CONF_PROFILE_H
#define CONF_PROFILE_H

#include "conf/conf.h"
#include "relay/mail/result.h"

/* Stages of a dialog as bits; a refusal before MAIL is HELLO's. */
enum { ON_HELLO = 1, ON_MAIL = 2, ON_RCPT = 4, ON_DATA = 8, ON_ANY = 15 };

/* One row: all that is given must fit, the first that fits wins. */
struct conf_reply {
	int low, high;	  /* of the code */
	const char *enh;  /* "5.1.1", "5.7.*", "4.7.500-699", "none"; or NULL */
	struct conf_strings text; /* phrases, one must be in it; none: any */
	unsigned stages;  /* ON_… */
	enum reply_class class;
	enum outcome outcome;
	bool slows_sender; /* other mail of its domain waits, too */
	const char *help; /* for the administrator: what to do; "" */
	int line;	  /* in its file */
};

struct conf_profile {
	const char *name, *date;
	const char *note; /* said by posthoused -t of each leg; "" */
	const char *file; /* where it was read, or "NAME.profile" */
	struct conf_reply *reply; /* its own rows, then those of generic */
	int replies;
	/* Limits of the platform: defaults of the leg's settings. */
	int max_recipients, max_messages;
	int64_t max_age_ms;
	int mailbox_hour; /* messages that a mailbox takes; 0: not known */
	int ask_rate; /* recipients it may be asked about a second */
	bool one_domain;  /* recipients of one domain a transaction */
	bool no_dead_hosts; /* a reset of one host says nothing of it */
	bool ignores_notify; /* NOTIFY=NEVER is not known to be honoured */
	struct conf_nets networks; /* of the platform, shared by its tenants */
};

/* Reads the profile of each leg into the snapshot, and sets what the leg
 * leaves to it. A leg's `clients` must not be in a network of a platform. -1
 * and "FILE:LINE: …". One call at a time in a process, as conf/parse.h. */
int conf_profiles_load(struct conf *c, struct error *err) PH_CHECK;
/* One profile's text, without the rows of generic; fuzzed. */
int conf_profile_parse(struct slice text, const char *file,
    struct arena *a, struct conf_profile *profile_out, struct error *err)
    PH_CHECK;
/* The text of one that is compiled in; n == 0: there is none of that name. */
struct slice conf_profile_text(const char *name);
/* "400-499" or "450"; false: it is neither, or above `max`. */
bool conf_number_range(struct slice s, uint64_t max, uint64_t *low,
    uint64_t *high);
/* Is it a pattern of enhanced codes? */
bool conf_enhanced_ok(const char *pattern);
/* Does the enhanced code fit the pattern of a row? */
bool conf_enhanced_fits(const char *pattern, const char *enh) PH_CHECK;

#endif
