# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs script/test on another release of Debian. Sourced by script/test, after script/lib.sh, as root.
#
# The other release is a root file system of its own, made by debootstrap from the package source of this machine. It stays
# below /var/cache (or $PAIRPORT_ROOTS), with the packages that were installed into it and its build folders: the next run begins
# where this one ended. Programs in it see this machine's kernel, network and devices, and everything else from the root:
# mounts and processes are their own and end with them. pivot_root(2) and no chroot(2), because the tests make user
# namespaces and roots themselves; no systemd-nspawn, because its system call filter would hold what the tests look for.

roots_folder=${PAIRPORT_ROOTS:-/var/cache/pairport-roots}

# The address that apt has this machine's release from: the other release stands beside it.
package_source() {
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  apt-get indextargets --format "\$(CREATED_BY)|\$(CODENAME)|\$(COMPONENT)|\$(REPO_URI)" |
    awk -F'|' -v codename="$codename" '$1 == "Packages" && $2 == codename && $3 == "main" { sub(/\/$/, "", $4); print $4; exit }'
}

# make_root CODENAME FOLDER: says what it does, because it takes minutes.
make_root() {
  source=$(package_source)
  [ -n "$source" ] ||
    fail "apt has no source for this machine's release, component main: add one to /etc/apt"
  proxy=
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  say "== making a root with Debian $1 below $roots_folder; it is kept there (about 4 GB with the tools of the tests)"
  # What an interrupted run left.
  rm -rf "$2.new"
  env ${proxy:+"http_proxy=$proxy"} debootstrap --variant=minbase "$1" "$2.new" "$source" >&2 ||
    fail "debootstrap failed, see $2.new/debootstrap/debootstrap.log"
  rm -f "$2.new/etc/hostname"
  # A root that can be made again need not outlive a loss of power: packages are installed in a fraction of the time.
  echo force-unsafe-io >"$2.new/etc/dpkg/dpkg.cfg.d/pairport"
  mv "$2.new" "$2"
}

# run_in_debian CODENAME ARGUMENT...: script/test ARGUMENT... there. One run at a time: they share the root.
run_in_debian() {
  codename=$1
  shift
  [ "$(id -u)" = 0 ] || fail "another Debian release needs root, for its mounts: run as root"
  install_missing debian debian-archive-keyring debootstrap util-linux
  root=$roots_folder/$codename
  mkdir -p "$roots_folder"
  exec 9>"$roots_folder/$codename.lock"
  flock -n 9 || {
    say "waiting for another run in $root"
    flock 9
  }
  [ -d "$root" ] || make_root "$codename" "$root"
  sources=$(pwd -P)
  # Build folders name the sources by their path.
  build=$roots_folder/$codename-build/$(printf '%s' "$sources" | tr / _)
  mkdir -p "$build" build
  say "== Debian $codename in $root"
  status=0
  unshare --mount --pid --fork --kill-child --propagation private sh script/enter_root.sh \
    "$root" "$sources" "$(realpath "$(git rev-parse --git-common-dir)")" "$build" script/test "$@" 9>&- || status=$?
  return "$status"
}
