#!/bin/bash
# Which kernel is taken: the pinned one, else the newest of its series, else the next series; said in one clear line.
# shellcheck source=selftests/build/lib.bash
. "$(dirname "$0")/lib.bash"
resolve=$LVS_BUILD/resolve

# Against the archive as it is today.
answer=$("$resolve" 2>"$scratch/said")
expect "the real archive has a supported kernel" has "$answer" '^[0-9.]+ [a-z-]+ [a-z]+ [^ ]+ [0-9.]+\+deb[0-9]+-cloud-amd64$'

read -r _ _ _ _ first <<<"$answer"
answer=$("$resolve" second 2>"$scratch/said")
expect "... and a second one" has "$answer" '^[0-9.]+ [a-z-]+ [a-z]+ [^ ]+ [0-9.]+\+deb[0-9]+-cloud-amd64$'
expect "... which is another, or it is said why not" test "${answer##* }" != "$first" -o -s "$scratch/said"

answer=$(LVS_PIN=7.3.999-1 "$resolve" 2>"$scratch/said")
expect "a version that never was: the newest of the series instead" has "$answer" '^7\.3 .* 7\.3\.[0-9]+\+deb[0-9]+-cloud-amd64$'
expect_equal "... said in one line" 1 "$(wc -l <"$scratch/said")"
expect "... that names both versions" has "$(cat "$scratch/said")" 'no longer has linux 7\.3\.999-1: taking 7\.3\.'

# Against indexes of our own. A kernel counts only when each package is there in one version.
index() { # SUITE VERSION RELEASE SERIES
    local kind
    for kind in base headers binary modules; do printf 'Package: linux-%s-%s\nVersion: %s\n\n' "$kind" "$3" "$2"; done >>"$scratch/$1"
    printf 'Package: linux-source-%s\nVersion: %s\n\n' "$4" "$2" >>"$scratch/$1"
}
cat >"$scratch/kernels" <<'LIST'
7.3  first   trixie   7.3.4-1
7.2  second  testing  7.2.12-1
LIST
index first 7.3.4-1 7.3.4+deb13-cloud-amd64 7.3
index first 7.3.9-1 7.3.9+deb13-cloud-amd64 7.3
index first 7.3.10-1 7.3.10+deb13-cloud-amd64 7.3
index first 7.30.1-1 7.30.1+deb13-cloud-amd64 7.30
index first 7.3.11-1 7.3.11+deb13-rt-amd64 7.3
printf 'Package: linux-headers-7.3.12+deb13-cloud-amd64\nVersion: 7.3.12-1\n\n' >>"$scratch/first"
index second 7.2.12-1 7.2.12+deb14-cloud-amd64 7.2
export LVS_INDEX=$scratch/SUITE LVS_KERNELS=$scratch/kernels

expect_equal "the pin is taken though there are newer ones" "7.3 first trixie 7.3.4-1 7.3.4+deb13-cloud-amd64" "$("$resolve")"
expect_equal "newest means 7.3.10, not 7.3.9, not 7.30, not rt, not one that lacks packages" \
    "7.3 first trixie 7.3.10-1 7.3.10+deb13-cloud-amd64" "$(LVS_PIN=7.3.1-1 "$resolve" 2>/dev/null)"
