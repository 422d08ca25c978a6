/* SPDX-License-Identifier: ISC
 *
 * Shared by the control commands: arguments, and the way to the queue thread
 * and back. The ops loop.
 */
#include "relay/control/control_int.h"

#include "relay/post/call.h"

enum { REASON_MAX = 200 };

const char *control_arg(const json_t *args, const char *key)
{
	const char *s = json_string_value(json_object_get(args, key));

	return s == NULL ? "" : s;
}

void control_ask_queue(struct control *c, void (*fn)(void *arg), void *arg)
{
	call_post(c->cfg.shared->queue_box, S_CALL, fn, arg);
}

void control_come_back(struct control *c, void (*fn)(void *arg), void *arg)
{
	call_post(&c->box, O_CALL, fn, arg);
}

const char *control_reason(struct ctl_request *r, const json_t *args)
{
	const char *reason = control_arg(args, "reason");
	size_t n = strlen(reason);

	if (n > REASON_MAX) {
		ctl_end(r, 2, "the reason is longer than %d bytes",
		    REASON_MAX);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)reason[i] < ' ' || reason[i] == 0x7f) {
			ctl_end(r, 2, "the reason has a control character; "
				      "write it in one line");
			return NULL;
		}
	return reason;
}
