# The server shares the folders and the user with the client: then nothing is removed.
refuse_beside_server() {
  for proc in /proc/[0123456789]*; do
    [ "$(cat "$proc/comm" 2>/dev/null || :)" = rportd ] || continue
    [ "$(awk '$1 == "Uid:" { print $2 }' "$proc/status")" != "$(id -u "$RUN_AS" 2>/dev/null || echo none)" ] ||
      die 1 "the RPort server (rportd) runs on this machine as the same user ($RUN_AS)." 'Removing the client would break it. Nothing was changed.'
  done
  [ ! -e /etc/rport/rportd.conf ] ||
    die 1 'the RPort server is installed on this machine (/etc/rport/rportd.conf).' 'Removing the client would break it. Nothing was changed.'
}

uninstall() {
  need_root
  detect_init
  find_client
  RUN_AS=$(owner_of_data)
  refuse_beside_server
  if [ -z "$BIN" ] && [ ! -e "$CONF_DIR" ] && [ ! -e "$DATA" ]; then
    say 'The RPort client is not installed, there is nothing to do.'
    return
  fi
  taco=''
  [ ! -e "$CONF_DIR/.tacoscript" ] || taco=/usr/local/bin/tacoscript
  if act 'stop the client and remove its service'; then
    [ -n "$BIN" ] || BIN=/usr/local/bin/rport
    service_stop
    service_remove
  fi
  if [ "$METHOD" != archive ]; then
    if act "remove the package rport ($METHOD)"; then
      remove_package || warn 'the package manager could not remove the package rport.'
    fi
  fi
  for path in $REPO_FILES /etc/sudoers.d/rport-all-cmd /etc/sudoers.d/rport-filereception /etc/sudoers.d/rport-update-status \
    /usr/local/bin/rport $taco "$CONF_DIR" "$LOGS" "$DATA"; do
    if [ -e "$path" ] && act "remove $path"; then rm -rf "$path"; fi
  done
  remove_user "$RUN_AS"
  [ -n "$DRY" ] || say 'The RPort client has been removed.'
}
