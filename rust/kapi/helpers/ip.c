// SPDX-License-Identifier: GPL-2.0
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/inetdevice.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/addrconf.h>
#include <net/dst_metadata.h>
#include <net/gso.h>
#include <net/icmp.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>

#include "data.h"
#include "ip.h"

static __be32 addr4(const void *addr)
{
	return *(const __be32 *)addr;
}

static const struct in6_addr *addr6(const void *addr)
{
	return addr;
}

/* The source need not be this host's. With next_hop the destination is where
 * the packet goes, whatever it is addressed to.
 */
bool lvs_route(struct net *net, u16 family, const void *daddr, const void *saddr, u32 mark,
	       bool next_hop, struct lvs_route *route)
{
	u8 flags = FLOWI_FLAG_ANYSRC | (next_hop ? FLOWI_FLAG_KNOWN_NH : 0);

	if (family == AF_INET) {
		struct flowi4 fl4 = {
			.daddr = addr4(daddr),
			.saddr = addr4(saddr),
			.flowi4_mark = mark,
			.flowi4_flags = flags,
		};
		struct rtable *rt = ip_route_output_key(net, &fl4);

		if (IS_ERR(rt))
			return false;
		*route = (struct lvs_route){
			.dst = &rt->dst,
			.local = rt->rt_flags & RTCF_LOCAL,
			.source = { (__force u32)fl4.saddr },
		};
	} else {
		struct flowi6 fl6 = {
			.daddr = *addr6(daddr),
			.saddr = *addr6(saddr),
			.flowi6_mark = mark,
			.flowi6_flags = flags,
		};
		struct dst_entry *dst;

		if (!lvs_ipv6_is_on(net))
			return false;
		dst = ip6_route_output(net, NULL, &fl6);
		if (dst->error) {
			dst_release(dst);
			return false;
		}
		*route = (struct lvs_route){
			.dst = dst,
			.cookie = rt6_get_cookie(dst_rt6_info(dst)),
			.local = dst_rt6_info(dst)->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST),
		};
		if (ipv6_addr_any(&fl6.saddr))
			ipv6_dev_get_saddr(net, ip6_dst_idev(dst)->dev, &fl6.daddr, 0, &fl6.saddr);
		memcpy(route->source, &fl6.saddr, sizeof(fl6.saddr));
	}
	return true;
}

bool lvs_dst_usable(struct dst_entry *dst, u32 cookie)
{
	return !READ_ONCE(dst->obsolete) || dst->ops->check(dst, cookie);
}

void lvs_dst_release(struct dst_entry *dst)
{
	dst_release(dst);
}

u32 lvs_dst_mtu(const struct dst_entry *dst)
{
	return dst_mtu(dst);
}

/* With ipv6.disable=1 nothing of it is set up, and its functions are not to be
 * called. The variable that says so is not for modules.
 */
bool lvs_ipv6_is_on(const struct net *net)
{
	return net->ipv6.ip6_null_entry;
}

/* Nothing but the destination chooses the way: neither rules nor, with IPv6,
 * routes for certain sources.
 */
bool lvs_routes_by_destination(struct net *net, u16 family)
{
	if (family == AF_INET)
		return !net->ipv4.fib_has_custom_rules;
	return !net->ipv6.fib6_has_custom_rules && !fib6_routes_require_src(net);
}

bool lvs_address_is_local(struct net *net, u16 family, const void *addr)
{
	struct lvs_route route;

	if (family == AF_INET)
		return inet_addr_type(net, addr4(addr)) == RTN_LOCAL;
	if (!lvs_route(net, family, addr, &in6addr_any, 0, false, &route))
		return false;
	dst_release(route.dst);
	return route.local;
}

bool lvs_address_is_unicast(struct net *net, u16 family, const void *addr)
{
	int type;

	if (family == AF_INET) {
		type = inet_addr_type(net, addr4(addr));
		return type == RTN_UNICAST || type == RTN_LOCAL;
	}
	type = ipv6_addr_type(addr6(addr));
	if ((type & IPV6_ADDR_UNICAST) && !(type & IPV6_ADDR_LINKLOCAL))
		return true;
	return lvs_address_is_local(net, family, addr);
}