expect_equal "a release asked for by name" "7.3 first trixie 7.3.9-1 7.3.9+deb13-cloud-amd64" "$("$resolve" 7.3.9+deb13-cloud-amd64)"
if said=$("$resolve" 7.3.8+deb13-cloud-amd64 2>&1); then record "not ok" "a release that is not there is refused"
else expect "a release that is not there is refused, with what there is" has "$said" 'no kernel 7\.3\.8.*it has: .*7\.3\.10'; fi
expect_equal "a second kernel is of the next series" "7.2 second testing 7.2.12-1 7.2.12+deb14-cloud-amd64" "$("$resolve" second 2>"$scratch/said")"
expect_equal "... about which there is nothing to say" "" "$(cat "$scratch/said")"
mv "$scratch/second" "$scratch/away"; : >"$scratch/second"
expect_equal "no next series: the newest other of the same" "7.3 first trixie 7.3.10-1 7.3.10+deb13-cloud-amd64" "$("$resolve" second 2>"$scratch/said")"
expect "... said in a line" has "$(tail -n 1 "$scratch/said")" 'one supported series only: the second kernel is 7\.3\.10\+deb13-cloud-amd64, the newest other$'
expect_equal "when the first is the newest, the one before it" "7.3 first trixie 7.3.9-1 7.3.9+deb13-cloud-amd64" "$(LVS_PIN=7.3.10-1 "$resolve" second 2>/dev/null)"
mv "$scratch/first" "$scratch/all"; index first 7.3.4-1 7.3.4+deb13-cloud-amd64 7.3
expect_equal "nothing else at all: the first one itself" "7.3 first trixie 7.3.4-1 7.3.4+deb13-cloud-amd64" "$("$resolve" second 2>"$scratch/said")"
expect "... said in a line" has "$(tail -n 1 "$scratch/said")" 'the second kernel is 7\.3\.4\+deb13-cloud-amd64$'
mv "$scratch/all" "$scratch/first"; mv "$scratch/away" "$scratch/second"

: >"$scratch/first"
expect_equal "a series that is gone: the next one" "7.2 second testing 7.2.12-1 7.2.12+deb14-cloud-amd64" "$("$resolve" 2>"$scratch/said")"
expect "... said in one line" has "$(cat "$scratch/said")" 'no linux 7\.3 .*next supported series$'
index second 7.2.20-1 7.2.20+deb14-cloud-amd64 7.2
expect_equal "... and a second kernel is of that" "7.2 second testing 7.2.20-1 7.2.20+deb14-cloud-amd64" "$("$resolve" second 2>/dev/null)"
: >"$scratch/second"
if said=$("$resolve" 2>&1); then record "not ok" "no series at all is an error"
else expect "no series at all is an error" has "$said" 'no kernel of any supported series'; fi

# A version that goes between the choice and the download: what does not need the archive is stood in for.
unset LVS_INDEX
mkdir -p "$scratch/tree/tools"
cp -a "$LVS_BUILD" "$scratch/tree/tools/build"
build=$scratch/tree/tools/build
for program in root kernel-image kernel-tree; do printf '#!/bin/sh\nexit 0\n' >"$build/$program"; done
cat >"$build/archive" <<'ARCHIVE'
#!/bin/bash
verb=$1 moved=${0%/*}/moved
# What it has for the download is what the index has from then on.
[ "$verb" != download ] || : >"$moved"
version=7.3.4; [ ! -e "$moved" ] || version=7.3.9
if [ "$verb" = index ]; then
    for kind in base headers binary modules; do printf 'Package: linux-%s-%s+deb13-cloud-amd64\nVersion: %s-1\n\n' $kind $version $version; done
    printf 'Package: linux-source-7.3\nVersion: %s-1\n\n' $version
else
    shift 2
    for package in "${@:1:$#-1}"; do [ "${package#*=}" = "$version-1" ] || { echo "error: ${package#*=} is gone"; exit 1; }; done
    echo packages >"${!#}/packages"
fi
ARCHIVE
export XDG_CACHE_HOME=$scratch/cache
answer=$("$build/kernel" 2>"$scratch/said"); rc=$?
expect_equal "a version that goes before it was downloaded: the next one" "0 7.3.9+deb13-cloud-amd64" "$rc ${answer%% *}"
expect "... said in one line" has "$(cat "$scratch/said")" 'no longer has linux 7\.3\.4-1: taking 7\.3\.9-1'
answer=$("$build/kernel" 2>"$scratch/said")
expect_equal "... which stays chosen, without the archive" "7.3.9+deb13-cloud-amd64 " "${answer%% *} $(cat "$scratch/said")"

finish
