/* SPDX-License-Identifier: GPL-2.0 */
/* The packet path: netfilter, sk_buff, routes, per-CPU memory. */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/dst.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/route.h>

#include "../helpers/data.h"
#include "../helpers/ip.h"
#include "../helpers/tunnel.h"
