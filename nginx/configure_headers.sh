#!/bin/bash
# SPDX-License-Identifier: MIT
# configure_headers.sh SOURCE COPY: copies nginx's sources, because configure writes beside itself, and configures them as
# Debian has done it. COPY/objs then has the headers that belong to the packaged binary.
set -eu

rm -rf "$2"
cp -r "$1" "$2"
cd "$2"
# shellcheck source=/dev/null
. ./conf_flags
./configure "${NGX_CONF_FLAGS[@]}" --with-compat --builddir=objs >configure.log || {
  cat configure.log objs/autoconf.err >&2
  exit 1
}
