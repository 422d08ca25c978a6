/* SPDX-License-Identifier: ISC
 *
 * Reads which user runs a command: this process, or a peer of a Unix socket.
 */
#include "relay/ops/who.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* since Linux 6.5 */
#endif

enum { SUDO_MAX = 64, CLAIM_MAX = 320 };
static const char unknown[] = ", login unknown";

/* ---- text -------------------------------------------------------------- */

enum who_login who_parse_login(struct slice text, uid_t *login_out)
{
	uint64_t n;

	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (!slice_uint(text, UINT32_MAX, &n))
		return WHO_LOGIN_UNKNOWN;
	*login_out = (uid_t)n;
	return n == UINT32_MAX ? WHO_LOGIN_NONE : WHO_LOGIN_KNOWN;
}

static void add_user(struct strbuf *b, uid_t uid)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 &&
	    found != NULL)
		strbuf_addf(b, "%.64s(%u)", pw.pw_name, (unsigned)uid);
	else
		strbuf_addf(b, "uid %u", (unsigned)uid);
}

static void add_claim(struct strbuf *b, const char *claim, size_t max,
    char lowest)
{
	for (size_t i = 0; i < max && claim[i] != '\0'; i++)
		strbuf_addc(b, claim[i] >= lowest && claim[i] < 0x7f
				   ? claim[i] : '?');
}

void who_text(const struct who *w, char out[WHO_TEXT])
{
	struct strbuf b;

	strbuf_init(&b, WHO_TEXT - 1);
	if (w->logged_in == WHO_LOGIN_KNOWN && w->login != w->uid) {
		add_user(&b, w->login);
		strbuf_adds(&b, " as ");
	}
	add_user(&b, w->uid);
	if (w->logged_in == WHO_LOGIN_NONE)
		strbuf_adds(&b, ", no login");
	else if (w->logged_in == WHO_LOGIN_UNKNOWN)
		strbuf_adds(&b, unknown);
	if (w->sudo != NULL && w->sudo[0] != '\0') {
		strbuf_adds(&b, ", sudo says ");
		add_claim(&b, w->sudo, SUDO_MAX, ' ' + 1);
	}
	snprintf(out, WHO_TEXT, "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
}

void who_claims(const char *peer, const char *claim, char out[WHO_TEXT])
{
	struct strbuf b;

	strbuf_init(&b, WHO_TEXT - 1);
	strbuf_adds(&b, peer);
	if (claim != NULL && claim[0] != '\0' &&
	    strstr(peer, unknown) != NULL) {
		strbuf_adds(&b, ", claims ");
		add_claim(&b, claim, CLAIM_MAX, ' ');
	}
	snprintf(out, WHO_TEXT, "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
}

/* ---- processes --------------------------------------------------------- */

static enum who_login read_login(const char *path, uid_t *login_out)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? WHO_LOGIN_UNKNOWN
		     : who_parse_login(slice_of(text, (size_t)n), login_out);
}

void who_self(char out[WHO_TEXT])
{
	struct who w = {.uid = getuid(), .sudo = getenv("SUDO_USER")};

	w.logged_in = read_login("/proc/self/loginuid", &w.login);
	who_text(&w, out);
}

/* A descriptor of a process is readable once the process has ended. */
static bool lives(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

static enum who_login peer_login(int fd, pid_t pid, uid_t *login_out)
{
	enum who_login login;
	char path[64];
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (pid <= 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) != 0)
		return WHO_LOGIN_UNKNOWN;
	snprintf(path, sizeof(path), "/proc/%d/loginuid", (int)pid);
	login = read_login(path, login_out);
	if (!lives(pidfd))
		login = WHO_LOGIN_UNKNOWN;
	close(pidfd);
	return login;
}

void who_peer(int fd, const struct ucred *cred, char out[WHO_TEXT])
{
	struct who w = {.uid = cred->uid};

	w.logged_in = peer_login(fd, cred->pid, &w.login);
	who_text(&w, out);
}
