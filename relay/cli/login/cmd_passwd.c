/* SPDX-License-Identifier: ISC
 *
 * passwd: a line for outbound.users. The file is the administrator's to edit,
 * so nothing is written here.
 */
#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "conf/users.h"
#include "relay/cli/login/login_commands.h"

enum { PASSWORD_MAX = 511 /* crypt(3) takes no more */ };

struct password {
	char text[PASSWORD_MAX + 3]; /* and what ends a line */
};

/* One line of standard input without its end. False: there is none, or it is
 * too long. */
static bool read_line(struct password *p)
{
	size_t n;

	if (fgets(p->text, sizeof(p->text), stdin) == NULL)
		return false;
	n = strcspn(p->text, "\r\n");
	p->text[n] = '\0';
	return n > 0 && n <= PASSWORD_MAX;
}

static bool ask(const char *question, struct password *p)
{
	struct termios shown, hidden;
	bool ok;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0)
		return false;
	/* Asked last: the password may be typed at the sight of it. */
	fprintf(stderr, "%s: ", question);
	ok = read_line(p);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return ok;
}

/* NULL, or why there is no password. */
static const char *read_password(struct password *p)
{
	static const char bad[] = "the password is empty or longer than 511 "
				  "characters; nothing is printed";
	struct password again;
	bool same;

	setvbuf(stdin, NULL, _IONBF, 0); /* no copy of it is left behind */
	if (!isatty(STDIN_FILENO))
		return read_line(p) ? NULL : bad;
	if (!ask("Password", p))
		return bad;
	same = ask("Once more", &again) && strcmp(p->text, again.text) == 0;
	explicit_bzero(&again, sizeof(again));
	return same ? NULL : "the two differ; nothing is printed";
}

/* By the method and the cost that libcrypt prefers: yescrypt. */
static bool hash(const struct password *p, char out[CRYPT_OUTPUT_SIZE])
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = NEW(struct crypt_data);
	const char *got = NULL;

	if (crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof(salt)) != NULL)
		got = crypt_r(p->text, salt, data);
	if (got != NULL && got[0] != '*')
		snprintf(out, CRYPT_OUTPUT_SIZE, "%s", got);
	else
		got = NULL;
	explicit_bzero(data, sizeof(*data));
	mem_free(data);
	return got != NULL;
}

static const struct out_column columns[] = {
	{"line", "LINE", false},
	{NULL, NULL, false},
};

static void print(struct cli *c, const char *made)
{
	struct strbuf line;

	strbuf_init(&line, 64 << 10);
	strbuf_addf(&line, "%s:%s:", c->arg[0], made);
	for (int i = 0; cli_value_at(c, "sender", i) != NULL; i++)
		strbuf_addf(&line, "%s%s", i == 0 ? "" : ",",
		    cli_value_at(c, "sender", i));
	if (c->json) {
		out_table(&c->out, columns);
		jout_str(out_row(&c->out), "line", strbuf_cstr(&line));
		out_row_end(&c->out);
		out_end(&c->out);
	}
	out_say(&c->out, "%s", strbuf_cstr(&line));
	strbuf_fini(&line);
}

/* NULL, or the --sender that the daemon would refuse. */
static const char *bad_sender(const struct cli *c)
{
	const char *sender;

	for (int i = 0; (sender = cli_value_at(c, "sender", i)) != NULL; i++)
		if (!user_sender_ok(slice_str(sender)))
			return sender;
	return NULL;
}

static int run_passwd(struct cli *c)
{
	const char *sender = bad_sender(c);
	const char *why = user_name_fault(slice_str(c->arg[0]));
	char made[CRYPT_OUTPUT_SIZE];
	struct password p;
	bool ok;

	if (why != NULL)
		return cli_usage(c, "the name %s; write printable characters "
				    "without a colon", why);
	if (sender != NULL)
		return cli_usage(c, "\"%s\" is no sender; write an address, or "
				    "a domain as @example.com", sender);
	why = read_password(&p);
	if (why != NULL) {
		explicit_bzero(&p, sizeof(p));
		return cli_fail(c, "%s", why);
	}
	ok = hash(&p, made);
	explicit_bzero(&p, sizeof(p));
	if (!ok)
		return cli_fail(c, "libcrypt of this machine cannot make a "
				   "yescrypt hash");
	print(c, made);
	return CLI_DONE;
}

static const struct cli_option passwd_options[] = {
	{"sender", "ADDRESS",
	    "A sender that it may use, or @DOMAIN; may be repeated."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_passwd[] = {
	{.name = "passwd",
	    .args = "NAME",
	    .summary = "Makes a line of the file of outbound.users",
	    .details = "The password is asked for twice on a terminal, and is "
		       "otherwise the first line of the input.\nPut the line "
		       "that is printed into the file, in place of an older "
		       "one of that name, and reload the daemon.",
	    .example = "posthouse passwd scanner --sender "
		       "scanner@example.com >>/etc/posthouse/users",
	    .options = passwd_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_passwd},
	{.name = NULL},
};