bool lvs_tcp_port_is_taken(struct net *net, u16 family, const void *raddr, __be16 rport,
			   const void *laddr, u16 lport)
{
	struct sock *sk;

	if (family == AF_INET)
		sk = __inet_lookup_established(net, addr4(raddr), rport, addr4(laddr), lport, 0, 0);
	else
		sk = __inet6_lookup_established(net, addr6(raddr), rport, addr6(laddr), lport, 0, 0);
	if (!sk)
		return false;
	sock_gen_put(sk);
	return true;
}

struct sk_buff *lvs_alloc_skb(u16 family, unsigned int headroom, unsigned int len, gfp_t flags)
{
	struct sk_buff *skb = alloc_skb(headroom + len, flags);

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put_zero(skb, len);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, family == AF_INET ? sizeof(struct iphdr) :
							  sizeof(struct ipv6hdr));
	skb->protocol = family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	return skb;
}

/* 0 for a packet that came whole. */
u16 lvs_skb_largest_fragment(const struct sk_buff *skb, u16 family)
{
	return family == AF_INET ? IPCB(skb)->frag_max_size : IP6CB(skb)->frag_max_size;
}

/* A datagram that came in pieces leaves in pieces, none larger than the
 * largest that came (ip_exceeds_mtu() has the same rule).
 */
bool lvs_skb_fits(const struct sk_buff *skb, u16 family, unsigned int mtu)
{
	u16 largest = lvs_skb_largest_fragment(skb, family);

	if (largest)
		return largest <= mtu;
	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu);
	return skb->len <= mtu;
}

u16 lvs_skb_checksum_icmp(struct sk_buff *skb, u16 family, unsigned int offset)
{
	const struct ipv6hdr *ip6;
	__wsum sum;

	sum = skb_checksum(skb, offset, skb->len - offset, 0);
	if (family == AF_INET)
		return (__force u16)csum_fold(sum);
	/* Of a packet without a header no checksum is right. */
	if (!pskb_may_pull(skb, skb_network_offset(skb) + sizeof(*ip6)))
		return 1;
	ip6 = ipv6_hdr(skb);
	return (__force u16)csum_ipv6_magic(&ip6->saddr, &ip6->daddr, skb->len - offset,
					    IPPROTO_ICMPV6, sum);
}

/* False: the fragment was kept or dropped. IPv6's are collected by a hook of
 * the kernel's own, see lvs_defrag_enable(): one that is met is left alone.
 */
bool lvs_skb_defragment(struct net *net, struct sk_buff *skb, u16 family, u32 user)
{
	if (family != AF_INET)
		return true;
	/* It asks one of the two where the packet came from. */
	if (!skb->dev && !skb_dst(skb)) {
		kfree_skb(skb);
		return false;
	}
	return ip_defrag(net, skb, user) == 0;
}

/* By name: the module that has it is then no condition of loading ours. What
 * enables holds that module until it disables.
 */
int lvs_defrag_enable(struct net *net, u16 family)
{
	int (*enable)(struct net *net);
	int result;

	if (family == AF_INET)
		return 0;
	request_module("nf_defrag_ipv6");
	enable = symbol_get(nf_defrag_ipv6_enable);
	if (!enable)
		return -EOPNOTSUPP;
	result = enable(net);
	if (result)
		symbol_put(nf_defrag_ipv6_enable);
	return result;
}

void lvs_defrag_disable(struct net *net, u16 family)
{
	void (*disable)(struct net *net);

	if (family == AF_INET)
		return;
	disable = symbol_get(nf_defrag_ipv6_disable);
	if (disable) {
		disable(net);
		symbol_put(nf_defrag_ipv6_disable);
	}
	symbol_put(nf_defrag_ipv6_enable);
}

/* ICMP for IPv4 is sent along the route of the packet that caused it, and
 * before routing a packet has none. If that route ends here, it is sent from
 * the address that the packet is for, which need not be this host's where
 * policy routing brought it: then any route elsewhere makes this host speak
 * for itself. The packet is dropped after that.
 */
static bool routed4(struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct flowi4 fl4 = { .daddr = iph->saddr };
	struct rtable *rt;
	struct net *net;

	if (!skb_valid_dst(skb) &&
	    (!skb->dev ||
	     ip_route_input_noref(skb, iph->daddr, iph->saddr, ip4h_dscp(iph), skb->dev)))
		return false;
	net = dev_net(skb_dst(skb)->dev);
	if (!(skb_rtable(skb)->rt_flags & RTCF_LOCAL) ||
	    inet_addr_type(net, iph->daddr) == RTN_LOCAL)
		return true;
	rt = ip_route_output_key(net, &fl4);
	if (IS_ERR(rt))
		return false;
	skb_dst_drop(skb);
	skb_dst_set(skb, &rt->dst);
	return true;
}

