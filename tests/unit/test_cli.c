/* SPDX-License-Identifier: ISC
 *
 * The command line's tables, its help and its manual page; the output.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/cli/all_commands.h"
#include "relay/cli/command_find.h"
#include "relay/cli/command_help.h"
#include "relay/cli/command_man.h"
#include "relay/cli/common/cli.h"

static char *read_page(void)
{
	const char *top = getenv("srcdir");
	char path[500];
	char *text = mem_new(1 << 20);
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/posthouse.1",
	    top != NULL ? top : ".");
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s can not be read", path);
	assert_int_not_equal(fread(text, 1, (1 << 20) - 1, f), 0);
	fclose(f);
	return text;
}

/* The output of `print`. */
static char *printed(void (*print)(const struct cli_command *cmd, FILE *to),
    const struct cli_command *cmd)
{
	char *text = NULL, *copy;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	print(cmd, f);
	fclose(f);
	copy = mem_slicedup(slice_of(text, n));
	mem_free(text);
	return copy;
}

static void print_man(const struct cli_command *cmd, FILE *to)
{
	(void)cmd;
	cli_print_man(all_commands, to);
}

static void check_options(const struct cli_command *cmd, const char *help)
{
	for (const struct cli_option *o = cmd->options;
	     o != NULL && o->name != NULL; o++) {
		char flag[80];

		snprintf(flag, sizeof(flag), "  --%s", o->name);
		assert_non_null(strstr(help, flag));
		assert_true(o->help[strlen(o->help) - 1] == '.');
	}
}

static void check_command(const struct cli_command *cmd)
{
	char *help = printed(cli_print_help, cmd);
	struct slice rest = slice_str(cmd->name), word;
	char start[80], *words[4] = {0};
	int n = 0, used;

	print_message("%s\n", cmd->name);
	assert_non_null(cmd->run);
	assert_non_null(cmd->args);
	assert_in_range(strlen(cmd->summary), 10, 80);
	assert_true(cmd->summary[strlen(cmd->summary) - 1] != '.');
	snprintf(start, sizeof(start), "posthouse %s", cmd->name);
	assert_int_equal(strncmp(cmd->example, start, strlen(start)), 0);
	assert_non_null(strstr(help, cmd->example[0] == '\0' ? "?" : start));
	check_options(cmd, help);
	while (slice_next(&rest, ' ', &word))
		words[n++] = mem_slicedup(word);
	assert_ptr_equal(cli_find(all_commands, n, words, &used), cmd);
	assert_int_equal(used, n);
	while (n > 0)
		mem_free(words[--n]);
	mem_free(help);
}

static void each_command_has_help_an_example_and_a_name_of_its_own(void **state)
{
	(void)state;
	for (int t = 0; all_commands[t] != NULL; t++)
		for (const struct cli_command *cmd = all_commands[t];
		     cmd->name != NULL; cmd++)
			check_command(cmd);
}

static void the_manual_page_says_what_the_table_says(void **state)
{
	char *page = read_page();
	char *part = printed(print_man, NULL);

	(void)state;
	if (strstr(page, part) == NULL)
		fail_msg("doc/posthouse.1 is old: make cli-doc");
	mem_free(page);
	mem_free(part);
}

/* ---- output ----------------------------------------------------------- */

static const struct out_column columns[] = {
	{"name", "NAME", false},
	{"count", "COUNT", true},
	{"in.side", "INSIDE", false},
	{"list", "LIST", false},
	{NULL, NULL, false},
};

static void put(struct out *o, const char *name, int count)
{
	struct jout *j = out_row(o);

	jout_str(j, "name", name);
	jout_int(j, "count", count);
	jout_object(j, "in");
	jout_str(j, "side", count > 9 ? "x" : "");
	jout_object_end(j);
	jout_array(j, "list");
	jout_str(j, NULL, "a");
	jout_str(j, NULL, "b");
	jout_array_end(j);
	out_row_end(o);
}

