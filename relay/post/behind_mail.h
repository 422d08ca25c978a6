/* SPDX-License-Identifier: ISC
 *
 * Threads that work for seconds at a time give way to those that move mail.
 */
#ifndef RELAY_POST_BEHIND_MAIL_H
#define RELAY_POST_BEHIND_MAIL_H

/* A thread that wakes up takes the processor at once from the calling thread,
 * whose nice value rises by `nicer` as well (0: it keeps its share). It still
 * gets a share while the processors are busy, so it may hold a lock that others
 * wait for. The thread has its name by then: the log has it if the request is
 * refused. */
void thread_behind_mail(int nicer);

#endif
