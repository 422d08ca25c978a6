/* SPDX-License-Identifier: ISC
 *
 * Cells with several addresses. A name of X.500 may hold blanks and commas, so
 * what follows it is a part of it unless it looks like an address.
 */
#include "policy/import/proxies.h"

static bool is_between(char c)
{
	return ascii_blank(c) || c == ',' || c == ';' || c == '|' ||
	       c == '{' || c == '}';
}

static bool next_piece(struct slice *rest, struct slice *piece_out)
{
	size_t n = 0;

	while (rest->n > 0 && is_between(rest->p[0]))
		*rest = slice_from(*rest, 1);
	while (n < rest->n && !is_between(rest->p[n]))
		n++;
	*piece_out = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return n > 0;
}

/* Bytes of "SMTP:", "X500:" and such; 0: there is none. */
static size_t prefix_size(struct slice piece)
{
	size_t n = 0;

	while (n < piece.n && (ascii_alpha(piece.p[n]) ||
				  ascii_digit(piece.p[n])))
		n++;
	return n > 0 && n < piece.n && piece.p[n] == ':' ? n + 1 : 0;
}

/* GAM writes how many aliases follow. */
static bool is_number(struct slice piece)
{
	uint64_t n;

	return slice_uint(piece, UINT32_MAX, &n);
}

static bool looks_like_address(struct slice piece)
{
	return slice_find(piece, '@') > 0 && slice_find(piece, '=') < 0 &&
	       slice_find(piece, '/') < 0;
}

static void pass_rest_of_name(struct slice *rest)
{
	struct slice after = *rest, piece;

	while (next_piece(&after, &piece) && prefix_size(piece) == 0 &&
	       !looks_like_address(piece))
		*rest = after;
}

static int no_list(struct slice piece, struct error *err)
{
	if (slice_starts(piece, SLICE("System.")) ||
	    slice_starts(piece, SLICE("Microsoft.")))
		return error_set(err, "'%.*s' is the name of a type, not the "
		    "addresses: export them as text, @{n='EmailAddresses';"
		    "e={$_.EmailAddresses -join ';'}}",
		    (int)slice_head(piece, 80).n, piece.p);
	return error_set(err, "'%.*s' is no address",
	    (int)slice_head(piece, 100).n, piece.p);
}

int proxy_next(struct slice *rest, struct slice *address_out,
    enum proxy_kind *kind_out, struct error *err)
{
	struct slice piece;
	size_t prefix;

	if (!next_piece(rest, &piece))
		return 0;
	prefix = prefix_size(piece);
	*address_out = slice_from(piece, prefix);
	*kind_out = slice_starts(piece, SLICE("SMTP:")) ? PROXY_PRIMARY
							: PROXY_ALIAS;
	if (is_number(piece)) {
		*kind_out = PROXY_OTHER;
		return 1;
	}
	if (prefix > 0 && !slice_case_starts(piece, SLICE("smtp:"))) {
		*kind_out = PROXY_OTHER;
		pass_rest_of_name(rest);
		return 1;
	}
	return prefix > 0 || looks_like_address(piece) ? 1
						       : no_list(piece, err);
}