static char *show(bool json)
{
	char *text = NULL, *copy;
	size_t n = 0;
	struct out o;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	out_init(&o, f, json);
	out_table(&o, columns);
	put(&o, "ann", 1);
	put(&o, "b\xc3\xb6" "rje\x1b[31m\n", 1000);
	out_fini(&o);
	fclose(f);
	copy = mem_slicedup(slice_of(text, n));
	mem_free(text);
	return copy;
}

static void people_get_columns_and_nothing_a_terminal_obeys(void **state)
{
	char *text = show(false);

	(void)state;
	assert_string_equal(text,
	    "NAME               COUNT  INSIDE  LIST\n"
	    "ann                    1  -       a b\n"
	    "b\xc3\xb6rje\\x1b[31m\\x0a   1000  x       a b\n");
	mem_free(text);
}

static void programs_get_one_object_a_line(void **state)
{
	char *text = show(true);

	(void)state;
	assert_string_equal(text,
	    "{\"name\":\"ann\",\"count\":1,\"in\":{\"side\":\"\"},"
	    "\"list\":[\"a\",\"b\"]}\n"
	    "{\"name\":\"b\xc3\xb6rje\\u001b[31m\\n\",\"count\":1000,"
	    "\"in\":{\"side\":\"x\"},\"list\":[\"a\",\"b\"]}\n");
	mem_free(text);
}

/* Rows of the daemon, and sentences, with text from outside. */
static void what_turns_or_hides_text_reaches_no_terminal(void **state)
{
	static const char bad[] = "a\xc2\x85" "b\xe2\x80\xae" "c\xe2\x80\x8b";
	static const struct out_column one_column[] = {
	    {"k", "K", false}, {NULL, NULL, false}};

	(void)state;
	for (int json = 0; json < 2; json++) {
		json_t *row = json_pack("{s:s, s:[f, n, b]}", "k", bad, "l",
		    0.5, 1);
		char *text = NULL;
		size_t n;
		FILE *to = open_memstream(&text, &n);
		struct out o;

		out_init(&o, to, json != 0);
		out_table(&o, one_column);
		out_row_json(&o, row);
		out_end(&o);
		out_say(&o, "%s\n", bad);
		out_fini(&o);
		fclose(to);
		assert_string_equal(text, json
		    ? "{\"k\":\"a\\u0085b\\u202ec\\u200b\","
		      "\"l\":[0.5,null,true]}\n"
		    : "K\na\\xc2\\x85b\\xe2\\x80\\xaec\\xe2\\x80\\x8b\n"
		      "a\\xc2\\x85b\\xe2\\x80\\xaec\\xe2\\x80\\x8b\\x0a\n");
		free(text);
		json_decref(row);
	}
}

static void what_is_not_text_is_shown_as_bytes(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"plain \xe2\x82\xac", "plain \xe2\x82\xac"},
	    {"\x7f\x1b\r", "\\x7f\\x1b\\x0d"},
	    {"\xc2\x9b" "31m", "\\xc2\\x9b31m"}, /* CSI of 8-bit terminals */
	    {"\xff\xc3", "\\xff\\xc3"},
	    {"\xe2\x82", "\\xe2\\x82"},
	    {"\xe2\x80\xae" "moc", "\\xe2\\x80\\xaemoc"}, /* leftwards */
	    {"\xe2\x81\xa9\xe2\x80\x94", "\\xe2\\x81\\xa9\xe2\x80\x94"},
	    {"\xf0\x9f\x90\x8e", "\xf0\x9f\x90\x8e"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b;

		strbuf_init(&b, 100);
		utf8_show(slice_str(cases[i].in), &b);
		assert_string_equal(strbuf_cstr(&b), cases[i].out);
		strbuf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		each_command_has_help_an_example_and_a_name_of_its_own),
	    cmocka_unit_test(the_manual_page_says_what_the_table_says),
	    cmocka_unit_test(people_get_columns_and_nothing_a_terminal_obeys),
	    cmocka_unit_test(programs_get_one_object_a_line),
	    cmocka_unit_test(what_is_not_text_is_shown_as_bytes),
	    cmocka_unit_test(what_turns_or_hides_text_reaches_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
