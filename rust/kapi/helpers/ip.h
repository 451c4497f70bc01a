/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LVS_HELPERS_IP_H
#define LVS_HELPERS_IP_H

#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/net_namespace.h>

/* What the kernel has once for each family, with the family as an argument:
 * AF_INET or AF_INET6. Addresses are 4 or 16 bytes in network order.
 */

/* Beside what a look-up finds: IPv6 compares it when a route is used again. */
struct lvs_route {
	struct dst_entry *dst;
	u32 cookie;
	/* It leads to this host itself. */
	bool local;
	/* What this host speaks from along it, if the query left that open. */
	u32 source[4];
};

/* What is to be told to the sender of a packet. */
enum lvs_answer {
	LVS_ANSWER_PORT_UNREACHABLE,
	LVS_ANSWER_TOO_BIG,
	LVS_ANSWER_TIME_EXCEEDED,
};

bool lvs_route(struct net *net, u16 family, const void *daddr, const void *saddr, u32 mark,
	       bool next_hop, struct lvs_route *route);
bool lvs_dst_usable(struct dst_entry *dst, u32 cookie);
void lvs_dst_release(struct dst_entry *dst);
u32 lvs_dst_mtu(const struct dst_entry *dst);
bool lvs_ipv6_is_on(const struct net *net);
bool lvs_routes_by_destination(struct net *net, u16 family);
bool lvs_address_is_local(struct net *net, u16 family, const void *addr);
bool lvs_address_is_unicast(struct net *net, u16 family, const void *addr);
bool lvs_tcp_port_is_taken(struct net *net, u16 family, const void *raddr, __be16 rport,
			   const void *laddr, u16 lport);
struct sk_buff *lvs_alloc_skb(u16 family, unsigned int headroom, unsigned int len, gfp_t flags);
u16 lvs_skb_largest_fragment(const struct sk_buff *skb, u16 family);
bool lvs_skb_fits(const struct sk_buff *skb, u16 family, unsigned int mtu);
u16 lvs_skb_checksum_icmp(struct sk_buff *skb, u16 family, unsigned int offset);
bool lvs_skb_defragment(struct net *net, struct sk_buff *skb, u16 family, u32 user);
int lvs_defrag_enable(struct net *net, u16 family);
void lvs_defrag_disable(struct net *net, u16 family);
void lvs_skb_answer(struct sk_buff *skb, u16 family, enum lvs_answer answer, u32 info);
void lvs_learn_mtu(struct net *net, struct sk_buff *skb, u16 family, unsigned int offset,
		   u8 protocol, u32 mtu);
void lvs_skb_family_changed(struct sk_buff *skb, u16 family, u16 fragment);
u32 lvs_skb_sum(const struct sk_buff *skb, unsigned int offset, unsigned int len);
bool lvs_skb_cut(struct sk_buff *skb, unsigned int len);
void lvs_send(struct net *net, struct sk_buff *skb, u16 family, struct dst_entry *dst);

#endif
