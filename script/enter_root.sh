#!/bin/sh
# SPDX-License-Identifier: MIT
# enter_root.sh ROOT SOURCES GIT BUILD COMMAND...: runs the command in that root. For script/debian.sh, in a mount and a PID namespace
# that were made for it. SOURCES and GIT (git's own folder) stand at the same path inside as outside, because git's files name
# each other; only SOURCES/build is another folder, BUILD.
set -eu

mount_everything() {
  mount --bind "$root" "$root"
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mkdir -p "$root$sources" "$root$git"
  mount --bind "$git" "$root$git"
  mount --bind "$sources" "$root$sources"
  mount --bind "$build" "$root$sources/build"
  cat /etc/resolv.conf >"$root/etc/resolv.conf"
  cat /etc/hosts >"$root/etc/hosts"
}

# In functions, so that this file has been read when it is out of sight.
main() {
  root=$1 sources=$2 git=$3 build=$4
  shift 4
  mount_everything
  cd "$root"
  pivot_root . .
  umount -l .
  cd "$sources"
  # Git does not trust the files of another user, whose sources these may be.
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory "GIT_CONFIG_VALUE_0=*" ${PAIRPORT_LONG:+"PAIRPORT_LONG=$PAIRPORT_LONG"} "$@"
}

main "$@"
