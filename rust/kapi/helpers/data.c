// SPDX-License-Identifier: GPL-2.0
#include <linux/icmp.h>
#include <linux/inetdevice.h>
#include <linux/net.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <net/dst_metadata.h>
#include <net/gso.h>
#include <net/icmp.h>
#include <net/inet_hashtables.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/netfilter/nf_conntrack.h>

#include "data.h"

u32 lvs_skb_traits(const struct sk_buff *skb)
{
	return (skb->pkt_type == PACKET_HOST ? LVS_SKB_TO_THIS_HOST : 0) |
	       (skb->ipvs_property ? LVS_SKB_IPVS_PROPERTY : 0) |
	       (skb->ip_summed == CHECKSUM_PARTIAL ? LVS_SKB_CSUM_PARTIAL : 0) |
	       (skb_is_gso(skb) ? LVS_SKB_GSO : 0) |
	       (skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST ?
		LVS_SKB_GSO_FRAGLIST : 0);
}

void lvs_skb_untrack(struct sk_buff *skb)
{
	nf_reset_ct(skb);
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
}

/* No second look by our hooks. */
void lvs_skb_settle(struct sk_buff *skb)
{
	skb->ipvs_property = 1;
}

/* Ours from here: none by connection tracking either. */
void lvs_skb_claim(struct sk_buff *skb)
{
	lvs_skb_settle(skb);
	lvs_skb_untrack(skb);
}

/* A clone shares what is said of segments with the packet it was cloned from. */
bool lvs_skb_own_info(struct sk_buff *skb)
{
	return skb_unclone(skb, GFP_ATOMIC) == 0;
}

int lvs_skb_cow_head(struct sk_buff *skb, unsigned int headroom)
{
	return skb_cow_head(skb, headroom);
}

struct skb_shared_info *lvs_skb_shinfo(const struct sk_buff *skb)
{
	return skb_shinfo(skb);
}

void lvs_skb_move_checksum_start(struct sk_buff *skb, int by)
{
	skb->csum_start += by;
}

/* The headers are others now. The device's sum over the whole packet is of
 * bytes that have changed; a checksum that it has found right still is.
 */
void lvs_skb_rewritten(struct sk_buff *skb, unsigned int transport)
{
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, transport);
	skb_unset_mac_header(skb);
	skb_clear_hash(skb);
}

void lvs_skb_gso_changed(struct sk_buff *skb)
{
	skb_shinfo(skb)->gso_type |= SKB_GSO_DODGY;
	skb_shinfo(skb)->gso_segs = 0;
}

void lvs_skb_drop(struct sk_buff *skb)
{
	kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP);
}

void lvs_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	__raw_spin_lock_init(spinlock_check(lock), name, key, LD_WAIT_CONFIG);
#else
	spin_lock_init(lock);
#endif
}

void lvs_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void lvs_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

void *lvs_per_cpu_ptr(void __percpu *ptr, unsigned int cpu)
{
	return per_cpu_ptr(ptr, cpu);
}

unsigned int lvs_next_possible_cpu(unsigned int from)
{
	return find_next_bit(cpumask_bits(cpu_possible_mask), nr_cpu_ids, from);
}

u64 lvs_this_cpu_read(u64 __percpu *counter)
{
	return this_cpu_read(*counter);
}

void *lvs_this_cpu_ptr(void __percpu *ptr)
{
	return this_cpu_ptr(ptr);
}

void lvs_local_bh_disable(void)
{
	local_bh_disable();
}

void lvs_local_bh_enable(void)
{
	local_bh_enable();
}

void lvs_this_cpu_add(u64 __percpu *counter, u64 value)
{
	this_cpu_add(*counter, value);
}

u64 lvs_coarse_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}

u32 lvs_skb_mark(const struct sk_buff *skb)
{
	return skb->mark;
}
