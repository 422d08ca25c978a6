/* SPDX-License-Identifier: ISC
 *
 * A file of outbound.users. Each user of one that is taken is found by its
 * name, and has a hash and senders that are looked up as they are.
 */
#include "conf/users.h"
#include "tests/fuzz/fuzz.h"

static void must_be_right(const struct conf *c, const struct conf_user *u)
{
	struct slice name = slice_str(u->name);

	must(user_name_fault(name) == NULL && !has_control(name));
	must(user_hash_fault(slice_str(u->hash)) == NULL);
	must(conf_user(c, name) == u);
	must(u->senders.count <= USER_SENDERS_MAX);
	for (int i = 0; i < u->senders.count; i++)
		must(strchr(u->senders.s[i], '@') != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct conf c = {.file = NULL};
	struct error err = {.text = ""};

	if (users_parse(slice_of(data, size), "users", a, &c, &err) == 0)
		for (int i = 0; i < c.outbound.user_count; i++)
			must_be_right(&c, &c.outbound.user[i]);
	else
		must(err.text[0] != '\0');
	arena_free(a);
	return 0;
}
