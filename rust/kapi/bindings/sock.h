/* SPDX-License-Identifier: GPL-2.0 */
#include <net/inet_common.h>
#include <net/ipv6.h>

#include "../helpers/sock.h"
