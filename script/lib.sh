# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What script/server and script/test share. Sourced, with the repository as current folder.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "packages are missing and this is not root: run as root once, or install sudo"
  fi
}

# What it takes to build and run the service.
build_packages() {
  cat <<END
build-essential
ca-certificates
cmake
curl
git
libcli11-dev
libfmt-dev
libmbedtls-dev
libsimdjson-dev
libspdlog-dev
libtomlplusplus-dev
libuv1-dev
libxxhash-dev
ninja-build
pkg-config
zlib1g-dev
END
  # Debian 12 has llhttp as sources inside node-llhttp, Debian 13 as a library.
  if [ "$(debian_release)" -ge 13 ]; then echo libllhttp-dev; else echo node-llhttp; fi
}

# What the tests need on top.
test_packages() {
  cat <<END
abigail-tools
bash
busybox-static
caddy
chromium
clang
clang-format
dash
debian-archive-keyring
debootstrap
gawk
gcovr
gpg
gpg-agent
iproute2
libgmock-dev
libgtest-dev
locales
mawk
mksh
nginx
nginx-dev
openssl
original-awk
pyflakes3
python3
python3-certbot
rpm
shellcheck
sslscan
strace
sudo
systemd
systemd-container
testssl.sh
util-linux
valgrind
wget
wget2
zsh
END
  # The run-time library of libFuzzer, which clang alone does not bring.
  if [ "$(debian_release)" -ge 13 ]; then echo libclang-rt-19-dev; else echo libclang-rt-14-dev; fi
  # The second parser of the PowerShell tests. By command: a node of another origin brings an npm of its own, which
  # Debian's package would not get along with.
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  # Where systemd's pkg-config file is on Debian 13.
  if [ "$(debian_release)" -ge 13 ]; then echo systemd-dev; fi
  # Debian 13 has no yash, and Debian 12 no sudo-rs; their tests say that they are skipped.
  if [ "$(debian_release)" -lt 13 ]; then echo yash; else echo sudo-rs; fi
  # That of Debian 13 finds something else. It reads the benchmarks, too, which CMake describes only with their libraries.
  if [ "$(debian_release)" -lt 13 ]; then printf '%s\n' clang-tidy libbenchmark-dev libssl-dev; fi
}

# What the benchmarks need on top of a build.
bench_packages() {
  cat <<END
libbenchmark-dev
libssl-dev
nginx
nginx-dev
openssl
python3
wrk
END
}

debian_release() {
  # A subshell: os-release sets variables.
  (
    # shellcheck source=/dev/null
    . /etc/os-release
    case "${ID:-}:${VERSION_ID:-}" in
      debian:[0-9]*) echo "${VERSION_ID%%.*}" ;;
      debian:*) echo 13 ;; # testing and unstable have no number
      *) echo 0 ;;
    esac
  )
}

# install_missing NAME PACKAGE...: asks the package manager only when the list has changed since the last success.
install_missing() {
  name=$1
  shift
  stamp=build/.packages-$name
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$*" ]; then return; fi
  [ "$(debian_release)" -ge 12 ] || fail "this script knows Debian 12 and 13; elsewhere install the equivalents of: $*"
  missing=
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
  done
  if [ -n "$missing" ]; then
    say "installing:$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 ||
      fail "apt-get update failed: check the network and /etc/apt"
    # shellcheck disable=SC2086 # the list is meant to be split
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2 ||
      fail "packages could not be installed:$missing"
  fi
  mkdir -p build
  printf '%s' "$*" >"$stamp"
}

# show_progress: reads what Ninja prints, and says how far it is: in one line of a terminal, else at every tenth part.
show_progress() {
  shown=
  tenth=0
  while IFS= read -r line; do
    case "$line" in
      "["[0-9]*/[0-9]*"] "*) ;;
      *) continue ;;
    esac
    steps=${line#?}
    steps=${steps%%]*}
    step=${steps%/*}
    steps=${steps#*/}
    case "$step$steps" in *[!0-9]*) continue ;; esac
    if [ -t 2 ]; then
      printf '\rcompiling: step %s of %s' "$step" "$steps" >&2
      shown=yes
    elif [ $((step * 10)) -ge $(((tenth + 1) * steps)) ]; then
      tenth=$((step * 10 / steps))
      say "compiling: step $step of $steps"
    fi
  done
  [ -z "$shown" ] || say
}

# configure PRESET ON|OFF: runs CMake only for a new build folder or when the tests are to be switched on.
configure() {
  cache=build/$1/CMakeCache.txt
  if [ -f "build/$1/build.ninja" ]; then
    [ "$2" = ON ] || return 0
    if grep -q '^PAIRPORT_BUILD_TESTS:BOOL=ON$' "$cache"; then return 0; fi
  fi
  cmake --preset "$1" -DPAIRPORT_BUILD_TESTS="$2" >&2 || fail "the build could not be configured"
}

# What stands in the source tree beside build/, and what differs from the last commit.
tree_state() {
  git status --porcelain --ignored --untracked-files=all -- . ':!build'
  git diff HEAD
}

# note_tree, and later check_tree: nothing that ran in between has written into the source tree.
note_tree() { tree_state >build/tree.txt; }

check_tree() {
  tree_state | diff -u build/tree.txt - >&2 ||
    fail "the source tree has changed meanwhile, see above: tests write to build/ and to temporary folders only"
}

# What tests skip: script/test shows it at its end.
skipped=build/skipped.txt

# note_skipped PRESET: one line for each reason that a test gave in the last run, with the test's name.
note_skipped() {
  log=build/$1/Testing/Temporary/LastTest.log
  [ -f "$log" ] || return 0
  awk -v preset="$1" '
    function note(reason) { if (!count[name ": " reason]++) order[++lines] = name ": " reason }
    /^[0-9]+\/[0-9]+ Test: / { name = $3 }
    after_gtest { note($0); after_gtest = 0 }
    /: Skipped$/ { after_gtest = 1 } # GoogleTest: the reason is the next line
    match($0, /skipped [\047"].*[\047"]$/) { note(substr($0, RSTART + 9, RLENGTH - 10)) } # unittest
    END {
      for (i = 1; i <= lines; i++) {
        times = count[order[i]] > 1 ? " (" count[order[i]] " times)" : ""
        print preset ": " order[i] times
      }
    }' "$log" >>"$skipped"
}

# list_compiled PATTERN...: the tracked files of these patterns that the release build compiles, each ended by a NUL; it notes
# the others as skipped.
list_compiled() {
  git ls-files "$@" | while IFS= read -r name; do
    if grep -qF "\"file\": \"$PWD/$name\"" build/release/compile_commands.json; then
      printf '%s\0' "$name"
    else
      echo "defects: $name: the release build does not compile it" >>"$skipped"
    fi
  done
}

# At the end, however it comes.
list_skipped() {
  [ -s "$skipped" ] || return 0
  say "== skipped, and why:"
  cat "$skipped" >&2
}
