/* SPDX-License-Identifier: ISC
 *
 * The configuration: one checked, immutable, counted struct. libConfuse
 * parses (parse.c), schema.c is the only list of what may be said, conf.c
 * checks one value against another. After conf_load() a snapshot never
 * changes; a reload makes a new one. Any thread may read; times are in ms,
 * sizes in bytes, strings are never NULL ("" when not set) unless said.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/base/names.h"
#include "relay/base/strbuf.h"
#include "relay/when/slice_limits.h"

/* An IPv4 or IPv6 network. v4-mapped v6 addresses are stored as v4. */
struct conf_net {
	int family; /* AF_INET, AF_INET6 */
	unsigned char addr[16];
	int bits;
};

struct conf_nets {
	struct conf_net *net;
	int count;
};

struct conf_strings {
	char **s;
	int count;
};

/* "host:port" as written; an address literal is resolved here. */
struct conf_hostport {
	char *host; /* name or address, without brackets */
	int port;
	bool is_addr;
};

struct conf_certificate {
	char *cert, *key; /* files; key is cert when in the same file */
};

enum bare_newline { BARE_REJECT, BARE_NORMALIZE };
/* May clients with a right to send to the outside use it? Only they? */
enum listen_outbound { OUTBOUND_ALLOWED, OUTBOUND_ONLY, OUTBOUND_OFF };
enum listen_tls { LISTEN_STARTTLS, LISTEN_IMPLICIT /* RFC 8314 3.3 */ };
/* The lowest version of TLS; what is not set is 1.2. */
enum tls_min { TLS_MIN_12, TLS_MIN_10, TLS_MIN_11, TLS_MIN_13 };

struct conf_listen {
	char *name;
	struct conf_hostport *address;
	int addresses;
	struct conf_certificate *certificate;
	int certificates; /* 0: STARTTLS is not offered */
	struct conf_strings keys; /* as written; certificate[].key counts */
	struct conf_nets proxy_from;
	enum bare_newline bare_newline; /* of clients that are not in … */
	struct conf_nets bare_newline_clients; /* … these: normalized */
	struct conf_nets starttls_never; /* clients that break on it */
	enum tls_min tls_min;
	enum listen_tls tls;
	enum listen_outbound outbound;
	bool auth; /* users may log in, and clients show certificates */
	bool asks_certificate; /* auth, and outbound.certificates has some */
	bool closed; /* takes no mail: greets with 521 (RFC 7504) */
	char *leg_name;
	int leg; /* index into conf.leg of the leg whose listener it is, -1 */
	const char *file; /* where it stands, for messages */
	int line;
};

enum tls_level { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY, TLS_DANE };
enum leg_protocol { PROTOCOL_SMTP, PROTOCOL_LMTP };
/* Which addresses of a host are tried, and in which order. */
enum leg_family { FAMILY_V6_FIRST, FAMILY_V4_FIRST, FAMILY_V6_ONLY,
	FAMILY_V4_ONLY };
/* By what a leg believes senders that are not ours when they come over us. */
enum leg_trust { TRUST_NONE, TRUST_ADDRESS, TRUST_CERTIFICATE,
	/* It looks through us, and judges the client that came to us. */
	TRUST_SKIP_LISTING, TRUST_INBOUND_GATEWAY };
enum rewrite_sender { REWRITE_NEVER, REWRITE_WHEN_SPF_FAILS };
enum copy_return { RETURN_NOTIFY, RETURN_TOKEN };
enum eightbit { EIGHTBIT_SEND, EIGHTBIT_REFUSE };
enum { EGRESSES_MAX = 16 }; /* in outbound.use */
enum egress_senders { SENDERS_ANY, SENDERS_OURS };

