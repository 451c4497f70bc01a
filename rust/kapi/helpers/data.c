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

/* A datagram that came in pieces leaves in pieces, none larger than the
 * largest that came (ip_exceeds_mtu() has the same rule).
 */
bool lvs_skb_fits(const struct sk_buff *skb, unsigned int mtu)
{
	if (IPCB(skb)->frag_max_size)
		return IPCB(skb)->frag_max_size <= mtu;
	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu);
	return skb->len <= mtu;
}

u16 lvs_skb_checksum_icmp(struct sk_buff *skb, unsigned int offset)
{
	return (__force u16)csum_fold(skb_checksum(skb, offset, skb->len - offset, 0));
}

void lvs_skb_drop(struct sk_buff *skb)
{
	kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP);
}

struct sk_buff *lvs_alloc_skb(unsigned int headroom, unsigned int len, gfp_t flags)
{
	struct sk_buff *skb = alloc_skb(headroom + len, flags);

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put_zero(skb, len);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
	skb->protocol = htons(ETH_P_IP);
	return skb;
}

/* An ICMP error is sent along the route of the packet that caused it, and
 * before routing a packet has none.
 */
int lvs_ip4_input_route(struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	if (skb_valid_dst(skb))
		return 0;
	return ip_route_input_noref(skb, iph->daddr, iph->saddr, ip4h_dscp(iph), skb->dev);
}

void lvs_icmp4_send(struct sk_buff *skb, int type, int code, u32 info)
{
	icmp_send(skb, type, code, htonl(info));
}

/* Ours from here: no second look by our hooks, none by connection tracking,
 * and the receive time is not a time to send at.
 */
void lvs_ip4_send(struct net *net, struct sk_buff *skb, struct dst_entry *dst)
{
	skb->ipvs_property = 1;
	skb->ignore_df = 1;
	lvs_skb_untrack(skb);
	if (skb->dev)
		skb_clear_tstamp(skb);
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	/* It also makes the sum of the IP header anew, into whose options routing
	 * may have written. And what it leaves in a queue of the filters goes on in
	 * the kernel's text, not in ours.
	 */
	ip_local_out(net, NULL, skb);
}

struct dst_entry *lvs_ip4_route(struct net *net, __be32 daddr, __be32 saddr, u32 mark, u8 dsfield)
{
	struct flowi4 fl4 = {
		.daddr = daddr,
		.saddr = saddr,
		.flowi4_mark = mark,
		.flowi4_dscp = inet_dsfield_to_dscp(dsfield),
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

bool lvs_dst_usable(struct dst_entry *dst)
{
	return !READ_ONCE(dst->obsolete) || dst->ops->check(dst, 0);
}

bool lvs_dst_is_local(const struct dst_entry *dst)
{
	return dst_rtable(dst)->rt_flags & RTCF_LOCAL;
}

void lvs_dst_release(struct dst_entry *dst)
{
	dst_release(dst);
}

u32 lvs_dst_mtu(const struct dst_entry *dst)
{
	return dst_mtu(dst);
}

bool lvs_ip4_address_is_local(struct net *net, __be32 addr)
{
	return inet_addr_type(net, addr) == RTN_LOCAL;
}

bool lvs_ip4_address_is_unicast(struct net *net, __be32 addr)
{
	unsigned int type = inet_addr_type(net, addr);

	return type == RTN_UNICAST || type == RTN_LOCAL;
}

bool lvs_tcp4_port_is_taken(struct net *net, __be32 raddr, __be16 rport, __be32 laddr, u16 lport)
{
	struct sock *sk = __inet_lookup_established(net, raddr, rport, laddr, lport, 0, 0);

	if (!sk)
		return false;
	sock_gen_put(sk);
	return true;
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
