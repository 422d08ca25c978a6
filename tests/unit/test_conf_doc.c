/* SPDX-License-Identifier: ISC
 *
 * The pages that the table prints are those in the tree, and every row of it
 * can be used: help, default, range, sample.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conf/schema.h"
#include "tests/unit/conf_tmp.h"

enum { TEXT_MAX = 1 << 20 };

static void source_path(const char *name, char *out, size_t size)
{
	const char *top = getenv("srcdir");

	snprintf(out, size, "%s/%s", top == NULL ? ".." : top, name);
}

static void read_source(const char *name, struct strbuf *out)
{
	char path[4096];
	FILE *f;
	size_t n;

	source_path(name, path, sizeof(path));
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	n = fread(strbuf_reserve(out, TEXT_MAX), 1, TEXT_MAX, f);
	strbuf_used(out, n);
	fclose(f);
}

static void every_row_has_help_of_whole_sentences(void **state)
{
	(void)state;
	for (int i = 0; i < param_count(); i++) {
		const struct conf_param *p = param_at(i);

		print_message("%s\n", p->name);
		assert_non_null(p->help);
		assert_true(strlen(p->help) > 10);
		assert_int_equal(p->help[strlen(p->help) - 1], '.');
		assert_int_not_equal(p->in, 0);
		assert_non_null(p->type);
		assert_true(strlen(p->name) <= NAME_BYTES);
	}
	for (int s = 0; s < SECTIONS; s++) {
		assert_non_null(section_table[s].name);
		assert_non_null(section_table[s].help);
		assert_non_null(param_next((enum section)s, NULL));
	}
}

static void no_section_has_two_keys_of_a_name(void **state)
{
	const struct conf_param *p;

	(void)state;
	for (int s = 0; s < SECTIONS; s++) {
		p = NULL;
		while ((p = param_next((enum section)s, p)) != NULL)
			assert_ptr_equal(param_find((enum section)s, p->name),
			    p);
	}
}

static void numbers_have_a_range_and_words_have_words(void **state)
{
	(void)state;
	for (int i = 0; i < param_count(); i++) {
		const struct conf_param *p = param_at(i);

		print_message("%s\n", p->name);
		if (p->type->number != NULL)
			assert_true(p->min < p->max);
		if (p->type->form == NULL && p->type->number == NULL)
			assert_int_equal(p->min, p->max);
	}
}

static void what_is_reserved_is_not_there(void **state)
{
	const struct conf_param *p;

	(void)state;
	assert_true(schema_reserved(SEC_TOP, "http", NULL));
	assert_false(schema_reserved(SEC_TOP, "leg", NULL));
	for (int s = 0; s < SECTIONS; s++) {
		assert_false(schema_reserved(SEC_TOP, section_table[s].name,
		    NULL));
		p = NULL;
		while ((p = param_next((enum section)s, p)) != NULL)
			assert_false(schema_reserved((enum section)s, p->name,
			    NULL));
	}
}

static void the_sample_is_printed_from_the_table(void **state)
{
	struct strbuf file, printed;

	(void)state;
	strbuf_init(&file, TEXT_MAX);
	strbuf_init(&printed, TEXT_MAX);
	read_source("conf/posthouse.conf", &file);
	conf_print_sample(&printed);
	assert_true(strbuf_ok(&printed));
	if (strcmp(strbuf_cstr(&file), strbuf_cstr(&printed)) != 0)
		fail_msg("conf/posthouse.conf is old; run make conf-doc");
	strbuf_fini(&file);
	strbuf_fini(&printed);
}

static void the_manual_is_printed_from_the_table(void **state)
{
	struct strbuf file, printed;
	static const char begin[] = ".\\\" begin of table\n",
			  end[] = ".\\\" end of table\n";
	const char *at;

	(void)state;
	strbuf_init(&file, TEXT_MAX);
	strbuf_init(&printed, TEXT_MAX);
	read_source("doc/posthouse.conf.5", &file);
	conf_print_man(&printed);
	assert_true(strbuf_ok(&printed));
	strbuf_adds(&printed, end);
	at = strstr(strbuf_cstr(&file), begin);
	assert_non_null(at);
	if (strncmp(at + strlen(begin), strbuf_cstr(&printed), printed.n) != 0)
		fail_msg("doc/posthouse.conf.5 is old; run make conf-doc");
	strbuf_fini(&file);
	strbuf_fini(&printed);
}

static const char *const samples[] = {"conf/posthouse.conf",
    "conf/msp-single-box.conf", "conf/microsoft365.conf"};

/* Loads a sample as if `dir` were /etc/posthouse, with the secrets in it. */
static void load_sample(const char *dir, struct slice text)
{
	static const char etc[] = "/etc/posthouse/";
	struct names *names = names_new();
	struct error err = {0};
	struct strbuf moved;
	struct conf *c;

	conf_tmp_secret(dir, "return.secrets", "0123456789abcdef\n");
	conf_tmp_secret(dir, "srs.secrets", "0123456789abcdef\n");
	conf_tmp_secret(dir, "users", "");
	strbuf_init(&moved, TEXT_MAX);
	while (text.n != 0) {
		if (slice_starts(text, slice_str(etc))) {
			strbuf_addf(&moved, "%s/", dir);
			text = slice_from(text, strlen(etc));
		} else {
			strbuf_addc(&moved, *text.p);
			text = slice_from(text, 1);
		}
	}
	c = conf_tmp_load(dir, strbuf_cstr(&moved), names, &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	conf_unref(c);
	strbuf_fini(&moved);
	names_free(names);
}

static void every_sample_can_be_loaded(void **state)
{
	struct strbuf text;

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		strbuf_init(&text, TEXT_MAX);
		read_source(samples[i], &text);
		load_sample(*state, strbuf_view(&text));
		strbuf_fini(&text);
	}
}

/* A sample whose every key is used: the # before keys taken away. */
static void every_default_of_the_sample_can_be_written(void **state)
{
	struct strbuf sample, bare;
	struct slice rest, line;

	strbuf_init(&sample, TEXT_MAX);
	strbuf_init(&bare, TEXT_MAX);
	conf_print_sample(&sample);
	rest = strbuf_view(&sample);
	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (line.n > 1 && line.p[0] == '#' && line.p[1] != ' ')
			line = slice_from(line, 1);
		strbuf_addsl(&bare, line);
		strbuf_addc(&bare, '\n');
	}
	load_sample(*state, strbuf_view(&bare));
	strbuf_fini(&sample);
	strbuf_fini(&bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_help_of_whole_sentences),
		cmocka_unit_test(no_section_has_two_keys_of_a_name),
		cmocka_unit_test(numbers_have_a_range_and_words_have_words),
		cmocka_unit_test(what_is_reserved_is_not_there),
		cmocka_unit_test(the_sample_is_printed_from_the_table),
		cmocka_unit_test(the_manual_is_printed_from_the_table),
		cmocka_unit_test(every_sample_can_be_loaded),
		cmocka_unit_test(every_default_of_the_sample_can_be_written),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
