kernel_arch() { uname -m; }
## 1: programs here have 32 bits, 2: 64.
elf_class() { od -An -tu1 -j4 -N1 /proc/self/exe 2>/dev/null | tr -d ' '; }
## uname -m, userland, archive, deb, rpm
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
TABLE
}
detect_arch() {
	machine=$(kernel_arch) userland=$(elf_class)
	while read -r row_machine row_userland ARCHS; do
		# shellcheck disable=SC2254 # patterns
		case $machine/$userland in $row_machine/$row_userland) return ;; esac
	done <<LIST
$(archs)
LIST
	die 1 "there is no client for this processor ($machine)."
}
