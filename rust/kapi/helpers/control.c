// SPDX-License-Identifier: GPL-2.0
#include "control.h"

#include <net/netns/generic.h>

struct module *lvs_this_module(void)
{
	return THIS_MODULE;
}

bool lvs_is_in_this_module(const void *p)
{
	return within_module((unsigned long)p, THIS_MODULE);
}

int lvs_init_srcu_struct(struct srcu_struct *srcu)
{
	return init_srcu_struct(srcu);
}

int lvs_srcu_read_lock(struct srcu_struct *srcu)
{
	return srcu_read_lock(srcu);
}

void lvs_srcu_read_unlock(struct srcu_struct *srcu, int index)
{
	srcu_read_unlock(srcu, index);
}

struct proc_dir_entry *lvs_proc_net(const struct net *net)
{
	return net->proc_net;
}

void *lvs_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

/* What was written before is seen by who makes the namespace go away, if it is
 * alive here: the count falls to 0 before anything of it is taken down.
 */
bool lvs_net_is_alive(const struct net *net)
{
	smp_mb();
	return check_net(net);
}

struct net *lvs_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

int lvs_dev_ifindex(const struct net_device *dev)
{
	return READ_ONCE(dev->ifindex);
}

struct sk_buff *lvs_genlmsg_new(size_t payload)
{
	return genlmsg_new(payload, GFP_KERNEL);
}

void lvs_genlmsg_end(struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
}

void lvs_genlmsg_cancel(struct sk_buff *skb, void *header)
{
	genlmsg_cancel(skb, header);
}

void lvs_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

struct nlattr *lvs_nla_nest_start(struct sk_buff *skb, int attrtype)
{
	return nla_nest_start(skb, attrtype);
}

struct nlattr *lvs_nla_nest_start_noflag(struct sk_buff *skb, int attrtype)
{
	return nla_nest_start_noflag(skb, attrtype);
}

void lvs_nla_nest_end(struct sk_buff *skb, struct nlattr *start)
{
	nla_nest_end(skb, start);
}

void lvs_nla_nest_cancel(struct sk_buff *skb, struct nlattr *start)
{
	nla_nest_cancel(skb, start);
}

int lvs_genlmsg_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

int lvs_genlmsg_multicast_netns(const struct genl_family *family, struct net *net,
				struct sk_buff *skb, unsigned int group, gfp_t flags)
{
	return genlmsg_multicast_netns(family, net, skb, 0, group, flags);
}

int lvs_notifier_from_errno(int err)
{
	return notifier_from_errno(err);
}

void lvs_init_delayed_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

bool lvs_queue_delayed_work(struct delayed_work *work, unsigned long delay)
{
	return queue_delayed_work(system_dfl_wq, work, delay);
}

bool lvs_mod_delayed_work(struct delayed_work *work, unsigned long delay)
{
	return mod_delayed_work(system_dfl_wq, work, delay);
}
