# SPDX-License-Identifier: MIT
"""What the PowerShell tests share: the engine, a make-believe Windows, a web server for packages.

`host()` builds tests/powershell/host once (below the build folder, never in the source tree) and skips the test
where there is no .NET SDK or no package System.Management.Automation. `Windows` is one machine: an empty
"Program Files", the state that ../stubs/windows.ps1 keeps, and `run`, which runs a script the way
`powershell -File` does.
"""

import atexit
import contextlib
import fcntl
import functools
import http.server
import io
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from pairport_process import Pairport  # noqa: E402

POWERSHELL_AGENT = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.17763.1007"
FINGERPRINT = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
SCRIPTS = ("installer", "update", "uninstall", "not_found")
EXAMPLE = HERE / "rport.example.conf"
MSI_MAGIC = b"\xd0\xcf\x11\xe0"


def build_folder(name):
    """Where generated things go: below the build folder of ctest, else below build/ of the tree."""
    return pathlib.Path(os.environ.get("PAIRPORT_BUILD", str(ROOT / "build"))) / name


@functools.lru_cache(maxsize=None)
def host():
    """The command that runs the engine. Raises SkipTest with the reason where it cannot be had."""
    if not shutil.which("dotnet"):
        raise unittest.SkipTest("SKIPPED: no .NET SDK (dotnet) on this machine")
    folder = build_folder("powershell-host")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "bin" / "pshost.dll"
    sources = [p for p in (HERE / "host").iterdir() if p.suffix in (".cs", ".csproj")]
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or program.stat().st_mtime < max(s.stat().st_mtime for s in sources):
            environment = {**os.environ, "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}
            common = [str(HERE / "host" / "pshost.csproj"), "--nologo", f"-p:BaseIntermediateOutputPath={folder}/obj/",
                      f"-p:MSBuildProjectExtensionsPath={folder}/obj/"]
            restore = subprocess.run(["dotnet", "restore", *common], env=environment, capture_output=True, text=True)
            if restore.returncode != 0:
                raise unittest.SkipTest("SKIPPED: the NuGet package System.Management.Automation or the SDK for it is "
                                        "not to be had here: " + restore.stdout[-600:].strip())
            build = subprocess.run(["dotnet", "build", "--no-restore", "-c", "Release", "-o", str(folder / "bin"),
                                    "-nodeReuse:false", *common], env=environment, capture_output=True, text=True)
            if build.returncode != 0:
                raise RuntimeError("the test host does not compile:\n" + build.stdout)
            program.touch()
    return ("dotnet", str(program))


def pshost(*arguments, env=None, cwd=None):
    return subprocess.run([*host(), *map(str, arguments)], env=env, cwd=cwd, capture_output=True, text=True,
                          encoding="utf-8", timeout=300, stdin=subprocess.DEVNULL)


class Server:
    """One `pshost serve` for all runs of a test process."""

    process = None

    @classmethod
    def run(cls, preludes, path, arguments, environment, folder):
        if cls.process is None:
            cls.process = subprocess.Popen([*host(), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
                                           env={**os.environ, "DOTNET_TieredPGO": "0"})
            atexit.register(cls.stop)
        cls.process.stdin.write(json.dumps({
            "preludes": [str(p) for p in preludes], "file": str(path), "arguments": list(arguments),
            "environment": environment, "folder": str(folder)}) + "\n")
        cls.process.stdin.flush()
        if not select.select([cls.process.stdout], [], [], 300)[0]:
            cls.process.kill()
            raise RuntimeError("no answer from the engine in 300 seconds")
        answer = json.loads(cls.process.stdout.readline())
        return subprocess.CompletedProcess([str(path), *arguments], answer["code"], answer["out"], answer["error"])

    @classmethod
    def stop(cls):
        cls.process.stdin.close()
        cls.process.wait(30)
        cls.process.stdout.close()
        cls.process = None


def main():
    """For ctest: 77 (SKIP_RETURN_CODE) when every test was skipped, so that it shows as skipped."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    executed = result.testsRun - sum(isinstance(test, unittest.TestCase) for test, _ in result.skipped)
    if result.wasSuccessful() and executed == 0:
        print(result.skipped[0][1] if result.skipped else "SKIPPED: no test")
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)


def deposit_and_fetch(service, path_suffix="", **fields):
    """Deposits, then fetches the installer as Windows PowerShell does. Bytes."""
    fields = {"connect_url": "http://127.0.0.1:1", "fingerprint": FINGERPRINT, "client_id": "client1",
              "password": "foobaz", **fields}
    code = service.deposit(**fields)["pairing_code"]
    status, _, body = service.get("/" + code + path_suffix, user_agent=POWERSHELL_AGENT)
    if status != 200:
        raise RuntimeError(f"status {status}")
    return body


def fetch(service, name, **fields):
    """One of SCRIPTS as the program serves it."""
    if name == "installer":
        return deposit_and_fetch(service, **fields)
    path = "/ZZZZZZZ" if name == "not_found" else "/" + name
    return service.get(path, user_agent=POWERSHELL_AGENT)[2]


# ---- packages and their web server ----

def stand_in(version="0.9.14", verdict=""):
    """The stand-in client as a program of a version that behaves as told."""
    text = (HERE / "stubs" / "rport.py").read_text(encoding="utf-8")
    return text.replace('VERSION = "0.9.14"', f'VERSION = "{version}"').replace(
        'VERDICT = ""', f'VERDICT = "{verdict}"').encode()


def msi_package(version="0.9.14", verdict=""):
    return MSI_MAGIC + stand_in(version, verdict)


def zip_package(version="0.9.14", verdict="", names=("rport.exe", "rport.example.conf")):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, EXAMPLE.read_bytes() if name.endswith(".conf") else stand_in(version, verdict))
    return data.getvalue()


class WebServer:
    """Serves `files` ({path: bytes or (status, bytes)}) on 127.0.0.1; every other path is 404. Keeps `requests`."""

    def __init__(self, files=None):
        self.files = dict(files or {})
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                outer.requests.append((self.path, dict(self.headers)))
                answer = outer.files.get(self.path, (404, b"not found"))
                if callable(answer):
                    answer = answer(self)
                    if answer is None:
                        return
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", body.decode())
                    body = b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def paths(self):
        return [path for path, _ in self.requests]


# ---- a make-believe Windows ----

class Windows:
    """One machine. Keys of the world that the stubs read, all optional:

    Account, Uuid, Signature (status of Get-AuthenticodeSignature), Cards ([{Name, Index, Status, Speed, Address}]),
    Parent (name of the process that started PowerShell), ParentIsYounger, MsiCodes (exit codes of msiexec, in order),
    StartFails, ServiceHangs, Hanging (path of a process that does not end), IcaclsCode, DeleteFails, Marked (the service is
    marked for deletion), HeldOpen (it is, when it is deleted), Build (of Windows, a string as WMI gives it).
    """

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pairport-windows-"))
        self.program_files = self.folder / "Program Files"
        self.state = self.folder / "state"
        self.record_file = self.folder / "record"
        for path in (self.program_files, self.state, self.folder / "tmp", self.folder / "Windows"):
            path.mkdir()
        self.client_folder = self.program_files / "rport"
        self.config_path = self.client_folder / "rport.conf"
        self.log_path = self.client_folder / "rport.log"
        self.exe = self.client_folder / "rport.exe"
        self.world = {"Account": "LocalSystem", "Uuid": "4C4C4544-0042-3510-8054-C7C04F534E31",
                      "Signature": "NotSigned", "Cards": [], "Parent": None, "ParentIsYounger": False, "MsiCodes": [],
                      "StartFails": False, "ServiceHangs": False, "Hanging": None, "IcaclsCode": 0,
                      "DeleteFails": False, "Marked": False, "HeldOpen": False, "Build": "22000"}
        self.script_path = self.folder / "tmp" / "rport-script.ps1"
        self.env = {}
        self.constrained = False  # constrained language mode, as application control sets it
        self.without = []  # cmdlets that this Windows does not have

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return {**keep, "ProgramFiles": str(self.program_files), "PROCESSOR_ARCHITECTURE": "AMD64",
                "SystemRoot": str(self.folder / "Windows"), "COMPUTERNAME": "TESTHOST", "TMPDIR": str(self.folder / "tmp"),
                "STAND_IN_STATE": str(self.state), "POWERSHELL_TELEMETRY_OPTOUT": "1", "DOTNET_TieredPGO": "0", **self.env}

    def prelude(self):
        world = {**self.world, "State": str(self.state), "Record": str(self.record_file), "Example": str(EXAMPLE)}
        path = self.folder / "world.ps1"
        path.write_text("$World = " + literal(world) + "\n" + "".join(f"$ExecutionContext.InvokeProvider.Item.Remove('Function:\\{name}', $false)\n" for name in self.without) + "Set-StrictMode -Version 3\n"
                        + ("$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'\n" if self.constrained else ""),
                        encoding="utf-8")
        return [HERE / "stubs" / "utility.ps1", HERE / "stubs" / "windows.ps1", path]

    def run(self, script, *arguments):
        """Runs a script (bytes) and returns the finished process; its calls of stubs are in `record`."""
        path = self.script_path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(script)
        self.record_file.write_text("")
        preludes = self.prelude()
        if any(name.endswith("_proxy") for name in self.env):
            # .NET reads the settings of proxies once per process.
            options = [text for prelude in preludes for text in ("--prelude", prelude)]
            result = pshost("run", *options, path, *arguments, env=self.environment(), cwd=self.folder / "tmp")
        else:
            result = Server.run(preludes, path, arguments, self.environment(), self.folder / "tmp")
        self.record = self.record_file.read_text(encoding="utf-8").splitlines()
        return result

    def install(self, version="0.9.14", product=True, config=None, running=True, verdict=""):
        """A client as an earlier installation left it."""
        self.client_folder.mkdir(exist_ok=True)
        self.exe.write_bytes(stand_in(version, verdict))
        self.exe.chmod(0o755)
        shutil.copy(EXAMPLE, self.client_folder / "rport.example.conf")
        if config is not None:
            self.config_path.write_text(config, encoding="utf-8")
        (self.state / "service").write_text(f'"{self.exe}" -c "{self.config_path}"')
        (self.state / "service.status").write_text("Running" if running else "Stopped")
        if product:
            (self.state / "product").write_text("{01234567-89AB-CDEF-0123-456789ABCDEF} " + version)

    def config(self):
        data = self.config_path.read_bytes()
        return tomllib.loads(data.decode("utf-8"))

    def credentials(self):
        return json.loads((self.state / "credentials.json").read_text(encoding="utf-8"))

    def status(self):
        path = self.state / "service.status"
        return path.read_text() if path.exists() else None

    def backups(self):
        return sorted(self.client_folder.glob("rport.conf.*.bak"))

    def leftovers(self):
        """What a script must not leave behind: working folders, half-written files."""
        found = [p.name for p in self.program_files.iterdir() if p.name.startswith("rport-setup-")]
        if self.client_folder.exists():
            found += [p.name for p in self.client_folder.glob("*.new")]
        return found

    def tree(self):
        """Every file and folder with its content, to show that nothing was changed."""
        return {str(p.relative_to(self.folder)): p.read_bytes() if p.is_file() else None
                for root in (self.program_files, self.state) for p in sorted(root.rglob("*"))}


def literal(value):
    """A PowerShell literal of a Python value, for preludes and tests."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        quoted = value
        for quote in "'\u2018\u2019\u201a\u201b":
            quoted = quoted.replace(quote, quote * 2)
        return "'" + quoted + "'"
    if isinstance(value, dict):
        return "@{ " + "; ".join(f"{literal(k)} = {literal(v)}" for k, v in value.items()) + " }"
    return "@(" + ", ".join(map(literal, value)) + ")"


@contextlib.contextmanager
def pairport(web=None, kind="msi", extra="", url=None):
    """The real program, with the packages of `web`."""
    base = web.url if web else "http://127.0.0.1:1"
    server = f'[server]\n  url = "{url}"\n' if url else ""
    config = server + f"""[limits]
  deposits_per_second = 0
  network_share = 0
  misses_per_second = 0
[installer]
  windows_url = "{base}/{{version}}/rport_{{version}}_{{os}}_{{arch}}.{kind}"
  checksums_url = "{base}/{{version}}/checksums.txt"
  tacoscript_url = "{base}/taco/{{channel}}/?arch={{os}}_{{arch}}"
{extra}"""
    with Pairport(config=config) as service:
        yield service
