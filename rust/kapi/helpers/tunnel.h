/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LVS_HELPERS_TUNNEL_H
#define LVS_HELPERS_TUNNEL_H

#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/net_namespace.h>

enum lvs_tunnel {
	LVS_TUNNEL_IPIP,
	LVS_TUNNEL_GUE,
	LVS_TUNNEL_GRE,
};

/* What a packet is wrapped in. */
struct lvs_outer {
	enum lvs_tunnel tunnel;
	u16 inner_family;
	u16 family;
	const void *saddr;
	const void *daddr;
	__be16 port;		/* GUE: the receiver's */
	bool checksum;		/* GUE and GRE */
	bool remote_checksum;	/* GUE: what is still to be made inside is the receiver's */
	u8 dsfield;
	u8 ttl;
	bool dont_fragment;
};

bool lvs_skb_wrap(struct net *net, struct sk_buff *skb, const struct dst_entry *dst,
		  const struct lvs_outer *outer);

#endif
