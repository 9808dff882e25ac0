# SPDX-License-Identifier: MIT
"""Detection, row by row: recorded os-release, uname -m, userland and command sets in, the script's decision out."""

import pathlib
import subprocess
import tempfile
import unittest

import support

# Recorded from the distributions: the lines of os-release that count.
OS = {
    "debian11": 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye',
    "debian12": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm',
    "debian13": 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie',
    "debian10": 'ID=debian\nVERSION_ID="10"\nVERSION_CODENAME=buster',
    "sid": 'ID=debian\nVERSION_CODENAME=forky',
    "ubuntu20": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="20.04"\nVERSION_CODENAME=focal\nUBUNTU_CODENAME=focal',
    "ubuntu22": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\nUBUNTU_CODENAME=jammy',
    "ubuntu24": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble',
    "ubuntu18": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="18.04"\nVERSION_CODENAME=bionic\nUBUNTU_CODENAME=bionic',
    "mint21": 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21.3"\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy',
    "raspbian12": 'ID=raspbian\nID_LIKE=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm',
    "kali": 'ID=kali\nID_LIKE=debian\nVERSION_ID="2024.1"\nVERSION_CODENAME=kali-rolling',
    "rhel9": 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"',
    "rhel10": 'ID="rhel"\nID_LIKE="centos fedora"\nVERSION_ID="10.0"',
    "rhel7": 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="7.9"',
    "rocky8": 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.10"',
    "alma9": 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.3"',
    "oracle8": 'ID="ol"\nID_LIKE="fedora"\nVERSION_ID="8.9"',
    "stream9": 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"',
    "centos7": 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"',
    "fedora40": 'ID=fedora\nVERSION_ID=40',
    "leap15": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"',
    "tumbleweed": 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20240501"',
    "alpine": 'ID=alpine\nVERSION_ID=3.20.0',
    "arch": 'ID=arch',
    "void": 'ID="void"',
    "none": '',
    "hostile": 'ID=$(touch /tmp/canary)\nID_LIKE="`touch /tmp/canary` *"\nVERSION_CODENAME="*"',
}
# os-release, commands, tool, code name
PACKAGES = [
    ("debian11", "apt-get", "apt", "bullseye"), ("debian12", "apt-get", "apt", "bookworm"), ("debian13", "apt-get", "apt", "trixie"),
    ("debian10", "apt-get", "", None), ("sid", "apt-get", "", None), ("debian12", "", "", None),
    ("ubuntu20", "apt-get", "apt", "focal"), ("ubuntu22", "apt-get", "apt", "jammy"), ("ubuntu24", "apt-get", "apt", "noble"),
    ("ubuntu18", "apt-get", "", None), ("mint21", "apt-get", "apt", "jammy"), ("raspbian12", "apt-get", "apt", "bookworm"),
    ("kali", "apt-get", "", None), ("rhel9", "dnf yum", "dnf", None), ("rhel10", "dnf yum", "dnf", None), ("rhel7", "yum", "", None),
    ("rocky8", "dnf yum", "dnf", None), ("alma9", "dnf", "dnf", None), ("oracle8", "dnf yum", "dnf", None), ("stream9", "dnf", "dnf", None),
    ("centos7", "yum", "", None), ("fedora40", "dnf yum", "dnf", None), ("leap15", "zypper", "zypper", None),
    ("tumbleweed", "zypper", "zypper", None), ("leap15", "", "", None), ("alpine", "apk", "", None), ("arch", "pacman", "", None),
    ("void", "xbps-install", "", None), ("none", "apt-get", "", None), ("hostile", "apt-get dnf", "", None),
]
# uname -m, ELF class of the userland, archive, deb, rpm
ARCHS = [
    ("x86_64", "2", "x86_64", "amd64", "x86_64"), ("x86_64", "1", "i386", "i386", "i686"), ("i686", "1", "i386", "i386", "i686"),
    ("i586", "", "i386", "i386", "i686"), ("x86_64", "", "x86_64", "amd64", "x86_64"), ("aarch64", "2", "arm64", "arm64", "aarch64"),
    ("aarch64", "1", "armv7", "armhf", "-"), ("armv8l", "1", "armv7", "armhf", "-"),
    ("armv7l", "1", "armv7", "armhf", "-"), ("armv6l", "1", "armv6", "-", "-"), ("s390x", "2", "s390x", "-", "-"),
    ("ppc64le", "2", "ppc64le", "-", "-"), ("riscv64", "2", "riscv64", "-", "-"), ("loongarch64", "2", "loong64", "-", "-"),
]
# uname -m, byte order of programs here, floating point unit?, archive. Names: the list of the real release 0.9.14.
MIPS = [("mips", "2", False, "mips_softfloat"), ("mips", "2", True, "mips_hardfloat"), ("mips", "1", False, "mipsle_softfloat"),
        ("mips", "1", True, "mipsle_hardfloat"), ("mips64", "2", True, "mips64_hardfloat"), ("mips64", "2", False, "mips64_softfloat"),
        ("mips64", "1", True, "mips64le_hardfloat"), ("mips64", "1", False, "mips64le_softfloat")]
