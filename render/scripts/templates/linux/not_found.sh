#No pairing found by pairing code {{code}}
# SPDX-License-Identifier: MIT
{
main() {
  echo 'Error: this pairing code is unknown or has expired; nothing was installed.' >&2
  echo '       Codes live for a few minutes only: create a new one and run the new command.' >&2
  exit 1
}
main "$@"
}
