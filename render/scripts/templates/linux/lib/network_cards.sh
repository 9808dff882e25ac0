# The first physical cards with a private and a public address.
network_cards() {
	! have ip || for card in /sys/class/net/*; do
		[ -e "$card/device" ] || continue
		speed=$(cat "$card/speed" 2>/dev/null) || :
		case $speed in '' | *[!0-9]*) speed=1000 ;; esac
		card=${card##*/}
		case $card in *[!0-9A-Za-z._:@-]*) continue ;; esac
		for address in $(ip addr show dev "$card" | awk '$1 ~ /^inet/ { print $2 }'); do
			case $address in
				10.* | 192.168.* | 172.1[6-9].* | 172.2?.* | 172.3[01].* | f[cd]*) net=lan ;;
				127.* | 169.254.* | fe80:* | ::1/*) continue ;;
				*) net=wan ;;
			esac
			edit monitoring net_"$net" default "['$card', '$speed']"
		done
	done
}
