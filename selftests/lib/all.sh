# shellcheck shell=bash
# Everything a case needs, in one line: `. "${0%/*}/../lib/all.sh"`.
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
for part in ktap wait assert slabs topology modules servers capture keepalived; do
    # shellcheck source=/dev/null
    . "$LIB/$part.sh"
done
