# What machine is this? Small probes, so that tests can answer in place of a machine.
os_release() { cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || :; }
os_value() { os_release | sed -n "s/^$1=//p" | tr -d "\"'" | head -n 1; }
kernel_arch() { uname -m; }
pid1() { cat /proc/1/comm 2>/dev/null || :; }
is_dir() { [ -d "$1" ]; }
# "CLASS ORDER" of a program of this userland: 1 = 32 bit, 2 = 64 bit; 1 = little endian, 2 = big endian.
elf_ident() { od -An -tu1 -j4 -N2 /proc/self/exe 2>/dev/null || :; }

# uname -m, userland (class order), archive, deb, rpm; * matches anything, - means: there is none.
archs() {
  cat <<'TABLE'
x86_64   1.*  i386   i386  i686
x86_64   *    x86_64 amd64 x86_64
amd64    *    x86_64 amd64 x86_64
i?86     *    i386   i386  i686
aarch64  1.*  armv7  armhf -
aarch64  *    arm64  arm64 aarch64
arm64    *    arm64  arm64 aarch64
armv8*   *    armv7  armhf -
armv7*   *    armv7  armhf -
armv6*   *    armv6  -     -
s390x    *    s390x  -     -
mips64   ?.1  mips64le_softfloat - -
mips64   *    mips64_softfloat   - -
mips     ?.1  mipsle_softfloat   - -
mips     *    mips_softfloat     - -
TABLE
}

# ID or ID_LIKE of os-release, tool, releases that the client's repository has (code name, or major version).
distributions() {
  cat <<'TABLE'
debian    apt bullseye bookworm trixie
ubuntu    apt focal jammy noble
fedora    rpm *
rhel      rpm 8 9 10
centos    rpm 8 9 10
rocky     rpm 8 9 10
almalinux rpm 8 9 10
ol        rpm 8 9 10
opensuse  rpm *
suse      rpm *
TABLE
}

# matches VALUE PATTERN
# shellcheck disable=SC2254 # the pattern of a table's row is meant as a pattern
matches() { case $1 in $2) return 0 ;; esac; return 1; }

# Sets ARCH DEB_ARCH RPM_ARCH.
detect_arch() {
  ARCH=''
  machine=$(kernel_arch)
  userland=$(elf_ident | awk '{ print $1 "." $2 }')
  while read -r row_machine row_userland row_arch row_deb row_rpm; do
    if matches "$machine" "$row_machine" && matches "$userland" "$row_userland"; then
      ARCH=$row_arch DEB_ARCH=$row_deb RPM_ARCH=$row_rpm
      return
    fi
  done <<LIST
$(archs)
LIST
  die 1 "there is no client for this processor ($machine)." 'Known: x86_64, i386, arm64, armv6, armv7, s390x, mips.'
}

# Sets INIT: systemd, openrc, sysv or none (a container, or an init system that this script does not know).
detect_init() {
  if is_dir /run/systemd/system && have systemctl; then INIT=systemd
  elif is_dir /run/openrc && have rc-update && have openrc-run; then INIT=openrc
  elif is_dir /etc/init.d && [ "$(pid1)" = init ] && { have update-rc.d || have chkconfig || is_dir /etc/rc3.d; }; then INIT=sysv
  else INIT=none
  fi
}

# Sets PACKAGES (apt, dnf, yum, zypper or nothing when there is no repository for this machine) and CODENAME.
detect_packages() {
  PACKAGES='' CODENAME=''
  release=$(os_value UBUNTU_CODENAME)
  [ -n "$release" ] || release=$(os_value VERSION_CODENAME)
  major=$(os_value VERSION_ID)
  major=${major%%.*}
  for like in $(os_value ID) $(os_value ID_LIKE); do
    while read -r row_id row_tool row_releases; do
      [ "$row_id" = "$like" ] || continue
      case $row_tool in apt) wanted=$release ;; *) wanted=$major ;; esac
      case " $row_releases " in *" $wanted "* | ' * ') ;; *) continue ;; esac
      for tool in apt-get dnf yum zypper; do
        case $row_tool$tool in aptapt-get | rpmdnf | rpmyum | rpmzypper) ;; *) continue ;; esac
        if have "$tool"; then PACKAGES=${tool%-get} CODENAME=$release; fi
        [ -z "$PACKAGES" ] || return 0
      done
    done <<LIST
$(distributions)
LIST
  done
}
selinux_enforcing() { have getenforce && [ "$(getenforce 2>/dev/null)" = Enforcing ]; }
