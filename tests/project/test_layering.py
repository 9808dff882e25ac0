# SPDX-License-Identifier: MIT
"""The layers of the source know only what lies below them."""

import re
import unittest

import runner

ROOT = runner.ROOT
LAYERS = ["core", "render", "net"]
# System and library headers, and the only places that may include them.
RESTRICTED = [
    (r"uv\.h", r"net/(server\.cc|certificate_watcher\.(h|cc)|main\.cc)$"),
    (r"llhttp\.h", r"net/(http1|main)\.cc$"),
    (r"(mbedtls|psa)/.*", r"net/(mbedtls_bridge\.h|tls.*)$"),
    (r"(sys/socket|netdb|netinet/.*|sys/un)\.?h?", r"net/"),
    (r"arpa/inet\.h", r"core/limits/client_address\.cc$"),  # inet_pton: text to bytes, no socket
    (r"(time|ctime|sys/time)(\.h)?", r"net/(clock\.h|(server|log_writer|main)\.cc)$"),
    (r"(toml\+\+|CLI)/.*", r"net/(config|main)\.cc$"),
    (r"(spdlog|fmt)/.*", r"net/(log\.(h|cc)|(start_checks|main)\.cc)$"),
    (r"(iostream|fstream|cstdio|stdio\.h)", r"net/main\.cc$"),
]
# Words that mean a hidden clock, output, the environment or randomness below main.
FORBIDDEN_WORDS = [
    (r"\b(getenv|secure_getenv|setenv)\b", r"net/main\.cc$"),
    (r"\b(clock_gettime|gettimeofday|system_clock::now|steady_clock::now|time\(nullptr\)|uv_hrtime)\b", r"net/(clock\.h|(server|log_writer|main)\.cc)$"),
    (r"\b(getrandom|random_device|rand\(|arc4random)\b", r"core/memory/kernel_random\.cc$"),
    (r"\b(printf|fprintf|puts|std::cout|std::cerr|spdlog::)", r"net/(log\.(h|cc)|(start_checks|main)\.cc)$"),
    (r"\b(abort|exit|_exit)\(", r"net/main\.cc$"),
]


def sources(folder):
    return [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".h", ".cc") and "templates" not in path.parts]


def code_of(path):
    """Without comments and string literals."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'R"(\w*)\(.*?\)\1"', '""', text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(encoding="utf-8"), re.M)


def layer_of(header, including):
    """The layer that a project header belongs to, or None for a foreign one."""
    name = header.removeprefix("pairport/")
    for layer in LAYERS:
        if header.startswith("pairport/"):
            if (ROOT / layer / "include" / header).exists() or (ROOT / layer / "include" / (header + ".in")).exists():
                return layer
        elif (including.parent / name).exists():
            return including.relative_to(ROOT).parts[0]
        elif name.startswith(layer + "/"):
            return layer
    return None


def violations(path):
    relative = path.relative_to(ROOT).as_posix()
    layer = LAYERS.index(relative.split("/")[0])
    found = []
    for header in includes(path):
        other = layer_of(header, path)
        if other is not None and LAYERS.index(other) > layer:
            found.append(f"{relative} includes {header} of {other}/")
        for pattern, allowed in RESTRICTED:
            if re.fullmatch(pattern, header) and not re.match(allowed, relative):
                found.append(f"{relative} includes {header}")
    code = code_of(path)
    for pattern, allowed in FORBIDDEN_WORDS:
        if re.search(pattern, code) and not re.match(allowed, relative):
            found.append(f"{relative} uses {re.search(pattern, code).group(0)}")
    return found


class Layering(unittest.TestCase):
    def test_no_layer_knows_one_above_it(self):
        paths = [path for layer in LAYERS for path in sources(layer)]
        self.assertGreater(len(paths), 30, "the sources are where they are looked for")
        self.assertEqual([problem for path in paths for problem in violations(path)], [])

    def test_the_check_finds_what_it_looks_for(self):
        probe = ROOT / "core" / "layering_probe.cc"
        try:
            for line, expected in [("#include <uv.h>", "uv.h"), ("#include <llhttp.h>", "llhttp.h"),
                                   ("#include <pairport/service.h>", "service.h"), ("#include <sys/socket.h>", "socket"),
                                   ("void f() { std::cout; }", "std::cout"), ("auto t = clock_gettime;", "clock_gettime")]:
                probe.write_text(line + "\n", encoding="utf-8")
                found = violations(probe)
                self.assertTrue(found and expected in found[0], f"{line}: {found}")
        finally:
            probe.unlink(missing_ok=True)

    def test_every_source_says_its_licence(self):
        for layer in LAYERS + ["tests"]:
            for path in sources(layer):
                self.assertIn("SPDX-License-Identifier: MIT", path.read_text(encoding="utf-8").split("\n")[0], path)

    def test_public_headers_have_a_guard_of_their_own(self):
        seen = set()
        for layer in LAYERS:
            for path in sorted((ROOT / layer / "include").rglob("*.h")):
                guard = re.search(r"#ifndef (\w+)\n#define \1\n", path.read_text(encoding="utf-8"))
                self.assertIsNotNone(guard, path)
                self.assertNotIn(guard.group(1), seen)
                seen.add(guard.group(1))


if __name__ == "__main__":
    runner.run()
