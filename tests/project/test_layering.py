# SPDX-License-Identifier: MIT
"""The layers of the source know only what lies below them."""

import re
import unittest

import runner

ROOT = runner.ROOT
LAYERS = ["core", "render", "net"]
# System and library headers, and the only places that may include them.
RESTRICTED = [
    (r"uv\.h", r"net/(loop/|program/(certificate_watcher\.(h|cc)|(main|program)\.cc)$)"),
    (r"llhttp\.h", r"net/(http1/http1|program/main)\.cc$"),
    (r"(mbedtls|psa)/.*", r"net/tls/|core/crypto/"),
    (r"(sys/socket|netdb|netinet/.*|sys/un)\.?h?", r"net/"),
    (r"arpa/inet\.h", r"core/limits/client_address\.cc$"),  # inet_pton: text to bytes, no socket
    (r"(time|ctime|sys/time)(\.h)?", r"net/base/clock\.h$"),
    (r"toml\+\+/.*", r"net/program/toml_reader\.h$"),
    (r"CLI/.*", r"net/program/main\.cc$"),
    (r"(spdlog|fmt)/.*", r"net/program/(log\.(h|cc)|messages\.(h|cc)|(start_checks|process|program|main)\.cc)$"),
    (r"(iostream|fstream|cstdio|stdio\.h)", r"net/program/main\.cc$"),
]
# Words that mean a hidden clock, output, the environment or randomness below main.
FORBIDDEN_WORDS = [
    (r"\b(getenv|secure_getenv)\b", r"net/program/main\.cc$"),
    (r"\bsetenv\b", r"net/program/process\.cc$"),
    (r"\b(clock_gettime|gettimeofday|system_clock::now|steady_clock::now|time\(nullptr\)|uv_hrtime)\b", r"net/(base/clock\.h|loop/peers\.cc)$"),
    (r"\b(getrandom|random_device|rand\(|arc4random)\b", r"core/memory/kernel_random\.cc$"),
    (r"\b(printf|fprintf|puts|std::cout|std::cerr|spdlog::)", r"net/program/(log\.(h|cc)|messages\.(h|cc)|(start_checks|process|program|main)\.cc)$"),
    (r"\b(abort|exit|_exit)\(", r"net/program/main\.cc$"),
]


def code_of(text):
    """Without comments and string literals."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"', '""', text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def includes(path, text=None):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(encoding="utf-8") if text is None else text, re.M)


def sources(folder):
    return [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".h", ".cc", ".c") and "templates" not in path.parts]


def in_project(header, including):
    """The file of the project that an #include means, or None for somebody else's. The version is made by CMake."""
    if header.startswith("pairport/"):
        candidates = [ROOT / layer / "include" / (header + suffix) for layer in LAYERS for suffix in ("", ".in")]
    else:
        candidates = [ROOT / header, including.parent / header]
    return next((path for path in candidates if path.is_file()), None)


def relative(path):
    return path.relative_to(ROOT).as_posix()


# Rooms of public headers that have no source of their own name.
ROOMS_OF_HEADERS = {"export.h": "core/base", "version.h.in": "core/base", "random.h": "core/memory", "pairport.h": "render/c",
                    "tls.h": "net/tls", "pairport_deposits.h": "render/c", "pairport_http.h": "net/c", "pairport_uv.h": "net/c"}


def room_of(path):
    """The folder of a file's subject. A public header belongs to the room of the source that implements it."""
    if "include" not in path.parts:
        return relative(path.parent)
    layer = relative(path).split("/")[0]
    source = next((ROOT / layer).rglob(path.stem + ".cc"), None)
    return ROOMS_OF_HEADERS.get(path.name) or (relative(source.parent) if source else layer)


