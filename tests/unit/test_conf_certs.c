/* SPDX-License-Identifier: ISC
 *
 * Certificates and keys of listeners and legs, made for the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tests/unit/conf_tmp.h"

static FILE *create(const char *dir, const char *name, mode_t mode)
{
	FILE *f = fopen(conf_tmp_write(dir, name, ""), "w");

	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), mode), 0);
	return f;
}

static X509 *certificate_of(EVP_PKEY *key)
{
	X509 *x = X509_new();

	assert_non_null(x);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static int make_files(void **state)
{
	EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256");
	const char *dir;
	X509 *x;
	FILE *f;

	if (conf_tmp_setup(state) != 0 || a == NULL || b == NULL)
		return -1;
	dir = *state;
	x = certificate_of(a);
	f = create(dir, "cert.pem", 0644);
	PEM_write_X509(f, x);
	fclose(f);
	f = create(dir, "key.pem", 0600);
	PEM_write_PrivateKey(f, a, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	f = create(dir, "open.pem", 0644);
	PEM_write_PrivateKey(f, a, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	f = create(dir, "other.pem", 0600);
	PEM_write_PrivateKey(f, b, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	f = create(dir, "locked.pem", 0600);
	PEM_write_PrivateKey(f, a, EVP_aes_128_cbc(),
	    (const unsigned char *)"secret", 6, NULL, NULL);
	fclose(f);
	f = create(dir, "both.pem", 0640);
	PEM_write_X509(f, x);
	PEM_write_PrivateKey(f, a, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	fclose(create(dir, "empty.pem", 0600));
	X509_free(x);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	return 0;
}

/* clang-format off */
/* DIR stands for the directory; NULL: it is right. */
static const struct { const char *keys, *why; } cases[] = {
	{ "certificate = \"DIR/both.pem\"", NULL },
	{ "certificate = \"DIR/cert.pem\" key = \"DIR/key.pem\"", NULL },
	{ "certificate = \"DIR/none.pem\"",
	  "certificate \"DIR/none.pem\" cannot be read: No such file or directory" },
	{ "certificate = \"DIR/empty.pem\"",
	  "certificate \"DIR/empty.pem\" holds no certificate; it must be a PEM file" },
	{ "certificate = \"DIR/cert.pem\" key = \"DIR/none.pem\"",
	  "key \"DIR/none.pem\" cannot be read: No such file or directory" },
	{ "certificate = \"DIR/cert.pem\" key = \"DIR/empty.pem\"",
	  "key \"DIR/empty.pem\" holds no private key; it must be a PEM file" },
	{ "certificate = \"DIR/cert.pem\" key = \"DIR/other.pem\"",
	  "certificate \"DIR/cert.pem\" and key \"DIR/other.pem\" do not belong together; "
	  "name the key it was made with" },
	{ "certificate = \"DIR/cert.pem\" key = \"DIR/open.pem\"",
	  "key \"DIR/open.pem\" can be read or written by everybody on this machine; "
	  "chmod o-rwx it" },
	{ "certificate = \"DIR/cert.pem\"",
	  "key \"DIR/cert.pem\" can be read or written by everybody on this machine; "
	  "chmod o-rwx it" },
	{ "certificate = \"DIR/cert.pem\" key = \"DIR/locked.pem\"",
	  "key \"DIR/locked.pem\" wants a passphrase; store it without" },
};
/* clang-format on */

static void with_dir(const char *text, const char *dir, struct strbuf *out)
{
	for (; *text != '\0'; text++)
		if (strncmp(text, "DIR/", 4) == 0) {
			strbuf_adds(out, dir);
			text += 2;
		} else {
			strbuf_addc(out, *text);
		}
}

static void check(const char *dir, const char *section, const char *label)
{
	struct strbuf text, want;
	struct names *names = names_new();

	strbuf_init(&text, 10000);
	strbuf_init(&want, 10000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = {0};
		struct conf *c;

		strbuf_reset(&text);
		strbuf_reset(&want);
		strbuf_addf(&text, "%s%s ", CONF_BASE, section);
		with_dir(cases[i].keys, dir, &text);
		strbuf_adds(&text, " }\n");
		c = conf_tmp_load(dir, strbuf_cstr(&text), names, &err);
		if (cases[i].why != NULL) {
			strbuf_addf(&want, "%s/posthouse.conf:4: %s: ", dir,
			    label);
			with_dir(cases[i].why, dir, &want);
		}
		assert_string_equal(err.text, strbuf_cstr(&want));
		assert_int_equal(c == NULL, cases[i].why != NULL);
		conf_unref(c);
	}
	strbuf_fini(&text);
	strbuf_fini(&want);
	names_free(names);
}

static void a_listener_has_a_certificate_that_works_or_none(void **state)
{
	check(*state, "listen \"smtp\" {", "listen \"smtp\"");
}

static void a_leg_has_a_certificate_that_works_or_none(void **state)
{
	check(*state, "leg \"cloud\" { hosts = \"a\"", "leg \"cloud\"");
}

static void several_certificates_have_their_keys_in_order(void **state)
{
	const char *dir = *state;
	struct names *names = names_new();
	struct error err = {0};
	struct strbuf text;
	struct conf *c;

	strbuf_init(&text, 10000);
	with_dir(CONF_BASE "listen \"smtp\" { key = { \"DIR/both.pem\", "
	    "\"DIR/key.pem\" } certificate = { \"DIR/both.pem\", "
	    "\"DIR/cert.pem\" } }\n", dir, &text);
	c = conf_tmp_good(dir, strbuf_cstr(&text), names);
	assert_int_equal(c->listen[0].certificates, 2);
	assert_non_null(strstr(c->listen[0].certificate[1].cert, "cert.pem"));
	assert_non_null(strstr(c->listen[0].certificate[1].key, "key.pem"));
	conf_unref(c);
	strbuf_reset(&text);
	with_dir(CONF_BASE "listen \"smtp\" { key = \"DIR/key.pem\" "
	    "certificate = { \"DIR/both.pem\", \"DIR/cert.pem\" } }\n", dir,
	    &text);
	assert_null(conf_tmp_load(dir, strbuf_cstr(&text), names, &err));
	assert_non_null(strstr(err.text, ":4: listen \"smtp\" has 2 "
	    "certificates and 1 keys; name a key for each, or none when they "
	    "are in the same files"));
	strbuf_fini(&text);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_listener_has_a_certificate_that_works_or_none),
		cmocka_unit_test(a_leg_has_a_certificate_that_works_or_none),
		cmocka_unit_test(several_certificates_have_their_keys_in_order),
	};

	return cmocka_run_group_tests(tests, make_files, conf_tmp_teardown);
}
