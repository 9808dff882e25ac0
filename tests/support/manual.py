# SPDX-License-Identifier: MIT
"""The README, the manual in doc/ and the messages of the sources, for the tests that compare them."""

import re

from runner import ROOT


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documents():
    """Text of each document by its path."""
    paths = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(path for folder in ("doc", "bench", "render", "tests")
                                                         for path in sorted((ROOT / folder).rglob("*.md")))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def manual():
    """What a user reads: the README and doc/."""
    return {name: text for name, text in documents().items() if name == "README.md" or name.startswith("doc/")}


FENCE = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


def blocks(language=None):
    """(document, language, text) of each block of code of the manual."""
    return [(name, found[1], found[2]) for name, text in manual().items() for found in FENCE.finditer(text)
            if language in (None, found[1])]


def without_blocks(text):
    return FENCE.sub("", text)


def anchors(text):
    """Of the headings, as GitHub and GitLab make them."""
    found = []
    for heading in re.findall(r"(?m)^#+ (.*)$", without_blocks(text)):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(anchor if anchor not in found else f"{anchor}-{found.count(anchor)}")
    return found


def links(text):
    return re.findall(r"\]\(([^)\s]+)\)", without_blocks(text))


def tables(text):
    """(heading, rows) of each table: a row is a dictionary by the titles of the columns."""
    found, heading, titles = [], "", None
    for line in without_blocks(text).splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if line.startswith("#"):
            heading = line.strip("# ")
        if not cells:
            titles = None
        elif titles is None:
            titles = cells
            found.append((heading, []))
        elif not all(set(cell) <= set("-: ") for cell in cells):
            found[-1][1].append(dict(zip(titles, cells, strict=True)))
    return found


def code_spans(text):
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


# Messages. What varies in one is written as an ellipsis, in documents and here.
VARIES = "…"


def sources(*suffixes, folders=("core", "render", "net", "nginx")):
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for folder in folders
            for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes}


def unescaped(literal):
    return literal.replace(r"\"", '"').replace(r"\n", "\n").replace(r"\r", "").replace("\\\\", "\\")


def joined_cpp(text):
    """The source with literals that belong together as one, and what a format fills in as an ellipsis."""
    text = re.sub(r'(?m)(?<![:"/])//[^"\n]*$', "", text)
    text = re.sub(r'"\s*\n\s*"', "", text)
    text = re.sub(r'"\);\s*out\.text\("|"\)\.text\("', "", text)
    return re.sub(r"\{\}|%(?:uL|[Vsi])\b", VARIES, text)


LITERAL = r'"((?:[^"\\\n]|\\.)*)"'
# A literal right behind one of these is the text of a message, or its beginning.
CPP_CALLS = re.compile(r"(spdlog::(warn|error)\(|\bbad\((certificate|path), |\.report\((key|\"\w+\"), |ngx_(conf_)?log_error\([^;\"]*)\s*$")
# Text that has the form of a message and is none for a person who runs the service.
NO_MESSAGES = ("%%", "v0.2d", "$? = 127", "fi >&2", "throw }", "if ($LASTEXITCODE", "Configuration file; ", "; no TCP connection", "; this kernel knows",
               "; no signal or", "system calls are left; ", "pairport: hands out installers", "static-deposit: ", "no file in memory for sendfile",
               "memory for credentials: ", "sc.exe ", "  Configuration: ",
               "Please report this line")


def cpp_messages():
    """(file, text) of what asks a person to do something: warnings, errors, and texts of the form "cause; remedy"."""
    for name, text in sources(".cc", ".c").items():
        text = joined_cpp(text)
        for found in re.finditer(LITERAL, text):
            message = unescaped(found[1]).split("\n\n")[-1].strip()
            before = text[max(0, found.start() - 160):found.start()]
            # The C interface speaks to programmers; its headers explain it.
            if name.startswith("render/c/") or name.endswith("capi_uv.cc") or any(part in message for part in NO_MESSAGES):
                continue
            if len(message) > 6 and (CPP_CALLS.search(before) or ("; " in message and len(message) > 25)):
                yield name, message


def sh_messages():
    """(file, text) of every error and warning of the Linux scripts, and of what else asks for something."""
    for name, text in sources(".sh", folders=("render",)).items():
        text = re.sub(r"\$\([^()]*\)", VARIES, text)
        for first in re.findall(r"""\b(?:die [0-9]|warn|say(?=[^\n]*(?:delete it|This runs|this does))) ("(?:[^"\\]|\\.)*"|'[^']*')""", text):
            yield name, re.sub(r"\$\{[^}]*\}|\$\w+", VARIES, first[1:-1])


def ps_messages():
    """(file, text) of every error of the Windows scripts, and of notes that ask for something."""
    call = r"(?:Stop-WithError [0-9]|Write-Problem|Write-Note(?=[^\n]*(?:CAUTION|delete|by hand|restart|look on))) "
    # A literal, or an expression in brackets, with brackets in it.
    first_argument = r"('(?:[^']|'')*'|\((?:'(?:[^']|'')*'|\((?:[^()']|\([^()]*\))*\)|[^()'])*\))"
    for name, text in sources(".ps1", folders=("render",)).items():
        for first in re.findall(call + first_argument, text):
            if not any(part in first for part in NO_MESSAGES):
                yield name, ps_text(first).removeprefix("! ")


def ps_text(expression):
    """'a' + $b + 'c' as a…c."""
    pieces = re.split(r"'((?:[^']|'')*)'", expression.strip("()") if expression.startswith("(") else expression)
    return "".join(piece if index % 2 else VARIES if piece.strip("+ ()") else "" for index, piece in enumerate(pieces)).replace("''", "'")


def all_text():
    """Every source as documents quote it: literals joined, what varies as an ellipsis."""
    text = [unescaped(joined_cpp(source)) for source in sources(".cc", ".c", ".h").values()]
    for source in sources(".sh", folders=("render",)).values():
        text.append(re.sub(r"\$\([^()]*\)|\$\{[^}]*\}|\$\w+", VARIES, source))
    for source in sources(".ps1", folders=("render",)).values():
        text.append(source.replace("''", "'"))
    return "\n".join(text)


def is_said(message, text):
    """Whether a source has every piece of a quoted message that does not vary."""
    pieces = [piece.strip() for piece in message.split(VARIES)]
    return max(map(len, pieces)) >= 6 and all(piece in text for piece in pieces if len(piece) > 3)