/* A leg, or an egress: a named next hop. */
struct conf_leg {
	char *name;
	int id; /* in conf.names */
	bool egress;
	bool direct; /* egress: the MX of each recipient's domain */
	struct conf_hostport *host;
	int hosts;
	char *mx; /* "" or the domain whose MX is used instead of hosts */
	struct conf_nets clients;
	struct conf_strings domains; /* its own addresses; normal form */
	/* Of an egress: whose mail it relays, and what its receivers see, by
	 * which SPF judges it. */
	enum egress_senders senders;
	struct conf_nets spf_address; /* as written */
	char *spf_include; /* "", or the domain whose record lists them */
	/* The addresses that count; none: by spf_include. Of a leg those that
	 * it sees; none: they are not known. */
	struct conf_nets seen;
	enum tls_level tls;
	char *tls_ca;	      /* "" : the system's */
	char *certificate, *key; /* client certificate, "" : none */
	char *source;	      /* source address, "" : any */
	char *probe_source;   /* of preflight, shadow, compare; "" : source */
	int ask_connections;  /* that these have at most */
	int ask_rate;	      /* recipients a second; 0: the profile's */
	bool shadow;	      /* asked about recipients seen in mail */
	char *helo;	      /* "" : conf.hostname */
	int connections;      /* most at once */
	int max_recipients;   /* a transaction */
	int max_messages;     /* a connection, then a new one */
	int64_t max_age_ms;   /* of a connection */
	int64_t idle_ms;      /* how long an idle connection is kept */
	char *profile;
	const struct conf_profile *replies; /* of that name; conf/profile.h */
	bool soft_bounce;
	enum leg_protocol protocol;
	enum leg_family family;
	struct conf_strings fingerprint; /* SHA-256, hex, any of them; none */
	char *auth_user;   /* "" : no AUTH */
	char *auth_secret; /* the file of the password */
	char *password;	   /* what is in it; never shown */
	enum leg_trust trust;
	enum rewrite_sender rewrite_sender;
	bool xclient; /* it is told each message's client, where it offers */
	enum copy_return copy_return;
	enum eightbit eightbit;
	bool suppress_auto;    /* X-Auto-Response-Suppress for copies */
	int suspend_messages;  /* configuration faults in a row; 0: never */
	int suspend_senders;   /* … of so many sender domains */
	int64_t probe_ms;      /* of a suspended leg; 0: by hand only */
	int64_t dead_host_ms;  /* a host that failed is not tried so long */
	/* RFC 5321 4.5.3.2, per stage */
	int64_t connect_timeout_ms, greeting_timeout_ms, command_timeout_ms,
	    data_init_timeout_ms, data_block_timeout_ms, data_done_timeout_ms,
	    tls_timeout_ms;
	const char *file;
	int line;
};

enum unknown { UNKNOWN_ROUTE, UNKNOWN_REJECT, UNKNOWN_DEFER, UNKNOWN_PROBE };
enum dsn_guard { GUARD_OFF, GUARD_FAIL, GUARD_PASS_ONLY };
enum no_answer { NO_ANSWER_ACCEPT, NO_ANSWER_DEFER };
/* Of a sender that SPF fails, or that could not be judged now. */
enum spf_fail_act { FAIL_REPORT, FAIL_REFUSE };
enum spf_temperror_act { TEMPERROR_REPORT, TEMPERROR_DEFER };

/* The characters that may begin the detail of a local part (RFC 5233): those
 * that need no quotes (RFC 5321 4.1.2). */
#define CONF_SEPARATORS "!#$%&'*+-/=?^_`{|}~."

struct conf_domain {
	char *name;  /* A-label, lower case */
	char *route; /* canonical route text, "" : the table says nothing */
	enum unknown unknown;
	char *both; /* what `both` is written as; "" : not allowed */
	char subaddress; /* one of CONF_SEPARATORS; '\0': off */
	struct conf_strings legs; /* its rows may use; count 0: all */
	char *customer; /* the organisation that it belongs to, "" : none */
	char *moved_to; /* named in the answer of route `gone`; "" */
	enum spf_fail_act spf_fail;
	enum spf_temperror_act spf_temperror;
	const char *file;
	int line;
};

/* A user of outbound.users. */
struct conf_user {
	char *name; /* as AUTH says it */
	char *hash; /* of crypt(5) */
	/* The senders that it may say: keys of addresses (addr_key()), and
	 * domains as "@example.com"; none: any address of our domains. */
	struct conf_strings senders;
	int line; /* of the file */
};

/* Where a key of a section that exists once stands, or where its section
 * does, or line 1 of the first file. */
struct conf_place {
	const char *section, *key;
	const char *file;
	int line;
};

/* When the server behind a leg may be switched off. */
struct conf_verdict {
	char *name; /* "": the one without */
	char *leg;
	char *customer; /* "": not by customer */
	struct conf_strings domains; /* normal form; none: all */
	int64_t quiet_ms;
	struct conf_strings listen; /* none: conf_verdict_listens() */
	const char *file;
	int line;
};

/* A file that tells one side of a cutover where recipients are. */
struct conf_coexist {
	char *name;
	char *format, *map; /* enum coexist_format, _map of policy/coexist */
	char *path;
	char *leg; /* whose server reads it; "": the only one that fits */
	char *via; /* the next hop; "": the hosts of each leg */
	const char *file;
	int line;
};

struct conf {
	_Atomic int refs;
	struct arena *arena; /* everything below that is a pointer */
	struct names *names; /* shared by all snapshots of the process */
	char *file;	     /* the file it was read from */
	struct conf_place *place; /* conf_place() */
	int places;

