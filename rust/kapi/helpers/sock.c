// SPDX-License-Identifier: GPL-2.0
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/mptcp.h>
#include <net/tcp.h>

#include "sock.h"

u32 lvs_sock_traits(const struct sock *sk)
{
	bool tcp = sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM;

	return (tcp ? LVS_SOCK_TCP : 0) |
	       (sk->sk_protocol == IPPROTO_MPTCP ? LVS_SOCK_MPTCP : 0) |
	       (tcp && sk_is_mptcp(sk) ? LVS_SOCK_MPTCP_SUBFLOW : 0) |
	       (tcp && rcu_access_pointer(tcp_sk(sk)->fastopen_rsk) ? LVS_SOCK_FASTOPEN_CHILD : 0);
}

/* As inet_getname() has it for getpeername(). Apart from the traits, which are
 * asked for with every name.
 */
bool lvs_sock_has_peer(const struct sock *sk)
{
	return READ_ONCE(inet_sk(sk)->inet_dport) &&
	       !((1 << inet_sk_state_load(sk)) & (TCPF_CLOSE | TCPF_SYN_SENT));
}

void lvs_sock_names(const struct sock *sk, struct lvs_sock_names *names)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct in6_addr local, peer;

	if (sk->sk_family == AF_INET6) {
		local = sk->sk_v6_rcv_saddr;
		peer = sk->sk_v6_daddr;
	} else {
		ipv6_addr_set_v4mapped(inet->inet_rcv_saddr, &local);
		ipv6_addr_set_v4mapped(inet->inet_daddr, &peer);
	}
	memcpy(names->local, &local, 16);
	memcpy(names->peer, &peer, 16);
	memcpy(names->local_port, &inet->inet_sport, 2);
	memcpy(names->peer_port, &inet->inet_dport, 2);
}

struct net *lvs_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

/* The receive path has pulled header and options together; looked at again
 * because a wrong length here would be a read past the buffer.
 */
const u8 *lvs_tcp_options(const struct sk_buff *skb, unsigned int *len)
{
	const u8 *header = skb_transport_header(skb);
	const u8 *end = skb_tail_pointer(skb);
	unsigned int size;

	*len = 0;
	if (!skb_transport_header_was_set(skb) || header + sizeof(struct tcphdr) > end)
		return NULL;
	size = tcp_hdrlen(skb);
	if (size < sizeof(struct tcphdr) || header + size > end)
		return NULL;
	*len = size - sizeof(struct tcphdr);
	return header + sizeof(struct tcphdr);
}

bool lvs_tcp_is_syn(const struct sk_buff *skb)
{
	return tcp_hdr(skb)->syn;
}
