/* SPDX-License-Identifier: ISC
 *
 * The commands that read all that the daemon left, without it: audit verify,
 * backup, restore, over a true spool, index and table; and a backup beside one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/ops/ctl.h"
#include "tests/unit/audit_spool.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

struct place {
	struct fixture *f;
	struct audit_spool spool;
	char out[CLI_RIG_OUT], line[256];
};

static int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Without a message: it may not be there. */
static void remove_all(struct place *p, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->f->dir, name);
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void lose_all(struct place *p)
{
	static const char *const names[] = {"spool", "index", "cutover.db",
	    "cutover.db-wal", "cutover.db-shm"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove_all(p, names[i]);
}

static void write_conf(struct fixture *f)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s"
	    "leg \"cloud\" { hosts = { \"192.0.2.11:25\" } }\n"
	    "table { path = \"%s/cutover.db\" }\n"
	    "control { socket = \"%s/sock\" }\n"
	    "spool { path = \"%s/spool\" }\naudit { path = \"%s\" }\n",
	    CONF_BASE, f->dir, f->dir, f->dir, f->index);
	conf_tmp_write(f->dir, "posthouse.conf", text);
}

static int begin(void **state)
{
	struct place *p = NEW(struct place);
	void *f;

	if (setup(&f) != 0)
		return -1;
	p->f = f;
	write_conf(p->f);
	audit_spool_init(&p->spool, p->f);
	audit_spool_start(&p->spool);
	audit_spool_mail(&p->spool);
	audit_spool_stop(&p->spool);
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct place *p = *state;
	void *f = p->f;

	audit_spool_fini(&p->spool);
	remove_all(p, "backup");
	lose_all(p);
	mem_free(p);
	return teardown(&f);
}

/* Runs `line` ("%s": the folder); it ends with `code` and says `piece`. */
static void says(struct place *p, const char *line, int code,
    const char *piece)
{
	int n = snprintf(p->line, sizeof(p->line), line, p->f->dir);

	assert_true(n < (int)sizeof(p->line));
	assert_int_equal(cli_rig_run(p->f->dir, p->line, NULL, p->out), code);
	if (strstr(p->out, piece) == NULL)
		fail_msg("%s: not said: %s", line, piece);
}

/* ---- audit verify ------------------------------------------------------- */

static void the_index_is_compared_with_the_journal_itself(void **state)
{
	struct place *p = *state;

	says(p, "audit verify", 0, "index and journal agree");
	says(p, "audit verify --json", 0, "\"verdict\":\"agrees\"");
}

static void move(struct place *p, const char *from, const char *to)
{
	char old[128], new[128];

	snprintf(old, sizeof(old), "%s/%s", p->f->dir, from);
	snprintf(new, sizeof(new), "%s/%s", p->f->dir, to);
	assert_int_equal(rename(old, new), 0);
}

static void the_index_of_another_spool_is_not_compared(void **state)
{
	struct place *p = *state;

	remove_all(p, "spool");
	says(p, "audit verify", 1, "/spool: there is no spool\n");
	move(p, "index", "former");
	audit_spool_start(&p->spool);
	audit_spool_mail(&p->spool);
	audit_spool_stop(&p->spool);
	says(p, "audit verify", 0, "index and journal agree");
	remove_all(p, "index");
	move(p, "former", "index");
	says(p, "audit verify", 1, "/spool: the spool is another than the one "
	    "that the index knows\n");
	remove_all(p, "index");
	assert_int_equal(mkdir(p->f->index, 0700), 0);
	says(p, "audit verify", 1, "/spool: there is no index\n");
}

/* ---- what is on the disk ------------------------------------------------- */

/* Of the process that the command runs in: what it synced, by name. */
static struct synced {
	size_t n;
	char text[1 << 16];
} *synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	char link[40];
	ssize_t n;

	if (synced == NULL)
		return __real_fsync(fd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, synced->text + synced->n,
	    sizeof(synced->text) - synced->n - 2);
	if (n > 0) {
		synced->n += (size_t)n;
		synced->text[synced->n++] = '\n';
		synced->text[synced->n] = '\0';
	}
	return __real_fsync(fd);
}

