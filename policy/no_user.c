/* SPDX-License-Identifier: ISC
 *
 * Refusals that say that there is no such recipient. The profile has sorted out
 * what is about us; its class "recipient" is wider than this: it holds
 * everything that ends one recipient's delivery, such as a mailbox that is
 * disabled or a policy for one address.
 */
#include "policy/no_user.h"

#include "relay/mail/reply_words.h"

/* RFC 3463 3.2; 5.1.10 is RFC 7505's "null MX", and Exchange's unknown. */
static const char *const codes[] = { "5.1.1", "5.1.10" };

/* In lower case, as reply_words_have() wants them. */
static const char *const no_such_user[] = {
	/* clang-format off */
	"user unknown*", "unknown user*", "no such user*", "user not found",
	"user ... not exist", "user ... doesn't exist", "invalid user",
	"not our user", "user not local", "user not here", "user is not here",
	"no user by that name", "this user doesn't have",
	"recipient unknown", "unknown recipient*", "no such recipient*",
	"recipient not found", "recipient ... not exist",
	"recipient ... doesn't exist", "invalid recipient*",
	"recipient is invalid", "no valid recipient*",
	"mailbox unknown", "unknown mailbox", "no such mailbox", "no mailbox",
	"mailbox not found", "mailbox ... not exist", "mailbox ... doesn't exist",
	"invalid mailbox", "not a mailbox", "not a valid mailbox",
	"account unknown", "unknown account", "no such account",
	"account not found", "account ... not exist",
	"account ... doesn't exist",
	"address unknown", "unknown address", "no such address",
	"address not found", "address does not exist", "addressee unknown",
	"unrouteable address", "unroutable address", "unknown local*",
	"no such person", "no such local user", "illegal alias",
	"empfänger unbekannt", "destinataire inconnu", "destinataire invalide",
	"usuario desconocido",
	/* clang-format on */
};

/* RFC 5321 4.2.3 has these words for an unknown mailbox and for a refusal by
 * policy: with 5.7.x they are the latter. */
static const char *const unavailable[] = {
	"mailbox unavailable", "mailbox not available",
};

/* 5.4.1 is "no answer from host": Microsoft 365 says it of recipients. */
static const char *const of_recipient[] = {
	"recipient address rejected", "recipient rejected",
	"recipient not accepted", "address rejected",
};

static bool any(const struct reply_words *w, const char *const *phrases,
    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (reply_words_have(w, phrases[i]))
			return true;
	return false;
}

static bool has_code(const struct result *r)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(r->enh, codes[i]) == 0)
			return true;
	return false;
}

bool no_user_said(const struct result *r)
{
	struct reply_words words;

	if (r->code < 500 || r->class != CLASS_RECIPIENT ||
	    r->stage != STAGE_RCPT)
		return false;
	if (has_code(r))
		return true;
	reply_words_read(slice_str(r->text == NULL ? "" : r->text), &words);
	return any(&words, no_such_user, ARRAY_LEN(no_such_user)) ||
	       (strncmp(r->enh, "5.7.", 4) != 0 &&
		   any(&words, unavailable, ARRAY_LEN(unavailable))) ||
	       (strcmp(r->enh, "5.4.1") == 0 &&
		   any(&words, of_recipient, ARRAY_LEN(of_recipient)));
}
