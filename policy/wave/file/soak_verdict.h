/* SPDX-License-Identifier: ISC
 *
 * The verdict on a slice by the figures of its row. Pure.
 */
#ifndef POLICY_WAVE_FILE_SOAK_VERDICT_H
#define POLICY_WAVE_FILE_SOAK_VERDICT_H

#include "policy/wave/file/soak_file.h"

/* Of its mail: what failed, of what failed or was delivered. */
struct brake_judged soak_mail(const struct soak *s);

/* Beside the row. */
struct soak_around {
	const struct wave_options *options;
	int64_t now_us;
	bool blind; /* its figures cannot be had: no verdict is good, or bad */
	bool shut;  /* a new leg takes no mail */
};
struct soak_due soak_due_of(const struct soak *s,
    const struct soak_around *around);

#endif