static void synced_was(struct place *p, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s\n", p->f->dir, name);
	if (strstr(synced->text, path) == NULL)
		fail_msg("%s was not synced, but:\n%s", name, synced->text);
}

/* A backup, or a spool, whose names are lost by a power cut is none. */
static void folders_are_synced_with_what_is_in_them(void **state)
{
	static const char *const made[] = {"backup/spool", "backup/audit",
	    "backup/config", "backup/spool/spool.key"};
	static const char *const back[] = {"index", "spool",
	    "spool/restoring/spool.key"};
	struct place *p = *state;

	says(p, "route set cloud ann@example.com", 0, "change 2");
	synced = mmap(NULL, sizeof(*synced), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(synced != MAP_FAILED);
	says(p, "backup %s/backup", 0, ", posthoused did not run\n");
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		synced_was(p, made[i]);
	lose_all(p);
	synced->n = 0;
	says(p, "restore %s/backup", 0, "restored into");
	for (size_t i = 0; i < ARRAY_LEN(back); i++)
		synced_was(p, back[i]);
	munmap(synced, sizeof(*synced));
	synced = NULL;
}

/* ---- backup and restore -------------------------------------------------- */

static void what_was_backed_up_is_restored(void **state)
{
	struct place *p = *state;

	says(p, "route set cloud ann@example.com", 0, "change 2");
	says(p, "backup %s/backup", 0, ", posthoused did not run\n");
	says(p, "backup %s/backup", 1, "is no empty folder");
	says(p, "restore %s/backup", 1, "nothing was restored");
	lose_all(p);
	says(p, "restore %s/backup", 0, "all mail that was open is frozen");
	says(p, "route get ann@example.com", 0, "cloud");
	says(p, "audit verify", 0, "index and journal agree");
}

static void a_spoilt_backup_is_not_restored(void **state)
{
	struct place *p = *state;
	char path[128];
	FILE *f;

	says(p, "route set cloud ann@example.com", 0, "change 2");
	says(p, "backup %s/backup", 0, ", posthoused did not run\n");
	lose_all(p);
	snprintf(path, sizeof(path), "%s/backup/spool/spool.key", p->f->dir);
	f = fopen(path, "r+");
	assert_non_null(f);
	fputc('x', f);
	fclose(f);
	says(p, "restore %s/backup", 1, "it is not what the manifest says "
	    "(SHA-256): spoilt, or of another backup\n"
	    "posthouse: nothing was restored\n");
	snprintf(path, sizeof(path), "%s/spool", p->f->dir);
	assert_int_equal(access(path, F_OK), -1);
	says(p, "restore %s/spool", 1, "it is no backup, or one that did not "
	    "come to its end; nothing was restored");
}

/* ---- beside the daemon --------------------------------------------------- */

/* A daemon that has one segment, of which so many bytes count. */
struct holding {
	struct ctl_request *r;
	int slot;
	bool refuses; /* once the end is asked for */
	char asked[200];
};

static void on_asked(void *arg, const json_t *line)
{
	struct holding *h = arg;
	char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
	char row[100];

	strcat(h->asked, text == NULL ? "gone" : text);
	mem_free(text);
	if (line == NULL || json_is_true(json_object_get(line, "end"))) {
		ctl_end(h->r, 0, NULL);
	} else if (h->refuses) {
		ctl_end(h->r, 1, "the disk is full");
	} else {
		snprintf(row, sizeof(row), "{\"slot\":%d,\"bytes\":100}",
		    h->slot);
		ctl_row_text(h->r, slice_str(row));
		ctl_row_text(h->r,
		    SLICE("{\"generation\":3,\"offset\":100}"));
		ctl_more(h->r, on_asked, h);
	}
}

static void on_hold(void *arg, struct ctl_request *r, const json_t *args)
{
	struct holding *h = arg;

	(void)args;
	h->r = r;
	h->asked[0] = '\0';
	ctl_more(r, on_asked, h);
}

static int backup_beside(struct place *p, struct holding *h)
{
	static const struct ctl_command table[] = {
		{"backup.hold", on_hold}, {NULL, NULL}};
	struct loop *loop = loop_new(&clock_system);
	char path[128];
	struct error err;
	struct ctl *ctl;
	int code;

	snprintf(path, sizeof(path), "%s/sock", p->f->dir);
	ctl = ctl_open(loop, path, table, h, &err);
	assert_non_null(ctl);
	snprintf(p->line, sizeof(p->line), "backup %s/backup", p->f->dir);
	code = cli_rig_run(p->f->dir, p->line, loop, p->out);
	ctl_close(ctl);
	loop_free(loop);
	return code;
}

static int64_t size_of(const struct place *p, const char *name)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->f->dir, name);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Bytes of a segment up to the last one that is not 0. */
static long filled(const struct place *p, const char *name)
{
	char path[128];
	long at = 0, last = 0;
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/%s", p->f->dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	for (; (c = fgetc(f)) != EOF; at++)
		if (c != 0)
			last = at + 1;
	fclose(f);
	return last;
}

