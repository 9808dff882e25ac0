is_dir() { [ -d "$1" ]; }
pid1() { cat /proc/1/comm 2>/dev/null || :; }
# Sets INIT; none: a container, or an unknown init system.
detect_init() {
	if is_dir /run/systemd/system && have systemctl; then INIT=systemd
	elif is_dir /run/openrc && have rc-update; then INIT=openrc
	elif is_dir /etc/init.d && [ "$(pid1)" = init ] && { have update-rc.d || have chkconfig || is_dir /etc/rc3.d; }; then INIT=sysv
	else INIT=none
	fi
}
