/* SPDX-License-Identifier: ISC
 *
 * See platforms.h. There are as many as egresses of a configuration name, a
 * few.
 */
#include "relay/egress/platforms.h"

#include "relay/base/list.h"
#include "relay/base/mem.h"
#include "relay/spf/spf_networks.h"

struct platforms {
	struct loop *loop;
	struct dns *dns;
	struct list all;
};

struct platform {
	struct list node; /* of platforms.all */
	char *domain;
	struct spf_networks *networks;
};

struct platforms *platforms_new(struct loop *l, struct dns *dns)
{
	struct platforms *p = NEW(struct platforms);

	p->loop = l;
	p->dns = dns;
	list_init(&p->all);
	return p;
}

void platforms_free(struct platforms *p)
{
	struct platform *one;

	while ((one = LIST_FIRST(&p->all, struct platform, node)) != NULL) {
		list_remove(&one->node);
		spf_networks_free(one->networks);
		mem_free(one->domain);
		mem_free(one);
	}
	mem_free(p);
}

struct spf_networks *platforms_of(struct platforms *p, const char *domain)
{
	struct platform *one;

	list_each(node, &p->all) {
		one = LIST_ENTRY(node, struct platform, node);
		if (strcmp(one->domain, domain) == 0)
			return one->networks;
	}
	one = NEW(struct platform);
	one->domain = mem_strdup(domain);
	one->networks = spf_networks_new(p->loop, p->dns, domain);
	list_push_back(&p->all, &one->node);
	return one->networks;
}