void lvs_skb_answer(struct sk_buff *skb, u16 family, enum lvs_answer answer, u32 info)
{
	if (family == AF_INET) {
		static const struct { u8 type, code; } icmp[] = {
			[LVS_ANSWER_PORT_UNREACHABLE] = { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH },
			[LVS_ANSWER_TOO_BIG] = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED },
			[LVS_ANSWER_TIME_EXCEEDED] = { ICMP_TIME_EXCEEDED, ICMP_EXC_TTL },
		};

		if (routed4(skb))
			icmp_send(skb, icmp[answer].type, icmp[answer].code, htonl(info));
	} else {
		static const struct { u8 type, code; } icmp[] = {
			[LVS_ANSWER_PORT_UNREACHABLE] = { ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH },
			[LVS_ANSWER_TOO_BIG] = { ICMPV6_PKT_TOOBIG, 0 },
			[LVS_ANSWER_TIME_EXCEEDED] = { ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT },
		};

		/* What this host made itself came in by no device. */
		if (!skb->dev)
			skb->dev = skb_dst(skb) ? skb_dst(skb)->dev : NULL;
		if (skb->dev)
			icmpv6_send(skb, icmp[answer].type, icmp[answer].code, info);
	}
}

/* What an ICMP error says of the path that the packet in it took, which begins at
 * an offset and was sent by this host. The packet is left as it is.
 */
void lvs_learn_mtu(struct net *net, struct sk_buff *skb, u16 family, unsigned int offset,
		   u8 protocol, u32 mtu)
{
	/* First of all, or the sum could be a small number again. */
	if (offset > skb->len ||
	    !pskb_may_pull(skb, offset + (family == AF_INET ? sizeof(struct iphdr) :
							      sizeof(struct ipv6hdr))))
		return;
	__skb_pull(skb, offset);
	if (family == AF_INET)
		ipv4_update_pmtu(skb, net, mtu, 0, protocol);
	else
		ip6_update_pmtu(skb, net, htonl(mtu), 0, 0, sock_net_uid(net, NULL));
	__skb_push(skb, offset);
}

/* The headers are of the other family now. What was noted of the old ones is
 * void, but for how large fragments may be (0: as the link allows); and a big
 * packet is cut by other rules.
 */
void lvs_skb_family_changed(struct sk_buff *skb, u16 family, u16 fragment)
{
	struct skb_shared_info *info = skb_shinfo(skb);

	skb->protocol = family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	memset(skb->cb, 0, max(sizeof(struct inet_skb_parm), sizeof(struct inet6_skb_parm)));
	if (family == AF_INET)
		IPCB(skb)->frag_max_size = fragment;
	else
		IP6CB(skb)->frag_max_size = fragment;
	if (!skb_is_gso(skb))
		return;
	if (info->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		info->gso_type &= ~(SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_FIXEDID);
		info->gso_type |= family == AF_INET ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
	}
	lvs_skb_gso_changed(skb);
}

/* The sum of so many bytes from an even offset on, which are there: 16 bits, not complemented. */
u32 lvs_skb_sum(const struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	__wsum sum = skb_checksum(skb, offset, len, 0);

	return ntohs((__force __be16)(u16)~csum_fold(sum));
}

/* The packet ends there, and its checksum has been made. */
bool lvs_skb_cut(struct sk_buff *skb, unsigned int len)
{
	skb->ip_summed = CHECKSUM_NONE;
	return pskb_trim(skb, len) == 0;
}

/* Its receive time is not a time to send at. */
void lvs_send(struct net *net, struct sk_buff *skb, u16 family, struct dst_entry *dst)
{
	lvs_skb_claim(skb);
	skb->ignore_df = 1;
	if (skb->dev)
		skb_clear_tstamp(skb);
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	/* It also makes the sum of the IP header anew, into whose options routing
	 * may have written. And what it leaves in a queue of the filters goes on in
	 * the kernel's text, not in ours.
	 */
	if (family == AF_INET)
		ip_local_out(net, NULL, skb);
	else
		ip6_local_out(net, NULL, skb);
}