def cycles(edges):
    """Each set of rooms that include each other, as a sorted list."""
    def reached(room):
        seen, rest = set(), [room]
        while rest:
            for other in edges.get(rest.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    rest.append(other)
        return seen
    reach = {room: reached(room) for room in edges}
    return sorted({tuple(sorted(other for other in reach[room] if room in reach.get(other, ()))) for room in edges if room in reach[room]})


def edges_between_rooms():
    edges = {}
    for path in (path for layer in LAYERS for path in sources(layer)):
        for header in includes(path):
            other = in_project(header, path)
            if other is not None and room_of(other) != room_of(path):
                edges.setdefault(room_of(path), set()).add(room_of(other))
    return edges


# The libraries from below, with the files that CMake compiles into each, and the program.
LIBRARIES = ["pairport_core", "pairport_service", "pairport_http", "pairport_uv", "pairport_program", "pairport"]


def sources_of(library):
    found = []
    for layer in LAYERS:
        text = (ROOT / layer / "CMakeLists.txt").read_text(encoding="utf-8")
        for listed in re.findall(rf"(?:pairport_library|add_library|add_executable)\({library}\s([^)]*)\)", text):
            found += [ROOT / layer / name for name in re.findall(r"[\w/]+\.cc", listed) if (ROOT / layer / name).is_file()]
    return found


def seen_from(path):
    """All headers of the project that a file sees, directly or not."""
    seen, rest = set(), [path]
    while rest:
        including = rest.pop()
        for header in includes(including):
            other = in_project(header, including)
            if other is not None and other not in seen:
                seen.add(other)
                rest.append(other)
    return seen


def violations(path, text=None):
    """What a file must not do, or what one with this text must not do there."""
    text = path.read_text(encoding="utf-8") if text is None else text
    name = relative(path)
    layer = LAYERS.index(name.split("/")[0])
    found = []
    for header in includes(path, text):
        other = in_project(header, path)
        if other is not None and LAYERS.index(relative(other).split("/")[0]) > layer:
            found.append(f"{name} includes {header} of {relative(other).split('/')[0]}/")
        if other is not None and "include" in path.parts and "include" not in other.parts:
            found.append(f"{name} is public and includes {header}, which is not")
        for pattern, allowed in RESTRICTED:
            if re.fullmatch(pattern, header) and not re.match(allowed, name):
                found.append(f"{name} includes {header}")
    code = code_of(text)
    for pattern, allowed in FORBIDDEN_WORDS:
        if re.search(pattern, code) and not re.match(allowed, name):
            found.append(f"{name} uses {re.search(pattern, code).group(0)}")
    return found


# The module in nginx stands beside net: of the project it sees the C interface, of the system these headers.
SEEN_BY_NGINX = [
    (r"(ngx_\w+|module)\.h", r"nginx/"),
    (r"pairport/pairport\.h", r"nginx/module\.h$"),
    (r"time\.h", r"nginx/module\.h$"),  # nginx's own time is cached
    (r"(fcntl|sys/mman)\.h", r"nginx/static_file\.c$"),
    (r"sys/prctl\.h", r"nginx/worker\.c$"),
]


def violations_of_nginx(path, text=None):
    text = path.read_text(encoding="utf-8") if text is None else text
    name = relative(path)
    found = [f"{name} includes {header}" for header in includes(path, text)
             if not any(re.fullmatch(pattern, header) and re.match(allowed, name) for pattern, allowed in SEEN_BY_NGINX)]
    for pattern, _ in FORBIDDEN_WORDS:
        for word in re.findall(pattern, code_of(text)):
            if (word, name) != ("clock_gettime", "nginx/module.h"):
                found.append(f"{name} uses {word}")
    return found


def calls_between(paths):
    """Which C files use a function that another one defines."""
    code = {relative(path): code_of(path.read_text(encoding="utf-8")) for path in paths}
    home = {}
    for name, text in code.items():
        for function in re.findall(r"^(?!static)\w[^;{}=#]*?\b(\w+)\([^;{}]*\)\s*\{", text, re.M):
            home[function] = name
    edges = {name: set() for name in code}
    for name, text in code.items():
        edges[name] = {home[word] for word in re.findall(r"\w+", text) if word in home} - {name}
    return edges


# Where the product stands: everything of the repository but tests and measured results.
PRODUCT = [".ci", "bench", "cmake", "core", "doc", "net", "nginx", "packaging", "render", "script"]
LONGEST_FILE = 500  # lines


def product_files():
    inside = [path for folder in PRODUCT for path in sorted((ROOT / folder).rglob("*"))
              if path.is_file() and "__pycache__" not in path.parts and not path.is_relative_to(ROOT / "bench/results")]
    return inside + [path for path in sorted(ROOT.iterdir()) if path.is_file() and path.suffix in (".md", ".txt", ".json")]


def too_long(texts):
    """The names, of a dictionary of name and bytes, that have too many lines."""
    return [f"{name}: {lines} lines" for name, text in texts.items() if (lines := text.count(b"\n")) > LONGEST_FILE]


class Layering(unittest.TestCase):
    def test_no_layer_knows_one_above_it(self):
        paths = [path for layer in LAYERS for path in sources(layer)]
        self.assertGreater(len(paths), 30, "the sources are where they are looked for")
        self.assertEqual([problem for path in paths for problem in violations(path)], [])

    def test_no_room_below_tls_sees_mbedtls_but_crypto(self):
        """Directly or through a header: what core/crypto includes is shown to nobody who includes its headers."""
        for path in (path for layer in LAYERS for path in sources(layer)):
            seen = {header for file in [path, *seen_from(path)] for header in includes(file)}
            mbedtls = sorted(header for header in seen if header.startswith(("mbedtls/", "psa/")))
            if not relative(path).startswith(("core/crypto/", "net/")):
                self.assertEqual(mbedtls, [], relative(path))
            if relative(path) == "core/crypto/aead.cc":
                self.assertIn("mbedtls/chachapoly.h", mbedtls, "the includes are where they are looked for")

    def test_no_rooms_include_each_other(self):
        edges = edges_between_rooms()
        self.assertIn("core/memory", edges.get("core/store", ()), "the rooms are where they are looked for")
        self.assertEqual(cycles(edges), [])

    def test_a_cycle_is_found(self):
        self.assertEqual(cycles({"a": {"b"}, "b": {"c"}, "c": {"d"}}), [])
        self.assertEqual(cycles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}}), [("b", "c")])

    def test_no_library_knows_one_above_it(self):
        library_of = {path: number for number, library in enumerate(LIBRARIES) for path in sources_of(library)}
        for number, library in enumerate(LIBRARIES):
            self.assertTrue(number in library_of.values(), library)
        listed = {relative(path) for path in library_of}
        self.assertEqual([name for layer in LAYERS for path in sources(layer) if path.suffix == ".cc" and (name := relative(path)) not in listed],
                         [], "each source belongs to a library or to the program")
        for path, number in library_of.items():
            for header in seen_from(path):
                source = next((other for other in library_of if other.stem == header.stem and room_of(other) == room_of(header)), None)
                if source is not None:
                    self.assertLessEqual(library_of[source], number, f"{relative(path)} sees {relative(header)}")

    def test_nginx_knows_nothing_but_the_c_interface(self):
        found = sources("nginx")
        self.assertGreater(len(found), 10)
        self.assertEqual([problem for path in found for problem in violations_of_nginx(path)], [])
        for line, expected in [('#include "core/base/ascii.h"', "includes core"), ("#include <pairport/pairport_uv.h>", "includes pairport"),
                               ("#include <stdio.h>", "includes stdio"), ("int f(void) { return printf(x); }", "uses printf"),
                               ("void f(void) { clock_gettime(); }", "uses clock_gettime"), ("void f(void) { getenv(x); }", "uses getenv")]:
            self.assertIn(expected, "".join(violations_of_nginx(ROOT / "nginx" / "probe.c", line + "\n")))

    def test_every_target_has_its_place(self):
        declared, links = set(), {}
        for layer in LAYERS:
            text = (ROOT / layer / "CMakeLists.txt").read_text(encoding="utf-8")
            declared.update(re.findall(r"^\s*(?:pairport_library|add_library|add_executable)\((\w+)", text, re.M))
            for target, linked in re.findall(r"target_link_libraries\((\w+) ([^)]*)\)", text):
                links.setdefault(target, set()).update(re.findall(r"pairport::(\w+)", linked))
        self.assertEqual(declared, set(LIBRARIES), "a new target needs a place in LIBRARIES")
        self.assertEqual(links["pairport_service"], {"core"}, "the links are where they are looked for")
        for number, library in enumerate(LIBRARIES):
            for other in links.get(library, ()):
                self.assertLess(LIBRARIES.index(f"pairport_{other}"), number, f"{library} is linked to {other}")
        module = (ROOT / "nginx" / "CMakeLists.txt").read_text(encoding="utf-8")
        self.assertEqual(set(re.findall(r"pairport::(\w+)", module)), {"service"})
        self.assertEqual(set(re.findall(r"\w+\.c\b", re.search(r"add_library\(nginx_module [^)]*\)", module)[0])),
                         {path.name for path in sources("nginx") if path.suffix == ".c"})

    def test_no_files_of_nginx_call_each_other(self):
        edges = calls_between([path for path in sources("nginx") if path.suffix == ".c"])
        self.assertIn("nginx/context.c", edges["nginx/body.c"], "the calls are where they are looked for")
        self.assertEqual(cycles(edges), [])

    def test_there_are_few_public_headers(self):
        public = [path.name for layer in LAYERS for path in (ROOT / layer / "include").rglob("*.h*")]
        self.assertLessEqual(len(public), 19, sorted(public))

    def test_no_file_of_the_product_is_longer_than_500_lines(self):
        """Code, templates and manual: who opens a file finds one subject in it."""
        texts = {relative(path): path.read_bytes() for path in product_files()}
        for name in ("README.md", "render/scripts/templates/linux/installer.sh", "bench/load_client.cc", "nginx/body.c", "script/test"):
            self.assertIn(name, texts, "the files are where they are looked for")
        self.assertEqual(too_long(texts), [], "split it by subject")
        self.assertEqual(too_long({"a": b"\n" * 500, "b": b"\n" * 501}), ["b: 501 lines"])

    def test_the_check_finds_what_it_looks_for(self):
        probe = ROOT / "core" / "store" / "probe.cc"
        public = ROOT / "core" / "include" / "pairport" / "probe.h"
        for path, line, expected in [(probe, "#include <uv.h>", "uv.h"), (probe, "#include <llhttp.h>", "llhttp.h"),
                                     (probe, "#include <mbedtls/sha256.h>", "mbedtls"),
                                     (probe, "#include <pairport/service.h>", "service.h"), (probe, "#include <sys/socket.h>", "socket"),
                                     (probe, '#include "render/scripts/quote.h"', "quote.h of render/"),
                                     (public, '#include "core/base/ascii.h"', "is public"),
                                     (probe, "void f() { std::cout; }", "std::cout"), (probe, "auto t = clock_gettime;", "clock_gettime")]:
            found = violations(path, line + "\n")
            self.assertTrue(found and expected in found[0], f"{line}: {found}")

    def test_every_source_says_its_licence(self):
        for layer in LAYERS + ["nginx", "bench", "tests"]:
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
