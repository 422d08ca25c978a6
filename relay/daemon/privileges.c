/* SPDX-License-Identifier: ISC
 *
 * User and capabilities (capabilities(7)), by the system calls as they are:
 * there is no need for libcap to say that one bit stays.
 */
#include "relay/daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "relay/base/mem.h"

/* The first of the daemon's own files that exists and is not root's. */
static const char *owned_path(const struct conf *c, struct stat *st_out)
{
	const char *const paths[] = {c->spool.path, c->table.path,
	    c->audit.path};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (stat(paths[i], st_out) == 0 && st_out->st_uid != 0)
			return paths[i];
	return NULL;
}

int privileges_become(const struct conf *c, struct error *err)
{
	struct stat st;
	const struct passwd *pw;
	const char *path = geteuid() == 0 ? owned_path(c, &st) : NULL;
	gid_t gid;

	if (path == NULL)
		return 0;
	pw = getpwuid(st.st_uid);
	gid = pw != NULL ? pw->pw_gid : st.st_gid;
	/* Else the change of user takes all capabilities along. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    (pw != NULL ? initgroups(pw->pw_name, gid) :
			  setgroups(0, NULL)) < 0 ||
	    setresgid(gid, gid, gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return error_sys(err, errno, "cannot become the owner of %s "
		    "(uid %u)", path, (unsigned)st.st_uid);
	(void)privileges_drop(PRIVILEGES_BIND);
	return 1;
}

/* Fails where it may not be done, which is where there is nothing in it. */
static void empty_bounding_set(void)
{
	for (unsigned long cap = 0;
	     prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

int privileges_drop(enum privileges keep)
{
	struct __user_cap_header_struct h = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {{0}};
	uint32_t stays = 0;

	if (keep == PRIVILEGES_BIND)
		stays = UINT32_C(1) << CAP_NET_BIND_SERVICE;
	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	empty_bounding_set();
	stays &= d[0].permitted;
	d[0] = d[1] = (struct __user_cap_data_struct){0};
	d[0].permitted = d[0].effective = stays;
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}
