/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LVS_HELPERS_CONTROL_H
#define LVS_HELPERS_CONTROL_H

#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/proc_fs.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

static const size_t LVS_GENLMSG_DEFAULT_SIZE = GENLMSG_DEFAULT_SIZE;

struct module *lvs_this_module(void);
bool lvs_is_in_this_module(const void *p);
int lvs_init_srcu_struct(struct srcu_struct *srcu);
int lvs_srcu_read_lock(struct srcu_struct *srcu);
void lvs_srcu_read_unlock(struct srcu_struct *srcu, int index);
struct proc_dir_entry *lvs_proc_net(const struct net *net);
void *lvs_net_generic(const struct net *net, unsigned int id);
struct net *lvs_dev_net(const struct net_device *dev);
bool lvs_net_is_alive(const struct net *net);
int lvs_dev_ifindex(const struct net_device *dev);
struct sk_buff *lvs_genlmsg_new(size_t payload);
void lvs_genlmsg_end(struct sk_buff *skb, void *header);
void lvs_genlmsg_cancel(struct sk_buff *skb, void *header);
void lvs_nlmsg_free(struct sk_buff *skb);
struct nlattr *lvs_nla_nest_start(struct sk_buff *skb, int attrtype);
struct nlattr *lvs_nla_nest_start_noflag(struct sk_buff *skb, int attrtype);
void lvs_nla_nest_end(struct sk_buff *skb, struct nlattr *start);
void lvs_nla_nest_cancel(struct sk_buff *skb, struct nlattr *start);
int lvs_genlmsg_reply(struct sk_buff *skb, struct genl_info *info);
int lvs_genlmsg_multicast_netns(const struct genl_family *family, struct net *net,
				struct sk_buff *skb, unsigned int group, gfp_t flags);
int lvs_notifier_from_errno(int err);
void lvs_init_delayed_work(struct delayed_work *work, work_func_t func);
bool lvs_queue_delayed_work(struct delayed_work *work, unsigned long delay);
bool lvs_mod_delayed_work(struct delayed_work *work, unsigned long delay);

#endif
