#!/bin/bash
# What a machine runs that others command: it obeys until somebody calls at port 9, which the host does at the end.
cd /share || exit 1
set -euo pipefail
. lib/all.sh
. lib/machines.sh
mkdir -p "$TMP" /run/sshd
exec 3>&2
plug_control
# All of them have one disk, so they know each other by its key.
/usr/sbin/sshd -o ListenAddress="$(control_address "$MACHINE")" -o UsePAM=no -o StrictModes=no -o PermitRootLogin=yes -o AuthorizedKeysFile=$SSH_KEY.pub
nc -l "$(control_address "$MACHINE")" 9 </dev/null
