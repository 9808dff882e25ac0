#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The stand-in for rport.exe: reads its configuration with a real TOML parser and refuses what the real client refuses.

  --version                      'version X'
  --service install --config F   validates F and registers the service in $STAND_IN_STATE
  --stand-in run -c F            what the service does: reads F, writes to its log whether it is connected

$STAND_IN_STATE/credentials.json receives what it read. $STAND_IN_VERDICT (connected, refused, silent, duplicate,
crash) is what the server would say. The tests change VERSION and VERDICT in the copies that they put into packages.
"""
import json
import os
import pathlib
import sys
import tomllib

VERSION = "0.9.14"
VERDICT = ""

me = pathlib.Path(sys.argv[0])
state = pathlib.Path(os.environ["STAND_IN_STATE"])


def read(path):
    data = pathlib.Path(path).read_bytes()
    if data.startswith(b"\xef\xbb\xbf"):
        sys.exit("invalid config: byte order mark")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        sys.exit(f"invalid config: {error}. Check your config file")


arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("version", VERSION)
elif arguments[:3] == ["--service", "install", "--config"]:
    if (state / "service").exists():
        sys.exit("Init already exists")
    read(arguments[3])
    (state / "service").write_text(f'"{me}" -c "{arguments[3]}"')
    (state / "service.status").write_text("Stopped")
elif arguments[:3] == ["--stand-in", "run", "-c"]:
    config = read(arguments[3])
    client = config["client"]
    name, _, password = client["auth"].partition(":")
    (state / "credentials.json").write_text(json.dumps({
        "connect_url": client["server"], "fingerprint": client["fingerprint"], "client_id": name,
        "password": password}), encoding="utf-8")
    verdict = VERDICT or os.environ.get("STAND_IN_VERDICT", "connected")
    if verdict == "crash":
        sys.exit("panic")
    lines = {
        "connected": "info: client: Connected to console:1",
        "refused": f"error: client: Authentication failed for {name} with {password}",
        "duplicate": f"error: client: client id {client.get('id')} is already in use",
        "silent": "info: client: Connecting to " + client["server"],
    }
    with open(config["logging"]["log_file"], "a", encoding="utf-8") as log:
        log.write("2026/01/01 12:00:00 " + lines[verdict] + "\n")
else:
    sys.exit(f"unexpected arguments {arguments}")
