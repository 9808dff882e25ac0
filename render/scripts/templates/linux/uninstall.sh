#!/bin/sh
# SPDX-License-Identifier: MIT
# Removes the client of RPort (https://github.com/openrport/openrport) from this machine.
# Made by pairport {{pairport_version}} for the pairing service {{pairing_url}}
#
# What it removes, and notes before each change (-n: prints that and changes nothing; -h: help): the service, the program or
# its package and repository, /etc/rport, /var/lib/rport, /var/log/rport, /etc/sudoers.d/rport-*, and the user rport when it
# was made for the client.
# Exit code: 0 removed, or nothing to remove, 1 not possible, nothing is changed, 130 interrupted
#
# All of it is one command, between { and }: a download that was cut off does nothing.
{

# What -h prints.
help() {
  cat <<'END'
Usage: sh rport-uninstall.sh [options]
Removes the RPort client: service, program or package, configuration, data, logs, sudo rules, repository and user.
  -h  print this help
  -n  dry run: print every action, change nothing
  -q  quiet: print warnings and errors only
Started by the client itself, or when the terminal ends, it goes on in the background: see /var/log/rport-uninstall.log.
Exit code: 0 removed, or nothing to remove    1 not possible, nothing changed    130 interrupted
END
}

# Sets up, reads the options, does one action.
main() {
  set_up
  NAME=rport-uninstall.sh
  ACTION=uninstall
  while getopts :hnqu option; do
    case $option in
      h) ACTION=help ;;
      n) DRY=yes ;;
      q) QUIET=yes ;;
      u) ;;
      *) usage "there is no option -$OPTARG." ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# -eq 0 ] || usage "unexpected argument: $1"
  case $ACTION in
    help) help ;;
    uninstall) uninstall ;;
  esac
}

{{> lib/common.sh}}
{{> lib/init.sh}}
{{> lib/account.sh}}
{{> lib/user.sh}}
{{> lib/packages.sh}}
{{> lib/service.sh}}
{{> lib/unbroken.sh}}
{{> lib/remove.sh}}

main "$@"
}
