#!/bin/bash
# What decides whether something may be used does refuse: a kernel tree whose Rust symbols are not the kernel's, a module that can panic,
# unsafe code in the wrong place, a KVM that is there and of no use.
# shellcheck source=selftests/build/lib.bash
. "$(dirname "$0")/lib.bash"
export LVS_BIND=$scratch

# object FILE C...: an object file of that source.
object() { local file=$1; shift; printf '%s\n' "$@" >"$scratch/source.c"; "$LVS_BUILD/enter" gcc -c -o "$file" "$scratch/source.c"; }

# fails NAME PATTERN COMMAND...: it does, and says why.
fails() {
    local name=$1 pattern=$2 rc=0; shift 2
    "$@" >"$scratch/said" 2>&1 || rc=$?
    expect "$name is refused" test "$rc" != 0
    expect "... in words" has "$(cat "$scratch/said")" "$pattern"
}

# The symbols of a kernel and of what was rebuilt.
mkdir -p "$scratch/kdir/rust"
object "$scratch/kdir/rust/one.o" 'void _RNvOne(void) {}' 'void rust_helper_two(void) {}'
symvers() { local name; for name; do printf '0x00000000\t%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' "$name"; done >"$scratch/kdir/Module.symvers"; }
symvers _RNvOne rust_helper_two printk
expect "a tree with all of the kernel's Rust symbols" has "$("$LVS_BUILD/rust-symbols" "$scratch/kdir" 2>&1)" '^all 2 exported Rust symbols'
symvers _RNvOne rust_helper_two _RNvOneOfAnotherHash
fails "a tree that lacks one" '1 of 3 Rust symbols .* are not met .*_RNvOneOfAnotherHash' "$LVS_BUILD/rust-symbols" "$scratch/kdir"
symvers printk
fails "a kernel without Rust symbols" 'exports no Rust symbol' "$LVS_BUILD/rust-symbols" "$scratch/kdir"

# Ways into a panic.
object "$scratch/sound.ko" 'void printk(void);' 'void f(void) { printk(); }'
expect "a module without a way into a panic" "$LVS_BUILD/panic-audit" "$scratch/sound.ko"
for symbol in _RNvNtCs0_4core9panicking5panic _RNvNtCs0_4core6option13unwrap_failed _RNvNtCs0_4core6result13expect_failed \
    _RNvNtNtCs0_4core5slice5index24slice_end_index_len_fail _RNvNtCs0_4core17len_mismatch_fail _RNvNtCs0_4core13panic_already; do
    object "$scratch/panics.ko" "void $symbol(void);" "void f(void) { $symbol(); }"
    fails "a module that refers to ${symbol##*[0-9]}" 'panics.ko can panic' "$LVS_BUILD/panic-audit" "$scratch/sound.ko" "$scratch/panics.ko"
done
object "$scratch/empty.ko" 'int nothing;'
fails "what is no module" 'no undefined symbol at all' "$LVS_BUILD/panic-audit" "$scratch/empty.ko"

# Where unsafe code may be.
mkdir -p "$scratch/tree/rust/kapi" "$scratch/tree/rust/wire"
echo 'fn f() { unsafe { g() } }' >"$scratch/tree/rust/kapi/lib.rs"
echo 'fn f() {} // unsafe in a comment, and unsafely()' >"$scratch/tree/rust/wire/lib.rs"
expect "unsafe code in rust/kapi" "$LVS_BUILD/unsafe-audit" "$scratch/tree"
echo 'fn f() { unsafe { g() } }' >"$scratch/tree/rust/wire/other.rs"
fails "unsafe code elsewhere" 'rust/wire/other\.rs:1' "$LVS_BUILD/unsafe-audit" "$scratch/tree"

# KVM: a device that can be opened says nothing. What QEMU does is played.
mkdir -p "$scratch/bin"
: >"$scratch/kvm"
# accelerator WHAT QEMU...: what is chosen when QEMU is that script; how often it was asked is in $scratch/asked.
accelerator() {
    printf '%s\n' '#!/bin/bash' "echo asked >>'$scratch/asked'" "$@" >"$scratch/bin/qemu-system-x86_64"
    chmod +x "$scratch/bin/qemu-system-x86_64"
    PATH=$scratch/bin:$PATH LVS_KVM=${device:-$scratch/kvm} XDG_CACHE_HOME=$scratch/cache "$LVS_TOP/selftests/vm/accelerator" kernel initramfs 2>/dev/null
}
fresh() { rm -rf "$scratch/cache"; : >"$scratch/asked"; }
fresh; expect_equal "a KVM that boots is used" kvm "$(accelerator 'echo vm-probe-ok')"
expect_equal "... and is not probed again" "kvm 1" "$(accelerator 'exit 1') $(wc -l <"$scratch/asked")"
fresh; expect_equal "a KVM that fails is not" tcg "$(accelerator 'exit 1')"
expect_equal "... and is not probed again" "tcg 1" "$(accelerator 'echo vm-probe-ok') $(wc -l <"$scratch/asked")"
fresh; start=$SECONDS
expect_equal "a KVM that does not get anywhere is not" tcg "$(accelerator 'sleep 100')"
expect "... and is not waited for" test $((SECONDS - start)) -lt 30
fresh; expect_equal "no KVM: nothing is probed" "tcg 0" "$(device=/nowhere accelerator 'echo vm-probe-ok') $(wc -l <"$scratch/asked")"

finish
