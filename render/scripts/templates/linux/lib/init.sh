# Whether it is a folder.
is_dir() { [ -d "$1" ]; }
# The name of the first process.
pid1() { cat /proc/1/comm 2>/dev/null || :; }
# Sets INIT: systemd, openrc, sysv, none (a container, or unknown).
detect_init() {
	if is_dir /run/systemd/system && have systemctl; then INIT=systemd
	elif is_dir /run/openrc && have rc-update; then INIT=openrc
	elif is_dir /etc/init.d && [ "$(pid1)" = init ] && have update-rc.d; then INIT=sysv
	else INIT=none
	fi
}
