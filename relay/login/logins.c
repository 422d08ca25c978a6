/* SPDX-License-Identifier: ISC
 *
 * See logins.h. One lock guards the failures, the memory and the line of those
 * that wait, and only threads that ask take it. A thread that hashes takes no
 * lock and no memory: it may be stopped anywhere for as long as others are
 * busy, and nothing must wait for it then. So what it found out is noted by
 * the asker, who also gives it its next.
 */
#include "relay/login/logins.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/login/login_memory.h"

struct hasher {
	pthread_t thread;
	struct mailbox box;
	struct crypt_data *data;
	_Atomic bool stop;
	bool busy; /* with the lock of struct logins */
};

struct logins {
	pthread_mutex_t lock;
	const struct clock *clock;
	struct throttle *throttle;
	struct login_memory *memory;
	struct login_job *first, **last; /* they wait, in order */
	int waiting;
	bool stop;
	struct hasher hasher[LOGIN_THREADS];
	int threads;
};

struct logins *logins_new(const struct clock *clock, struct rng *rng)
{
	struct logins *l = NEW(struct logins);

	pthread_mutex_init(&l->lock, NULL);
	l->clock = clock;
	l->throttle = throttle_new();
	l->memory = login_memory_new(rng);
	l->last = &l->first;
	return l;
}

static void free_secret(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	mem_free(s);
}

static void job_free(struct login_job *j)
{
	list_remove(&j->node);
	free_secret(j->password);
	mem_free(j->name);
	mem_free(j->hash);
	mem_free(j);
}

static struct login_proof proof_of(const struct login_job *j)
{
	return (struct login_proof){slice_str(j->name), slice_str(j->hash),
	    slice_str(j->password)};
}

/* ---- the threads ---- */

/* Constant in time where it matters: where the hashes are of one length. */
static bool is_same(const char *a, const char *b)
{
	size_t n = strlen(b);

	return strlen(a) == n && CRYPTO_memcmp(a, b, n) == 0;
}

static bool is_right(const struct login_job *j, struct crypt_data *data)
{
	const char *got = crypt_r(j->password, j->hash, data);
	bool right = got != NULL && got[0] != '*' && is_same(got, j->hash);

	explicit_bzero(data, sizeof(*data));
	return right && j->known;
}

static void *thread_main(void *arg)
{
	const struct sched_param none = {.sched_priority = 0};
	struct hasher *h = arg;
	struct letter *m;

	thread_name("ph-login");
	/* Of this thread alone (sched_setscheduler(2)). */
	if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
		log_warn("login.priority",
		    kv_str("advice", "allow sched_setscheduler: hashing "
				     "competes with mail"));
	while (!atomic_load(&h->stop)) {
		struct login_job *j;

		mailbox_wait(&h->box, -1);
		m = mailbox_take(&h->box);
		if (m == NULL)
			continue;
		j = (struct login_job *)m;
		j->verdict = is_right(j, h->data) ? LOGIN_RIGHT : LOGIN_WRONG;
		mailbox_post(j->back, &j->letter);
	}
	return NULL;
}

/* With the lock. False: there is none. */
static bool start(struct logins *l)
{
	while (l->threads < LOGIN_THREADS && !l->stop) {
		struct hasher *h = &l->hasher[l->threads];

		mailbox_init(&h->box);
		h->data = NEW(struct crypt_data);
		if (pthread_create(&h->thread, NULL, thread_main, h) != 0) {
			mailbox_fini(&h->box);
			mem_free(h->data);
			break;
		}
		l->threads++;
	}
	return l->threads > 0;
}

/* ---- those that wait ---- */

static void append(struct logins *l, struct login_job *j)
{
	*l->last = j;
	l->last = &j->next;
	l->waiting++;
}

static struct login_job *take_first(struct logins *l)
{
	struct login_job *j = l->first;

	if (j == NULL)
		return NULL;
	l->first = j->next;
	if (l->first == NULL)
		l->last = &l->first;
	l->waiting--;
	return j;
}

static void answer(struct login_job *j, enum login_verdict verdict)
{
	j->verdict = verdict;
	j->thread = -1;
	mailbox_post(j->back, &j->letter);
}

/* Gives work to the threads that have none; with the lock. What waited may be
 * blocked by now, by what waited before it. */
static void hand_out(struct logins *l)
{
	for (int i = 0; i < l->threads; i++) {
		struct hasher *h = &l->hasher[i];
		struct login_job *j;

		while (!h->busy && (j = take_first(l)) != NULL) {
			if (throttle_blocks(l->throttle, j->who,
				clock_mono_ms(l->clock))) {
				answer(j, LOGIN_BLOCKED);
				continue;
			}
			h->busy = true;
			j->thread = i;
			mailbox_post(&h->box, &j->letter);
		}
	}
}

