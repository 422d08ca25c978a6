/* SPDX-License-Identifier: ISC
 *
 * Decides whether the sender of a message may be forged, by SPF. A stranger
 * that forges one chooses what a leg answers, so such a message must not move
 * what is remembered of the leg (D4). Pure; any thread.
 */
#ifndef POLICY_FORGED_H
#define POLICY_FORGED_H

#include <stdbool.h>

/* `spf`: the envelope's result; "" : the sender was not judged, since the
 * client is one of ours. True but for that and for "pass". */
bool sender_may_be_forged(const char *spf);
/* Its domain says so: "fail". */
bool sender_is_forged(const char *spf);

#endif
