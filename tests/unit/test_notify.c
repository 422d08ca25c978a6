/* SPDX-License-Identifier: ISC
 *
 * Those that started the daemon are told of it: systemd by a datagram, the
 * parent of a daemon of the old kind by its pipe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/daemon/background.h"
#include "relay/daemon/sd.h"

/* ---- systemd ------------------------------------------------------------- */

/* A socket that receives at `name`, of which '@' is the first byte of an
 * abstract one. */
static int receiver(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, name, strlen(name));
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		strlen(name))), 0);
	return fd;
}

static void got(int fd, const char *want)
{
	char text[100];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	if (want == NULL) {
		assert_int_equal(n, -1);
		return;
	}
	assert_int_equal(n, (ssize_t)strlen(want));
	assert_memory_equal(text, want, strlen(want));
}

static void systemd_is_told_at_its_socket(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@posthouse-test-%d", (int)getpid());
	for (int path = 0; path < 2; path++) {
		if (path)
			snprintf(name, sizeof(name), "/tmp/posthouse-test-%d",
			    (int)getpid());
		fd = receiver(name);
		setenv("NOTIFY_SOCKET", name, 1);
		sd_notify("READY=1");
		got(fd, "READY=1");
		got(fd, NULL);
		setenv("NOTIFY_SOCKET", name + 1, 1); /* of no kind */
		sd_notify("READY=1");
		unsetenv("NOTIFY_SOCKET");
		sd_notify("READY=1");
		got(fd, NULL);
		close(fd);
	}
	unlink(name);
	/* There is no receiver any more. */
	setenv("NOTIFY_SOCKET", name, 1);
	sd_notify("STOPPING=1");
}

/* A name of a whole address is the longest, without a final NUL. */
static void a_name_that_fits_no_address_is_left_alone(void **state)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	int fd;

	(void)state;
	memset(name, 'x', sizeof(name));
	snprintf(name, sizeof(name), "@posthouse-%d", (int)getpid());
	name[strlen(name)] = 'x';
	name[sizeof(name) - 2] = '\0';
	fd = receiver(name);
	setenv("NOTIFY_SOCKET", name, 1);
	sd_notify("READY=1");
	got(fd, "READY=1");
	name[sizeof(name) - 2] = 'x';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	sd_notify("READY=1");
	got(fd, NULL);
	close(fd);
}

static void the_watchdog_is_told_in_half_its_time(void **state)
{
	static const struct {
		const char *us;
		int64_t ms;
	} cases[] = {{NULL, 0}, {"", 0}, {"0", 0}, {"2000", 1}, {"3999", 1},
	    {"30000000", 15000}, {"-1", 0}, {"3s", 0},
	    {"9223372036854775808", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsetenv("WATCHDOG_USEC");
		if (cases[i].us != NULL)
			setenv("WATCHDOG_USEC", cases[i].us, 1);
		assert_int_equal(sd_watchdog_ms(), cases[i].ms);
	}
}

/* ---- a daemon of the old kind -------------------------------------------- */

/* In a process of its own: forks, and ends with what the parent would. */
static int old_daemon(int told)
{
	pid_t session = getsid(0);

	if (background_enter() == 1)
		return background_wait();
	if (getsid(0) == session || getsid(0) != getpid())
		_exit(2); /* and the parent hears nothing */
	if (told >= 1)
		background_ready();
	if (told >= 2)
		background_ready();
	_exit(0);
}

static int ends_with(int told)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(old_daemon(told));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void the_parent_ends_as_the_child_says(void **state)
{
	(void)state;
	assert_int_equal(ends_with(0), 1);
	assert_int_equal(ends_with(1), 0);
	assert_int_equal(ends_with(2), 0);
	background_ready(); /* in the foreground: nothing happens */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(systemd_is_told_at_its_socket),
	    cmocka_unit_test(a_name_that_fits_no_address_is_left_alone),
	    cmocka_unit_test(the_watchdog_is_told_in_half_its_time),
	    cmocka_unit_test(the_parent_ends_as_the_child_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
