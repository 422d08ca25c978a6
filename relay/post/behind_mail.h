/* SPDX-License-Identifier: ISC
 *
 * Threads that work for seconds at a time give way to those that move mail.
 */
#ifndef RELAY_POST_BEHIND_MAIL_H
#define RELAY_POST_BEHIND_MAIL_H

/* Lowers the priority of the calling thread, which has its name by then: the
 * log has it if that is refused. It still gets a share while the processors are
 * busy, so it may hold a lock that others wait for. */
void thread_behind_mail(void);

#endif
