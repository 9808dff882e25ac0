# What /etc/os-release says.
os_release() { cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || :; }
# os_value NAME: one value of /etc/os-release.
os_value() { os_release | sed -n "/^$1=/{s/[^=]*=//;s/[\"']//g;p;q;}"; }
# ID or ID_LIKE, family, releases that the repository has
distributions() {
	cat <<'TABLE'
debian apt bullseye bookworm trixie
ubuntu apt focal jammy noble
fedora rpm *
rhel rpm 8 9 10
centos rpm 8 9 10
opensuse rpm *
suse rpm *
TABLE
}
# Sets PACKAGES (apt, dnf, yum, zypper or empty) and CODENAME.
detect_packages() {
	PACKAGES='' CODENAME=$(os_value UBUNTU_CODENAME)
	[ -n "$CODENAME" ] || CODENAME=$(os_value VERSION_CODENAME)
	major=$(os_value VERSION_ID)
	for like in $(os_value ID) $(os_value ID_LIKE); do
		while read -r id family releases; do
			[ "$id" = "${like%%-*}" ] || continue
			if [ "$family" = apt ]; then wanted=$CODENAME tools=apt-get; else wanted=${major%%.*} tools='dnf yum zypper'; fi
			case " $releases " in *" $wanted "* | ' * ') ;; *) return ;; esac
			for tool in $tools; do
				if have "$tool"; then PACKAGES=${tool%-get}; return; fi
			done
		done <<LIST
$(distributions)
LIST
	done
}
