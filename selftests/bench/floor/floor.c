// SPDX-License-Identifier: GPL-2.0
/*
 * The least that forwarding can cost: what comes in on one device leaves by the
 * other, to one neighbour that was looked up beforehand. Per packet nothing is
 * done but what every forwarder must: the header is made writable, TTL and its
 * checksum count down, and neigh_output() writes the link header and sends.
 * Measured by ../run.
 *
 *   insmod floor.ko dev=client,server via=10.1.0.7,10.2.0.7
 *
 * Devices are those of the namespace that loads it; both neighbours must be
 * known. It holds the devices: unload it before they go.
 */
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <net/arp.h>
#include <net/ip.h>

static char *dev[2];
module_param_array(dev, charp, NULL, 0444);
static char *via[2];
module_param_array(via, charp, NULL, 0444);

/* One direction: `ops.dev` is where packets come from, `ops.priv` the neighbour that they go to. */
struct way {
	struct net *net;
	struct neighbour *neigh;
	struct nf_hook_ops ops;
};

static struct way ways[2];

static unsigned int forward(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct neighbour *neigh = priv;
	struct iphdr *iph;

	if (skb->protocol != htons(ETH_P_IP))
		return NF_ACCEPT;
	if (!pskb_may_pull(skb, sizeof(*iph)) || skb_cow(skb, LL_RESERVED_SPACE(neigh->dev)))
		return NF_DROP;
	iph = ip_hdr(skb);
	if (iph->ttl <= 1)
		return NF_DROP;
	ip_decrease_ttl(iph);
	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb->dev = neigh->dev;
	/* The hook is called under rcu_read_lock() and with softirqs off. */
	neigh_output(neigh, skb, false);
	return NF_STOLEN;
}

/* The neighbour `via` on a device, which its reference keeps; NULL when it is not known. */
static struct neighbour *known(struct net *net, const char *dev, const char *via)
{
	struct net_device *found;
	struct neighbour *neigh;
	__be32 addr;

	if (!dev || !via || !in4_pton(via, -1, (u8 *)&addr, -1, NULL))
		return NULL;
	found = dev_get_by_name(net, dev);
	if (!found)
		return NULL;
	neigh = neigh_lookup(&arp_tbl, &addr, found);
	dev_put(found);
	return neigh;
}

static void stop(void)
{
	int i;

	for (i = 0; i < 2; i++)
		if (ways[i].ops.hook)
			nf_unregister_net_hook(ways[i].net, &ways[i].ops);
	/* A packet that is in the hook has the neighbour in its hands. */
	synchronize_net();
	for (i = 0; i < 2; i++)
		if (ways[i].neigh)
			neigh_release(ways[i].neigh);
}

static int start(struct way *from, struct way *to)
{
	struct nf_hook_ops ops = {
		.hook = forward,
		.dev = from->neigh->dev,
		.priv = to->neigh,
		.pf = NFPROTO_NETDEV,
		.hooknum = NF_NETDEV_INGRESS,
	};
	int err;

	from->ops = ops;
	err = nf_register_net_hook(from->net, &from->ops);
	if (err)
		from->ops.hook = NULL;
	return err;
}

static int __init floor_init(void)
{
	int i, err = 0;

	for (i = 0; i < 2; i++) {
		ways[i].net = current->nsproxy->net_ns;
		ways[i].neigh = known(ways[i].net, dev[i], via[i]);
		if (!ways[i].neigh)
			err = -EHOSTUNREACH;
	}
	for (i = 0; i < 2 && !err; i++)
		err = start(&ways[i], &ways[!i]);
	if (err)
		stop();
	return err;
}

static void __exit floor_exit(void)
{
	stop();
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("The least that forwarding can cost, to be measured");
MODULE_LICENSE("GPL");
