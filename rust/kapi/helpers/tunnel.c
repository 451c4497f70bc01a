// SPDX-License-Identifier: GPL-2.0
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/gre.h>
#include <net/gue.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "tunnel.h"

/* A checksum that the packet inside lacks: the receiver is told where. */
static bool remote_checksum(const struct sk_buff *skb, const struct lvs_outer *outer)
{
	return outer->tunnel == LVS_TUNNEL_GUE && outer->remote_checksum &&
	       skb->ip_summed == CHECKSUM_PARTIAL;
}

static unsigned int middle_len(const struct sk_buff *skb, const struct lvs_outer *outer)
{
	switch (outer->tunnel) {
	case LVS_TUNNEL_GUE:
		return sizeof(struct udphdr) + sizeof(struct guehdr) +
		       (remote_checksum(skb, outer) ? GUE_LEN_PRIV + GUE_PLEN_REMCSUM : 0);
	case LVS_TUNNEL_GRE:
		return sizeof(struct gre_base_hdr) + (outer->checksum ? 4 : 0);
	default:
		return 0;
	}
}

/* How a big packet is cut: the kernel makes the outer headers of each piece. */
static int gso_type(const struct sk_buff *skb, const struct lvs_outer *outer)
{
	int type = outer->family == AF_INET ? SKB_GSO_IPXIP4 : SKB_GSO_IPXIP6;

	switch (outer->tunnel) {
	case LVS_TUNNEL_GUE:
		type |= outer->checksum ? SKB_GSO_UDP_TUNNEL_CSUM : SKB_GSO_UDP_TUNNEL;
		return type | (remote_checksum(skb, outer) ? SKB_GSO_TUNNEL_REMCSUM : 0);
	case LVS_TUNNEL_GRE:
		return outer->checksum ? SKB_GSO_GRE_CSUM : SKB_GSO_GRE;
	default:
		return type;
	}
}

static void push_gue(struct net *net, struct sk_buff *skb, const struct lvs_outer *outer, u8 inner)
{
	__be16 source = udp_flow_src_port(net, skb, 0, 0, false);
	bool remote = remote_checksum(skb, outer);
	unsigned int options = remote ? GUE_LEN_PRIV + GUE_PLEN_REMCSUM : 0;
	u16 start = skb_checksum_start_offset(skb);
	struct guehdr *gue = skb_push(skb, sizeof(*gue) + options);
	struct udphdr *udp;

	*gue = (struct guehdr){
		.hlen = options >> 2,
		.proto_ctype = inner,
		.flags = remote ? GUE_FLAG_PRIV : 0,
	};
	if (remote) {
		__be32 *private = (__be32 *)(gue + 1);
		__be16 *places = (__be16 *)(private + 1);

		*private = GUE_PFLAG_REMCSUM;
		places[0] = htons(start);
		places[1] = htons(start + skb->csum_offset);
		if (!skb_is_gso(skb)) {
			skb->ip_summed = CHECKSUM_NONE;
			skb->encapsulation = 0;
		}
	}
	udp = skb_push(skb, sizeof(*udp));
	skb_reset_transport_header(skb);
	*udp = (struct udphdr){
		.source = source,
		.dest = outer->port,
		.len = skb->len <= U16_MAX ? htons(skb->len) : 0,
	};
	if (outer->family == AF_INET)
		udp_set_csum(!outer->checksum, skb, *(const __be32 *)outer->saddr,
			     *(const __be32 *)outer->daddr, skb->len);
	else
		udp6_set_csum(!outer->checksum, skb, outer->saddr, outer->daddr, skb->len);
}

static void push_gre(struct sk_buff *skb, const struct lvs_outer *outer)
{
	IP_TUNNEL_DECLARE_FLAGS(flags) = { };

	if (outer->checksum)
		__set_bit(IP_TUNNEL_CSUM_BIT, flags);
	gre_build_header(skb, gre_calc_hlen(flags), flags,
			 outer->inner_family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6), 0, 0);
}

static void push_ip(struct net *net, struct sk_buff *skb, const struct lvs_outer *outer, u8 protocol)
{
	/* That a router met congestion stays inside. */
	u8 dsfield = INET_ECN_encapsulate(outer->dsfield, outer->dsfield);

	if (outer->family == AF_INET) {
		struct iphdr *ip = skb_push(skb, sizeof(*ip));

		skb_reset_network_header(skb);
		*ip = (struct iphdr){
			.version = 4,
			.ihl = sizeof(*ip) >> 2,
			.tos = dsfield,
			.frag_off = outer->dont_fragment ? htons(IP_DF) : 0,
			.ttl = outer->ttl,
			.protocol = protocol,
			.saddr = *(const __be32 *)outer->saddr,
			.daddr = *(const __be32 *)outer->daddr,
		};
		__ip_select_ident(net, ip, skb_shinfo(skb)->gso_segs ?: 1);
		skb->protocol = htons(ETH_P_IP);
		memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	} else {
		struct ipv6hdr *ip = skb_push(skb, sizeof(*ip));

		skb_reset_network_header(skb);
		ip6_flow_hdr(ip, dsfield, 0);
		ip->nexthdr = protocol;
		ip->hop_limit = outer->ttl;
		ip->saddr = *(const struct in6_addr *)outer->saddr;
		ip->daddr = *(const struct in6_addr *)outer->daddr;
		skb->protocol = htons(ETH_P_IPV6);
		memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	}
}

/* Whether the header that is to be inside is one, and can be read. */
static bool has_inner_header(struct sk_buff *skb, u16 family)
{
	if (family != AF_INET)
		return pskb_may_pull(skb, sizeof(struct ipv6hdr));
	return pskb_may_pull(skb, sizeof(struct iphdr)) &&
	       ((const struct iphdr *)skb->data)->ihl >= 5 &&
	       pskb_may_pull(skb, ((const struct iphdr *)skb->data)->ihl * 4);
}

/* False: no header, or no memory. The packet is to be dropped then. */
bool lvs_skb_wrap(struct net *net, struct sk_buff *skb, const struct dst_entry *dst,
		  const struct lvs_outer *outer)
{
	static const u8 protocols[] = {
		[LVS_TUNNEL_GUE] = IPPROTO_UDP,
		[LVS_TUNNEL_GRE] = IPPROTO_GRE,
	};
	u8 inner = outer->inner_family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6;
	unsigned int len = middle_len(skb, outer) +
			   (outer->family == AF_INET ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));

	if (!has_inner_header(skb, outer->inner_family) ||
	    skb_cow_head(skb, LL_RESERVED_SPACE(dst->dev) + len))
		return false;
	/* What was measured of the packet is of the one inside from here on. */
	skb_reset_network_header(skb);
	/* What the stack has written into options is not in the checksum, which it
	 * has found right before. Outer headers get theirs when they are sent.
	 */
	if (outer->inner_family == AF_INET && ip_hdr(skb)->ihl > 5)
		ip_send_check(ip_hdr(skb));
	if (iptunnel_handle_offloads(skb, gso_type(skb, outer)))
		return false;
	skb->transport_header = skb->network_header;
	skb_set_inner_ipproto(skb, inner);
	skb_set_inner_mac_header(skb, skb_inner_network_offset(skb));
	if (outer->tunnel == LVS_TUNNEL_GUE)
		push_gue(net, skb, outer, inner);
	else if (outer->tunnel == LVS_TUNNEL_GRE)
		push_gre(skb, outer);
	push_ip(net, skb, outer, outer->tunnel == LVS_TUNNEL_IPIP ? inner : protocols[outer->tunnel]);
	skb_clear_hash(skb);
	return true;
}
