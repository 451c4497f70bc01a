/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LVS_HELPERS_SOCK_H
#define LVS_HELPERS_SOCK_H

#include <linux/net.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/sock.h>

#define LVS_SOCK_TCP		(1 << 0)
#define LVS_SOCK_MPTCP		(1 << 1)
#define LVS_SOCK_MPTCP_SUBFLOW	(1 << 2)
#define LVS_SOCK_FASTOPEN_CHILD	(1 << 3)

/* IPv4 as ::ffff:a.b.c.d. Everything in network order. */
struct lvs_sock_names {
	u8 local[16];
	u8 peer[16];
	u8 local_port[2];
	u8 peer_port[2];
};

u32 lvs_sock_traits(const struct sock *sk);
bool lvs_sock_has_peer(const struct sock *sk);
void lvs_sock_names(const struct sock *sk, struct lvs_sock_names *names);
struct net *lvs_sock_net(const struct sock *sk);
const u8 *lvs_tcp_options(const struct sk_buff *skb, unsigned int *len);
bool lvs_tcp_is_syn(const struct sk_buff *skb);

#endif
