#!/bin/bash
# `make modules KDIR=...`: a tree of somebody else's is judged before it is used, in a sentence.
# shellcheck source=selftests/build/lib.bash
. "$(dirname "$0")/lib.bash"

# tree RUSTC METADATA: a kernel tree as far as the judgement looks.
tree() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"/{rust,include/config}
    echo 9.9.9-test >"$scratch/tree/include/config/kernel.release"
    { echo CONFIG_MODULES=y; [ -z "$1" ] || printf 'CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT="%s"\n' "$1"; } >"$scratch/tree/.config"
    [ -z "$2" ] || touch "$scratch/tree/rust/libkernel.rmeta"
}

# refused NAME PATTERN [VARIABLE=VALUE...]
refused() {
    local name=$1 pattern=$2 said; shift 2
    if said=$(make -s -C "$LVS_TOP" modules "$@" 2>&1); then record "not ok" "$name"; return; fi
    expect "$name" has "$said" "$pattern"
    expect "... in a sentence, not a compiler's error" test -z "$(grep -E 'error\[E|error: (found|couldn)' <<<"$said")"
}

refused "a directory that does not exist" 'KDIR=/nowhere: there is no such directory' KDIR=/nowhere
mkdir "$scratch/empty"
refused "a directory that is no kernel tree" 'is no configured kernel tree' KDIR="$scratch/empty"
tree "" ""
refused "a kernel without Rust" 'configured without Rust' KDIR="$scratch/tree"
tree "rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)" ""
refused "a tree without Rust metadata" 'has no Rust metadata' KDIR="$scratch/tree"
tree "rustc 1.66.6 (somebody 2022-12-12)" metadata
refused "another compiler: what is needed" 'needs: rustc 1\.66\.6 \(somebody 2022-12-12\)' KDIR="$scratch/tree"
refused "another compiler: what was found" 'Found: .*rustc [0-9.]+ .*\(build root\)' KDIR="$scratch/tree"
refused "another compiler: what to do" 'install the distribution.s own rustc.*RUSTC=/path/to/rustc' KDIR="$scratch/tree"
refused "RUSTC= that is not it either" 'Found: none \(/nowhere/rustc\)' KDIR="$scratch/tree" RUSTC=/nowhere/rustc

# A tree that does have its metadata: the cache's own, named as if it were a distribution's.
read -r release kdir _ <<<"$("$LVS_BUILD/kernel")"
expect "a tree with metadata and its compiler builds" make -s -C "$LVS_TOP" modules KDIR="$kdir"
expect "... into build/$release" test -s "$LVS_TOP/build/$release/lvs.ko" -a -s "$LVS_TOP/build/$release/toa.ko"

finish
