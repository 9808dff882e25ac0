# Any HTTP answer will do; the path is not used.
probe_server() {
	host=${CONNECT_URL#*://}
	host=${host%%[/?]*}
	case $host in *[!]0-9A-Za-z.:_[-]*) warn 'unusual server name: connection not tested.'; return ;; esac
	case $CONNECT_URL in
		[Hh][Tt][Tt][Pp][Ss]://* | [Ww][Ss][Ss]://*) host=https://$host ;;
		*) host=http://$host ;;
	esac
	act "test the connection to $host" || return 0
	login='' limit=yes status=0
	request "$host/" /dev/null || status=$?
	[ $status -ne 0 ] || return 0
	# What the tool says is in the language of the machine, what it returns is not.
	case $FETCHER$status:$(cat "$TMP/said") in
		curl22:* | curl52:* | wget[68]:* | busybox*'server returned error: HTTP/'*) return ;;
		curl5:* | curl97:* | *[Pp]roxy*) why='Check the proxy variables (sudo -E keeps them).' ;;
		curl6:* | *resolve* | *'bad address'* | *'not known'*) why='Check its name and the DNS here.' ;;
		curl28:* | *'imed out'* | *timeout* | *Terminated*) why='No answer: is there a firewall, or a proxy needed?' ;;
		curl35:* | curl5[389]:* | curl6[06]:* | curl7[7]:* | curl8[023]:* | curl9[01]:* | wget5:* | *ertificate* | *SSL* | *TLS*)
			why='TLS failed: check its certificate and the clock here.' ;;
		*) why='Refused: is it running, and is the port right?' ;;
	esac
	die 2 "cannot reach the server $host." "$why" "$(said)"
}

# The client knows no proxy variables. As under Windows it gets a proxy only if no direct way leads to the server.
find_proxy() {
	case $CONNECT_URL in
		[Hh][Tt][Tt][Pp][Ss]://* | [Ww][Ss][Ss]://*) PROXY=${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY:-}}}} ;;
		*) PROXY=${http_proxy:-${all_proxy:-${ALL_PROXY:-}}} ;;
	esac
	[ -z "$DRY" ] || PROXY=''
	case $host in http://* | https://*) ;; *) PROXY='' ;; esac # unusual: not tested
	[ -n "$PROXY" ] || return 0
	direct=yes login='' limit=yes
	if request "$host/" /dev/null || answered; then PROXY=''; return; fi
	case $PROXY in *://*) ;; *) PROXY=http://$PROXY ;; esac
	say '- only the proxy leads to the server: the client gets it'
}
