/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LVS_HELPERS_DATA_H
#define LVS_HELPERS_DATA_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <net/dst.h>
#include <net/net_namespace.h>

/* What lvs_skb_traits() packs: everything the packet path asks of the bit
 * fields, in one call.
 */
#define LVS_SKB_TO_THIS_HOST	(1 << 0)
#define LVS_SKB_IPVS_PROPERTY	(1 << 1)
#define LVS_SKB_CSUM_PARTIAL	(1 << 2)
#define LVS_SKB_GSO		(1 << 3)
#define LVS_SKB_GSO_FRAGLIST	(1 << 7)

u32 lvs_skb_traits(const struct sk_buff *skb);
u32 lvs_skb_mark(const struct sk_buff *skb);
void lvs_skb_untrack(struct sk_buff *skb);
void lvs_skb_settle(struct sk_buff *skb);
void lvs_skb_claim(struct sk_buff *skb);
bool lvs_skb_own_info(struct sk_buff *skb);
int lvs_skb_cow_head(struct sk_buff *skb, unsigned int headroom);
struct skb_shared_info *lvs_skb_shinfo(const struct sk_buff *skb);
void lvs_skb_rewritten(struct sk_buff *skb, unsigned int transport);
void lvs_skb_move_checksum_start(struct sk_buff *skb, int by);
void lvs_skb_gso_changed(struct sk_buff *skb);
void lvs_skb_drop(struct sk_buff *skb);
void lvs_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key);
void lvs_spin_lock_bh(spinlock_t *lock);
void lvs_spin_unlock_bh(spinlock_t *lock);
void *lvs_per_cpu_ptr(void __percpu *ptr, unsigned int cpu);
unsigned int lvs_next_possible_cpu(unsigned int from);
u64 lvs_this_cpu_read(u64 __percpu *counter);
void *lvs_this_cpu_ptr(void __percpu *ptr);
void lvs_local_bh_disable(void);
void lvs_local_bh_enable(void);
void lvs_this_cpu_add(u64 __percpu *counter, u64 value);
u64 lvs_coarse_ms(void);

#endif
