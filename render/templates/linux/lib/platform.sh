# Small probes, so that tests can answer in place of a machine.
kernel_arch() { uname -m; }
# CLASS.ORDER of this userland's programs: 1 = 32 bit, 2 = 64 bit; 1 = little, 2 = big endian.
elf_ident() { od -An -tu1 -j4 -N2 /proc/self/exe 2>/dev/null | awk '{ print $1 "." $2 }'; }
# uname -m, userland, archive, deb, rpm
archs() {
	cat <<'TABLE'
x86_64  1.* i386 i386 i686
x86_64  * x86_64 amd64 x86_64
i?86    * i386 i386 i686
aarch64 1.* armv7 armhf -
aarch64 * arm64 arm64 aarch64
arm64   * arm64 arm64 aarch64
armv[78]* * armv7 armhf -
armv6*  * armv6 - -
s390x   * s390x - -
mips64  ?.1 mips64le_softfloat - -
mips64  * mips64_softfloat - -
mips    ?.1 mipsle_softfloat - -
mips    * mips_softfloat - -
TABLE
}
# Sets ARCH DEB_ARCH RPM_ARCH.
detect_arch() {
	machine=$(kernel_arch) userland=$(elf_ident)
	while read -r row_machine row_userland ARCH DEB_ARCH RPM_ARCH; do
		# shellcheck disable=SC2254 # patterns
		case $machine in $row_machine) case $userland in $row_userland) return ;; esac ;; esac
	done <<LIST
$(archs)
LIST
	die 1 "there is no client for this processor ($machine)."
}