/* The segments that the daemon names, up to where they count. */
static void the_daemon_says_what_counts_in_the_spool(void **state)
{
	struct place *p = *state;
	struct holding h = {.slot = 0};
	char name[40];

	says(p, "route set cloud ann@example.com", 0, "change 2");
	for (;; h.slot++) {
		assert_true(h.slot < 100);
		snprintf(name, sizeof(name), "spool/seg.%04d", h.slot);
		if (size_of(p, name) > 0 && filled(p, name) > 100)
			break;
	}
	assert_int_equal(backup_beside(p, &h), 0);
	assert_string_equal(h.asked, "{\"take\":true}{\"end\":true}");
	assert_null(strstr(p->out, "did not run"));
	snprintf(name, sizeof(name), "backup/spool/seg.%04d", h.slot);
	assert_in_range(filled(p, name), 1, 100);
	assert_true(filled(p, name + strlen("backup/")) > 100);
	snprintf(name, sizeof(name), "backup/spool/seg.%04d", h.slot + 1);
	assert_int_equal(size_of(p, name), -1);
	assert_true(size_of(p, "backup/spool/spool.key") > 0);
	assert_true(size_of(p, "backup/table.db") > 0 ||
		    size_of(p, "backup/cutover.db") > 0);
	remove_all(p, "backup");
	/* Without its end there is no manifest. */
	h.refuses = true;
	assert_int_equal(backup_beside(p, &h), 1);
	assert_non_null(strstr(p->out, "posthouse: the disk is full\n"));
	assert_int_equal(size_of(p, "backup/manifest.json"), -1);
	remove_all(p, "backup");
	h.refuses = false;
	h.slot = 99;
	assert_int_equal(backup_beside(p, &h), 1);
	assert_string_equal(h.asked, "{\"take\":true}gone");
	assert_non_null(strstr(p->out, "/spool/seg.0099: No such file"));
}

/* ---- a restore again ----------------------------------------------------- */

static void cut_short(struct place *p)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/spool/restoring", p->f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	remove_all(p, "spool/spool.key");
}

static void append(struct place *p, const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", p->f->dir, name);
	f = fopen(path, "a");
	assert_non_null(f);
	fputc('x', f);
	fclose(f);
}

/* Until the spool's key is there, all else may be of that restore; a file that
 * is not is left alone. */