	char *hostname;
	char *postmaster;
	int workers; /* as configured; 0: one per core */
	int node;
	struct conf_nets public_address;
	int64_t stop_after_ms;
	bool soft_bounce;
	bool sandbox;

	struct conf_listen *listen;
	int listens;
	struct conf_leg *leg; /* legs, then egresses */
	int legs;
	struct conf_leg *leg_of_id[NAMES_MAX];
	struct conf_domain *domain; /* in the order of the file */
	int domains;
	struct conf_domain **domain_by_name;
	struct conf_verdict *verdict;
	int verdicts;
	struct conf_coexist *coexist;
	int coexists;

	struct { /* SPF of incoming mail */
		bool check; /* false: no sender is judged, no client named */
		bool refuses; /* a domain has spf_fail = refuse */
		char *authserv_id; /* of Authentication-Results */
		struct conf_nets exempt; /* clients never refused for it */
		int64_t wait_ms; /* of an answer to a client, for a verdict */
	} spf;
	struct {
		char *via; /* "mx", leg or egress name, "" : no way */
		enum dsn_guard guard;
		int64_t delay_ms; /* a notice of delay after; 0: none */
	} dsn;
	struct { /* return addresses of copies; domain "" : none */
		char *domain, *secrets;
		int64_t lifetime_ms;
		struct conf_strings key; /* read from the file, first signs */
	} ret;
	struct { /* senders rewritten by SRS; domain "" : none */
		char *domain, *secrets;
		int hash; /* characters of a mark */
		int64_t lifetime_ms;
		struct conf_strings key; /* read from the file, first signs */
	} srs;
	struct {
		char *secrets; /* "" : made at the first start */
		struct conf_strings key; /* of the file; count 0 without */
	} token;
	struct { /* asking a leg whether it knows a recipient */
		int64_t timeout_ms, positive_ms, negative_ms;
		enum no_answer no_answer;
	} probe;
	struct {
		char *mail, *exec; /* "" : none */
		int64_t interval_ms;
		int64_t certificate_ms; /* before a certificate ends */
	} alarm;
	struct { /* programs of a migration: doc/watermark.md */
		char *on_watermark, *on_held, *on_export; /* "" : none */
		int64_t timeout_ms;
	} hook;
	struct { /* who may send to the outside: policy/outbound.h */
		struct conf_nets clients;
		struct conf_strings use; /* egresses, in the order of trial */
		int *way;		 /* … as indexes of conf.leg */
		int ways;
		int64_t temperror_wait_ms;
		struct conf_strings certificates; /* SHA-256, hex */
		char *users; /* the file, "" : none */
		struct conf_user *user; /* what is in it, sorted by name */
		int user_count;
		int rate; /* recipients an hour for each, 0: any number */
		const char *file;
		int line;
	} outbound;
	char *profiles; /* folder of profiles that replace ours; "" */
	struct {
		char *engine; /* "sqlite" */
		char *path;
	} table;
	struct {
		char *path;
		int64_t retain_ms, parked_ms;
		uint64_t max_bytes;
		uint64_t segment_bytes; /* 64M; tests make it small */
		int spares;		/* ready before they are needed */
		bool wipe;
	} spool;
	struct {
		char *path;
		int64_t keep_ms;
		char *events; /* events.jsonl, "" : none */
		bool subject; /* kept, so that trace finds by it */
	} audit;
	struct {
		char *socket;
	} control;
	struct {
		struct conf_hostport *server;
		int servers; /* 0: /etc/resolv.conf */
		int64_t timeout_ms;
		bool validating; /* its AD bit may be believed (RFC 7672) */
	} resolver;
	struct {
		int connections, per_client;
		uint64_t message_bytes;
		int recipients;
		uint64_t body_memory_bytes;   /* all drafts together */
		uint64_t memory_window_bytes; /* accepted, sent from memory */
		int errors;    /* refusals in a session, then 421 */
		int commands;  /* without a message (NOOP, RSET, …), then 421 */
		int64_t command_timeout_ms, data_timeout_ms, tls_timeout_ms,
		    proxy_timeout_ms;
		uint64_t min_rate; /* bytes a second of a body, after grace */
		int64_t min_rate_grace_ms;
		int hops; /* Received fields, 100 */
	} limits;
	struct {
		int64_t *steps_ms; /* 1m 2m 5m 10m 15m 30m 1h; last repeats */
		int steps;
		int jitter_percent; /* 20 */
		int64_t lifetime_ms;
		int64_t grace_ms;
		int64_t suspended_ms;  /* most that a leg's absence adds */
		int64_t known_ms;      /* a delivery that proves a mailbox */
		int64_t known_wait_ms; /* … and how long "unknown" waits */
		int64_t handover_ms; /* 100: then the queue has it */
	} retry;
	struct {
		uint64_t max; /* deliveries, 5,000,000 */
	} queue;
	struct { /* waves: when a slice may begin */
		char *zone; /* "" : none, so a time needs its own */
		struct conf_strings blackout; /* as written */
		int per_hour;		      /* members; 0: any number */
		const struct zone *clock;     /* of `zone`; NULL: none */
		struct slice_limits limits;   /* both, to be asked */
	} wave;
	struct { /* how far a changed MX has spread */
		int64_t interval_ms;
		struct conf_strings old_ns; /* names, normal form */
		int64_t stale_ms;
	} propagation;
	struct {
		enum log_level level;
		char *file; /* "" : stderr */
	} log;
};