# folders, commands, name of process 1, init
INITS = [
    ("/run/systemd/system /etc/init.d", "systemctl update-rc.d", "systemd", "systemd"),
    ("/run/systemd/system", "", "systemd", "none"),
    ("/etc/init.d", "systemctl update-rc.d", "bash", "none"),  # a Debian container
    ("/run/openrc /etc/init.d", "rc-update", "init", "openrc"), ("/etc/init.d", "rc-update", "sh", "none"),  # Alpine, and its container
    ("/etc/init.d", "update-rc.d", "init", "sysv"), ("/etc/init.d", "chkconfig", "init", "none"),
    ("/etc/init.d", "", "init", "none"), ("", "", "runit", "none"), ("", "", "", "none"),
]


class Platforms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.script = pathlib.Path(folder.name, "question.sh")
        with support.Pairport(support.configuration("http://127.0.0.1:1")) as service:
            code = service.deposit(connect_url="a:1", fingerprint=support.FINGERPRINT, client_id="a", password="b")["pairing_code"]
            cls.functions = service.get("/" + code)[2].decode().rsplit("main", 1)[0]

    def ask(self, probes, question):
        """What the script's functions say when the probes answer in place of the machine; in two shells."""
        answers = set()
        for shell in ("dash", "bash"):
            # From a file: shells read a pipe byte by byte.
            self.script.write_text(f"{self.functions}\nset -eu\n{probes}\n{question}\n}}\n", encoding="utf-8")
            result = subprocess.run([shell, str(self.script)], capture_output=True, text=True)
            self.assertEqual(result.stderr, "")
            answers.add(result.stdout)
        self.assertEqual(len(answers), 1)
        return answers.pop()

    def commands(self, names):
        return f'have() {{ case " {names} " in *" $1 "*) ;; *) return 1 ;; esac; }}'

    def test_packages(self):
        for system, commands, tool, codename in PACKAGES:
            with self.subTest(system=system, commands=commands):
                release = "os_release() { cat <<'END'\n" + OS[system] + "\nEND\n}\n"
                answer = self.ask(release + self.commands(commands), 'detect_packages; echo "$PACKAGES/$CODENAME"').strip()
                self.assertEqual(answer.split("/")[0], tool)
                if codename:
                    self.assertEqual(answer.split("/")[1], codename)

    def test_processors(self):
        for machine, userland, *expected in ARCHS:
            with self.subTest(machine=machine, userland=userland):
                answer = self.ask(f"kernel_arch() {{ echo {machine}; }}; elf_class() {{ echo {userland}; }}",
                                  'detect_arch; echo "$ARCHS"')
                self.assertEqual(answer.split(), expected)

    def test_mips(self):
        for machine, order, fpu, expected in MIPS:
            with self.subTest(machine=machine, order=order, fpu=fpu):
                answer = self.ask(f"kernel_arch() {{ echo {machine}; }}; elf_order() {{ echo {order}; }}; has_fpu() {{ {'true' if fpu else 'false'}; }}",
                                  'detect_arch; echo "$ARCHS"')
                self.assertEqual(answer.split(), [expected, "-", "-"])

    def test_an_address_is_never_refused_for_the_processor(self):
        self.assertEqual(self.ask("kernel_arch() { echo sw_64; }; URL=http://x/y", 'detect_arch; echo "$ARCHS"').split(), ["sw_64", "-", "-"])

    def test_an_unknown_processor_is_named(self):
        answer = self.ask("kernel_arch() { echo sw_64; }", '(detect_arch) 2>&1 || echo "code $?"')
        self.assertIn("no client for this processor (sw_64)", answer)
        self.assertIn("-z", answer)
        self.assertTrue(answer.endswith("code 1\n"))

    def test_this_machine(self):
        self.assertEqual(self.ask("", "elf_class; elf_order").split(), ["2", "1"])

    def test_init_systems(self):
        for folders, commands, first, expected in INITS:
            with self.subTest(folders=folders, commands=commands, first=first):
                probes = f'is_dir() {{ case " {folders} " in *" $1 "*) ;; *) return 1 ;; esac; }}; pid1() {{ echo "{first}"; }}\n'
                self.assertEqual(self.ask(probes + self.commands(commands), 'detect_init; echo "$INIT"').strip(), expected)

    def test_addresses(self):
        for template, expected in (("http://x/{version}/r_{version}_{os}_{arch}.tgz", "http://x/1.2/r_1.2_linux_arm64.tgz"), ("http://x/y", "http://x/y"),
                                   ("{version", "{version"), ("", "")):
            answer = self.ask("", f"replace '{template}' '{{version}}' 1.2 '{{os}}' linux '{{arch}}' arm64; echo \"$TEXT\"")
            self.assertEqual(answer.strip(), expected)


if __name__ == "__main__":
    support.main()