static void a_restore_that_was_cut_short_is_begun_again(void **state)
{
	struct place *p = *state;
	char path[128];

	says(p, "route set cloud ann@example.com", 0, "change 2");
	says(p, "backup %s/backup", 0, ", posthoused did not run\n");
	lose_all(p);
	says(p, "restore %s/backup", 0, "restored into");
	cut_short(p);
	says(p, "restore %s/backup", 0, "restored into");
	cut_short(p);
	append(p, "cutover.db");
	says(p, "restore %s/backup", 1, "/cutover.db: it is there, and is not "
	    "what the backup has: move it away\n");
	snprintf(path, sizeof(path), "%s/cutover.db", p->f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	says(p, "restore %s/backup", 1, "/cutover.db: it is there, and is not "
	    "what the backup has: move it away\n");
	assert_int_equal(rmdir(path), 0);
	says(p, "restore %s/backup", 0, "restored into");
	says(p, "route get ann@example.com", 0, "cloud");
	says(p, "audit verify", 0, "index and journal agree");
}

/* ---- the configuration --------------------------------------------------- */

/* The first `from` in the manifest becomes `to`. */
static void edit(struct place *p, const char *from, const char *to)
{
	char path[128], *text = mem_new(CLI_RIG_OUT), *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/backup/manifest.json", p->f->dir);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, CLI_RIG_OUT - 1, f);
	fclose(f);
	text[n] = '\0';
	at = strstr(text, from);
	if (at == NULL)
		fail_msg("no %s in %s", from, text);
	f = fopen(path, "w");
	fprintf(f, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	fclose(f);
	mem_free(text);
}

static void back_up_with_secrets(struct place *p)
{
	char path[128], text[256];
	FILE *f;

	conf_tmp_secret(p->f->dir, "srs.secrets", "0123456789abcdef\n");
	snprintf(path, sizeof(path), "%s/posthouse.conf", p->f->dir);
	snprintf(text, sizeof(text), "srs { domain = \"srs.example\" "
	    "secrets = \"%s/srs.secrets\" }\n", p->f->dir);
	f = fopen(path, "a");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	says(p, "route set cloud ann@example.com", 0, "change 2");
	says(p, "backup %s/backup", 0, ", posthoused did not run\n");
	lose_all(p);
	remove_all(p, "posthouse.conf");
	remove_all(p, "srs.secrets");
}

/* Its places are those of the backup. */
static void without_a_configuration_that_of_the_backup_comes_back(void **state)
{
	struct place *p = *state;

	back_up_with_secrets(p);
	says(p, "restore %s/backup --json", 0, "\"configuration\":2}\n");
	says(p, "route get ann@example.com", 0, "cloud");
	lose_all(p);
	remove_all(p, "posthouse.conf");
	says(p, "restore %s/backup", 0, "; 1 files of the configuration were "
	    "written, 1 were there and stay\n");
	says(p, "audit verify", 0, "index and journal agree");
	remove_all(p, "srs.secrets");
}

static void files_go_only_where_the_configuration_names_them(void **state)
{
	struct place *p = *state;
	char path[128];

	back_up_with_secrets(p);
	edit(p, "/srs.secrets\"", "/other.secrets\"");
	says(p, "restore %s/backup", 1, "/manifest.json: \"config/1\" is to go "
	    "to ");
	assert_non_null(strstr(p->out, "/other.secrets, which the "
	    "configuration of the backup does not name\nposthouse: nothing was "
	    "restored\n"));
	snprintf(path, sizeof(path), "%s/other.secrets", p->f->dir);
	assert_int_equal(access(path, F_OK), -1);
	edit(p, "/other.secrets\"", "/srs.secrets\"");
	edit(p, "config/0", "config/7");
	move(p, "backup/config/0", "backup/config/7");
	says(p, "restore %s/backup", 1, "/backup: it has files of a "
	    "configuration, and not config/0, which names them\n");
	edit(p, "config/7", "config/0");
	move(p, "backup/config/7", "backup/config/0");
	edit(p, "\"spool\": \"/", "\"spool\": \"");
	says(p, "restore %s/backup", 1, "/manifest.json: its spool is no path\n"
	    "posthouse: nothing was restored\n");
	edit(p, "\"spool\": \"", "\"spool\": \"/");
	says(p, "restore %s/backup", 0, "; 2 files of the configuration were "
	    "written, 0 were there and stay\n");
	remove_all(p, "srs.secrets");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(the_index_is_compared_with_the_journal_itself),
		T(the_index_of_another_spool_is_not_compared),
		T(what_was_backed_up_is_restored),
		T(a_spoilt_backup_is_not_restored),
		T(the_daemon_says_what_counts_in_the_spool),
		T(folders_are_synced_with_what_is_in_them),
		T(a_restore_that_was_cut_short_is_begun_again),
		T(without_a_configuration_that_of_the_backup_comes_back),
		T(files_go_only_where_the_configuration_names_them),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
