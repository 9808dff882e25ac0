# Small probes, so that tests can answer in place of a machine.
os_release() { cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || :; }
os_value() { os_release | sed -n "s/^$1=//p" | tr -d "\"'" | head -n 1; }
kernel_arch() { uname -m; }
pid1() { cat /proc/1/comm 2>/dev/null || :; }
is_dir() { [ -d "$1" ]; }
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
# ID or ID_LIKE of os-release, tools, releases that the repository has (code name or major version)
distributions() {
	cat <<'TABLE'
debian apt bullseye bookworm trixie
ubuntu apt focal jammy noble
fedora rpm *
rhel rpm 8 9 10
centos rpm 8 9 10
opensuse rpm *
suse rpm *
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
# Sets INIT; none: a container, or an unknown init system.
detect_init() {
	if is_dir /run/systemd/system && have systemctl; then INIT=systemd
	elif is_dir /run/openrc && have rc-update; then INIT=openrc
	elif is_dir /etc/init.d && [ "$(pid1)" = init ] && { have update-rc.d || have chkconfig || is_dir /etc/rc3.d; }; then INIT=sysv
	else INIT=none
	fi
}
# Sets PACKAGES (apt, dnf, yum, zypper; empty: no repository for this machine) and CODENAME.
detect_packages() {
	PACKAGES='' CODENAME=$(os_value UBUNTU_CODENAME)
	[ -n "$CODENAME" ] || CODENAME=$(os_value VERSION_CODENAME)
	major=$(os_value VERSION_ID)
	for like in $(os_value ID) $(os_value ID_LIKE); do
		while read -r id family releases; do
			[ "$id" = "${like%%-*}" ] || continue
			if [ "$family" = apt ]; then wanted=$CODENAME tools=apt-get; else wanted=${major%%.*} tools='dnf yum zypper'; fi
			case " $releases " in *" $wanted "* | ' * ') ;; *) return ;; esac
			for tool in $tools; do
				if have "$tool"; then PACKAGES=${tool%-get}; return; fi
			done
		done <<LIST
$(distributions)
LIST
	done
}
selinux_enforcing() { [ "$(getenforce 2>/dev/null)" = Enforcing ]; }
