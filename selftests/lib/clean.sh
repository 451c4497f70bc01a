#!/bin/bash
# After a case that did not come to its own end: its namespaces, processes and modules go, so that the next case
# starts as from boot.
. "$(dirname "$0")/all.sh"
TMP=/tmp/clean; mkdir -p $TMP; exec 3>&2
topology_down
modules_out