/* Takes what a thread found out; with the lock. */
static void note(struct logins *l, struct login_job *j)
{
	struct login_proof p = proof_of(j);
	int64_t now_ms = clock_mono_ms(l->clock);

	l->hasher[j->thread].busy = false;
	if (j->verdict == LOGIN_RIGHT) {
		login_memory_put(l->memory, &p, now_ms);
		throttle_passed(l->throttle, j->who, now_ms);
	} else {
		throttle_failed(l->throttle, j->who, now_ms);
	}
}

enum login_verdict logins_finish(struct logins *l, struct login_job *j)
{
	enum login_verdict v = j->verdict;

	pthread_mutex_lock(&l->lock);
	if (j->thread >= 0)
		note(l, j);
	if (!l->stop)
		hand_out(l);
	pthread_mutex_unlock(&l->lock);
	job_free(j);
	return v;
}

/* Each thread ends what it has in hand, and posts it. */
static void join(struct logins *l)
{
	for (int i = 0; i < l->threads; i++) {
		atomic_store(&l->hasher[i].stop, true);
		mailbox_wake(&l->hasher[i].box);
	}
	for (int i = 0; i < l->threads; i++) {
		struct letter *m;

		pthread_join(l->hasher[i].thread, NULL);
		while ((m = mailbox_take(&l->hasher[i].box)) != NULL)
			answer((struct login_job *)m, LOGIN_BUSY);
		mailbox_fini(&l->hasher[i].box);
		mem_free(l->hasher[i].data);
	}
}

void logins_stop(struct logins *l)
{
	struct login_job *j;

	if (l == NULL || l->stop)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	while ((j = take_first(l)) != NULL)
		answer(j, LOGIN_BUSY);
	pthread_mutex_unlock(&l->lock);
	join(l);
}

void logins_free(struct logins *l)
{
	if (l == NULL)
		return;
	logins_stop(l);
	throttle_free(l->throttle);
	login_memory_free(l->memory);
	pthread_mutex_destroy(&l->lock);
	mem_free(l);
}

/* ---- asking ---- */

/* The user, or another one whose hash costs as much as that of a user. */
static const struct conf_user *find(const struct conf *c, struct slice name,
    bool *known_out)
{
	const struct conf_user *u = conf_user(c, name);

	*known_out = u != NULL;
	if (u == NULL)
		u = &c->outbound.user[hash_slice(name) %
		    (uint64_t)c->outbound.user_count];
	return u;
}

static struct login_job *job_new(const struct login_ask *q)
{
	struct login_job *j = NEW(struct login_job);
	const struct conf_user *u;

	u = find(q->conf, q->said->name, &j->known);
	list_node_init(&j->node);
	j->thread = -1;
	j->letter.kind = q->kind;
	j->back = q->back;
	j->asker = q->asker;
	j->who.client = netaddr_client_key(q->client);
	j->who.name = hash_slice(q->said->name);
	j->name = mem_slicedup(q->said->name);
	j->hash = mem_strdup(u->hash);
	j->password = mem_slicedup(q->said->password);
	return j;
}

/* With the lock. */
static enum login_verdict enter(struct logins *l, struct login_job *j)
{
	struct login_proof p = proof_of(j);
	int64_t now_ms = clock_mono_ms(l->clock);

	/* Before the memory is asked: else it would be a quick way to guess. */
	if (throttle_blocks(l->throttle, j->who, now_ms))
		return LOGIN_BLOCKED;
	if (j->known && login_memory_has(l->memory, &p, now_ms)) {
		throttle_passed(l->throttle, j->who, now_ms);
		return LOGIN_RIGHT;
	}
	if (l->waiting >= LOGINS_WAITING || l->stop || !start(l))
		return LOGIN_BUSY;
	append(l, j);
	hand_out(l);
	return LOGIN_LATER;
}

enum login_verdict logins_ask(struct logins *l, const struct login_ask *q,
    struct login_job **job_out)
{
	enum login_verdict v;
	struct login_job *j;

	*job_out = NULL;
	if (q->conf->outbound.user_count == 0)
		return LOGIN_WRONG;
	j = job_new(q);
	if (q->said->password.n > LOGIN_PASSWORD_MAX) {
		/* None that long is right; it costs what a wrong one does. */
		explicit_bzero(j->password, strlen(j->password));
		j->known = false;
	}
	pthread_mutex_lock(&l->lock);
	v = enter(l, j);
	pthread_mutex_unlock(&l->lock);
	if (v == LOGIN_LATER)
		*job_out = j;
	else
		job_free(j);
	return v;
}
