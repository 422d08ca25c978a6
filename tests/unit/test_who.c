/* SPDX-License-Identifier: ISC
 *
 * Which user ran a command, as the history says it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/ops/who.h"

#define T(name) cmocka_unit_test(name)

enum { NOBODY = 3999999999u }; /* a uid without a name */

static void a_login_uid_is_digits(void **state)
{
	static const struct {
		const char *text;
		enum who_login login;
		uid_t uid;
	} cases[] = {
		{"1000\n", WHO_LOGIN_KNOWN, 1000},
		{"0", WHO_LOGIN_KNOWN, 0},
		{"4294967295", WHO_LOGIN_NONE, 0},
		{"4294967296", WHO_LOGIN_UNKNOWN, 0},
		{"", WHO_LOGIN_UNKNOWN, 0},
		{"ann", WHO_LOGIN_UNKNOWN, 0},
		{"10 00", WHO_LOGIN_UNKNOWN, 0},
		{"-1", WHO_LOGIN_UNKNOWN, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uid_t uid = 7;

		assert_int_equal(who_parse_login(slice_str(cases[i].text),
				     &uid), cases[i].login);
		if (cases[i].login == WHO_LOGIN_KNOWN)
			assert_int_equal(uid, cases[i].uid);
	}
}

static void login_and_uid_and_claim_are_told_apart(void **state)
{
	static const struct {
		struct who who;
		const char *text;
	} cases[] = {
		{{0, WHO_LOGIN_KNOWN, 0, NULL}, "root(0)"},
		{{0, WHO_LOGIN_NONE, 0, NULL}, "root(0), no login"},
		{{0, WHO_LOGIN_UNKNOWN, 0, ""}, "root(0), login unknown"},
		{{0, WHO_LOGIN_KNOWN, NOBODY, "ann"},
		    "uid 3999999999 as root(0), sudo says ann"},
		{{NOBODY, WHO_LOGIN_KNOWN, 0, NULL},
		    "root(0) as uid 3999999999"},
		/* A claim says nothing but a name. */
		{{0, WHO_LOGIN_NONE, 0, "ann\n\", \xff"},
		    "root(0), no login, sudo says ann?\",??"},
	};
	char text[WHO_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		who_text(&cases[i].who, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void a_client_claims_what_cannot_be_read(void **state)
{
	char text[WHO_TEXT];

	(void)state;
	who_claims("root(0), login unknown", "ann(1000) as root(0)\n", text);
	assert_string_equal(text, "root(0), login unknown, claims "
	    "ann(1000) as root(0)?");
	who_claims("zoe(1001) as root(0)", "ann(1000)", text);
	assert_string_equal(text, "zoe(1001) as root(0)");
	who_claims("root(0), login unknown", NULL, text);
	assert_string_equal(text, "root(0), login unknown");
}

static void a_long_claim_is_cut(void **state)
{
	char name[300], text[WHO_TEXT];
	const struct who w = {0, WHO_LOGIN_NONE, 0, name};

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	who_text(&w, text);
	assert_int_equal(strlen(text),
	    strlen("root(0), no login, sudo says ") + 64);
}

static void sudo_is_a_claim_of_the_environment(void **state)
{
	char text[WHO_TEXT];

	(void)state;
	setenv("SUDO_USER", "zoe", 1);
	who_self(text);
	unsetenv("SUDO_USER");
	assert_non_null(strstr(text, ", sudo says zoe"));
	who_self(text);
	assert_null(strstr(text, "zoe"));
}

static void peer_text(int fd, char out[WHO_TEXT])
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len),
	    0);
	who_peer(fd, &cred, out);
}

static void a_peer_is_as_it_says_itself(void **state)
{
	char self[WHO_TEXT], peer[WHO_TEXT];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	who_self(self);
	peer_text(fd[0], peer);
	/* Linux before 6.5 gives no descriptor of the process. */
	if (strstr(peer, ", login unknown") == NULL)
		assert_string_equal(peer, self);
	close(fd[0]);
	close(fd[1]);
}

/* A socket that a process connected to, which has ended since; /proc still has
 * it, as a new process of that number would be there. */
static int ended_peer(pid_t *child_out)
{
	const struct sockaddr_un any = {.sun_family = AF_UNIX};
	struct sockaddr_un at = {0};
	socklen_t len = sizeof(at);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	siginfo_t info;

	/* An address that the kernel chooses. */
	assert_int_equal(bind(listener, (const struct sockaddr *)&any,
			     sizeof(any.sun_family)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len),
	    0);
	*child_out = fork();
	if (*child_out == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(connect(fd, (const struct sockaddr *)&at, len) != 0);
	}
	fd = accept(listener, NULL, NULL);
	close(listener);
	assert_int_equal(waitid(P_PID, (id_t)*child_out, &info,
			     WEXITED | WNOWAIT), 0);
	assert_int_equal(info.si_status, 0);
	return fd;
}

static void the_login_of_a_peer_that_ended_is_unknown(void **state)
{
	char peer[WHO_TEXT];
	pid_t child;
	int fd = ended_peer(&child);

	(void)state;
	peer_text(fd, peer);
	assert_non_null(strstr(peer, ", login unknown"));
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_login_uid_is_digits),
		T(login_and_uid_and_claim_are_told_apart),
		T(a_client_claims_what_cannot_be_read),
		T(a_long_claim_is_cut),
		T(sudo_is_a_claim_of_the_environment),
		T(a_peer_is_as_it_says_itself),
		T(the_login_of_a_peer_that_ended_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
