/* SPDX-License-Identifier: ISC
 *
 * Files that have their names only when they are whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/newfile.h"

static void a_new_file_has_its_name_when_it_is_whole(void **state)
{
	char dir[] = "/tmp/test_base.XXXXXX", name[64], part[NEWFILE_PATH];
	char longest[PATH_MAX + 64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/a", dir);
	fd = newfile_open(name, part);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	assert_int_equal(access(name, F_OK), -1);
	fd = newfile_open(name, part); /* the command was killed */
	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	assert_int_equal(newfile_keep(part, name), 0);
	close(fd);
	assert_int_equal(newfile_open(name, part), -1);
	assert_int_equal(errno, EEXIST);
	close(open(part, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(newfile_keep(part, name), -1);
	assert_int_equal(errno, EEXIST);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(newfile_open(longest, part), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	snprintf(part, sizeof(part), "%s.part", name);
	unlink(part);
	unlink(name);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_has_its_name_when_it_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
