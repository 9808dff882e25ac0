# The processor by the kernel's word.
kernel_arch() { uname -m; }
# 1: programs here have 32 bits, 2: 64.
elf_class() { od -An -tu1 -j4 -N1 /proc/self/exe 2>/dev/null | tr -d ' '; }
# 1: little-endian, 2: big-endian; uname says mips for both.
elf_order() { od -An -tu1 -j5 -N1 /proc/self/exe 2>/dev/null | tr -d ' '; }
# Whether a MIPS processor computes floating point itself.
has_fpu() { grep -q '^cpu model.*FPU' /proc/cpuinfo; }
# uname -m, userland, archive, deb, rpm
archs() {
	cat <<'TABLE'
x86_64  1 i386 i386 i686
x86_64  * x86_64 amd64 x86_64
i?86    * i386 i386 i686
aarch64 1 armv7 armhf -
aarch64 * arm64 arm64 aarch64
armv[78]* * armv7 armhf -
armv6*  * armv6 - -
s390x   * s390x - -
ppc64le * ppc64le - -
riscv64 * riscv64 - -
loongarch64 * loong64 - -
TABLE
}
# Sets ARCHS: the names of this processor in archives, deb and rpm.
detect_arch() {
	machine=$(kernel_arch) userland=$(elf_class)
	while read -r row_machine row_userland ARCHS; do
		# shellcheck disable=SC2254 # patterns
		case $machine/$userland in $row_machine/$row_userland) return ;; esac
	done <<LIST
$(archs)
LIST
	case $machine in
		mips | mips64)
			[ "$(elf_order)" != 1 ] || machine=${machine}le
			if has_fpu; then ARCHS="${machine}_hardfloat - -"; else ARCHS="${machine}_softfloat - -"; fi
			;;
		*)
			ARCHS="$machine - -" # with -z whoever wrote the address knows
			[ -n "$URL" ] || die 1 "there is no client for this processor ($machine)." 'If you have one, use -z.'
			;;
	esac
}
