/* SPDX-License-Identifier: ISC
 *
 * Shared by the two ways of carried mail: hashes and JSON files.
 */
#include "relay/cli/queue/carry_files.h"

#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"
#include "relay/base/newfile.h"

struct carry_hash {
	EVP_MD_CTX *md;
};

struct carry_hash *carry_hash_new(void)
{
	struct carry_hash *h = NEW(struct carry_hash);
	int ok;

	h->md = EVP_MD_CTX_new();
	ok = h->md != NULL && EVP_DigestInit_ex(h->md, EVP_sha256(), NULL);
	PH_ASSERT(ok);
	return h;
}

void carry_hash_add(struct carry_hash *h, const void *p, size_t n)
{
	int ok = EVP_DigestUpdate(h->md, p, n);

	PH_ASSERT(ok);
}

void carry_hash_end(struct carry_hash *h, char out[CARRY_SHA])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int ok = EVP_DigestFinal_ex(h->md, sum, &n);

	PH_ASSERT(ok && 2 * n + 1 == CARRY_SHA);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	EVP_MD_CTX_free(h->md);
	mem_free(h);
}

/* `fd` is closed. */
static int write_all(int fd, const json_t *o)
{
	FILE *to = fdopen(fd, "w");
	bool ok;

	if (to == NULL) {
		close(fd);
		return -1;
	}
	ok = json_dumpf(o, to, JSON_INDENT(1)) == 0 && fputc('\n', to) != EOF &&
	    fflush(to) == 0 && fsync(fd) == 0;
	return fclose(to) == 0 && ok ? 0 : -1;
}

int carry_write_json(struct cli *c, const char *dir, const char *name,
    const json_t *o)
{
	char path[PATH_MAX], part[NEWFILE_PATH];
	int fd, n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || n >= (int)sizeof(path))
		return cli_fail(c, "%s: the name is too long", dir);
	fd = newfile_open(path, part);
	if (fd >= 0 && write_all(fd, o) == 0 && newfile_keep(part, path) == 0)
		return CLI_DONE;
	cli_fail(c, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		unlink(part);
	return CLI_NO;
}