/* Reads and checks `file`. NULL and err->text "FILE:LINE: what, and what
 * would be right". `names` gives legs their numbers and outlives every
 * snapshot. */
struct conf *conf_load(const char *file, struct names *names,
    struct error *err) PH_CHECK;
/* Each file that the configuration in `file` consists of or reads, once: itself
 * first, what it includes, certificates, keys, secrets. -1 and err. */
int conf_files(const char *file, void (*fn)(void *arg, const char *path),
    void *arg, struct error *err);
/* A configuration whose files are elsewhere, as in a backup: `where` gives the
 * path at which that file of it is read, NULL: it is not there. */
struct conf_source {
	const char *file; /* its own name */
	const char *(*where)(void *arg, const char *path);
	void *arg;
};
/* The same for such a one: all that it names, there or not. */
int conf_files_from(const struct conf_source *from,
    void (*fn)(void *arg, const char *path), void *arg, struct error *err);
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* NULL is fine */

/* NULL when there is none. Legs and egresses. */
const struct conf_leg *conf_leg_by_name(const struct conf *c,
    struct slice name);
const struct conf_leg *conf_leg_by_id(const struct conf *c, int id);
/* Does it judge the client that came to us, not our address (trust)? */
bool leg_looks_through(const struct conf_leg *l);
/* `domain` in normal form (relay/mail/domain.h). */
const struct conf_domain *conf_domain(const struct conf *c,
    struct slice domain);
/* "": the one without a name. NULL: there is none. */
const struct conf_verdict *conf_verdict(const struct conf *c,
    struct slice name);
/* Is the domain, in normal form, one that the verdict is about? */
bool conf_verdict_has(const struct conf *c, const struct conf_verdict *v,
    struct slice domain);
/* Is it one that mail from everywhere comes in by: not closed, no leg's and
 * not for outbound alone? */
bool conf_listen_takes_mail(const struct conf_listen *l);
/* Is that listener one whose silence the verdict counts? */
bool conf_verdict_listens(const struct conf_verdict *v,
    const struct conf_listen *l);
/* May its rows be routed to that leg? Always without `legs`. */
bool conf_domain_may(const struct conf_domain *d, struct slice leg);
/* NULL: outbound.users has none of that name. */
const struct conf_user *conf_user(const struct conf *c, struct slice name);
/* The leg that has it among its own domains. */
const struct conf_leg *conf_leg_of_domain(const struct conf *c,
    struct slice domain);
/* `section` "" holds the keys outside any section. */
struct conf_place conf_place(const struct conf *c, const char *section,
    const char *key);
/* Is the address inside one of the networks? v4-mapped v6 counts as v4. */
bool conf_nets_have(const struct conf_nets *n, const struct sockaddr *sa);
/* Is there an address inside both? */
bool conf_nets_overlap(const struct conf_nets *a, const struct conf_nets *b);
/* Private and link-local networks: RFC 1918, 3927, 4193, 4291. */
const struct conf_nets *conf_private(void);
/* "192.0.2.0/24", "2001:db8::1"; host bits must be zero. */
int conf_net_parse(struct slice s, struct conf_net *net_out,
    const char **why_out);
/* A next hop: "host", "host:port", "[2001:db8::1]:port" or an address alone,
 * with port 25 where none is said. -1: it is none of these. */
int conf_next_hop(struct slice text, struct slice *host_out, int *port_out,
    struct error *err) PH_CHECK;

/* Which keys differ and which of those a reload cannot change: one line
 * each, e.g. "spool.path: needs a restart". False when a restart is needed
 * for something. */
bool conf_diff(const struct conf *old, const struct conf *fresh,
    struct strbuf *lines_out);
/* Is a leg another server by now? Then what it said is of no use. */
bool conf_hops_differ(const struct conf *old, const struct conf *fresh);
/* The schema as a sample file, and as text for posthouse.conf(5). */
void conf_print_sample(struct strbuf *out);
void conf_print_man(struct strbuf *out);

#endif
