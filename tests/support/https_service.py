# SPDX-License-Identifier: MIT
"""A pairport with HTTPS, next to the same service over plain HTTP, and what a test says to it.

    certificate = make_certificate(folder)
    with HttpsService([certificate]) as service, service.tls() as client:
        head, body = exchange(client, "/update")
"""

import contextlib
import os
import re
import signal
import socket
import ssl

from pairport_process import Pairport


def toml(values):
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def trusting_all(**options):
    """A context of a client that takes any certificate, and whose connections tell a truncation from an end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in options.items():
        setattr(context, name, value)
    return context


def client_hello(**options):
    outgoing = ssl.MemoryBIO()
    client = trusting_all(**options).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def thread_policies(pid):
    """By thread: how the kernel schedules it, such as os.SCHED_BATCH."""
    policies = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8", errors="replace") as stat:
            # The 41st field of proc(5), counted behind the name, which is the second.
            policies[int(thread)] = int(stat.read().rpartition(")")[2].split()[38])
    return policies


class HttpsService(Pairport):
    """`port` is the plain one, `tls_port` that of HTTPS; `certificates` are pairs of paths."""

    def __init__(self, certificates, server="", rest="", addresses=("http://127.0.0.1:0", "https://127.0.0.1:0"), wrapper=()):
        super().__init__(f'[server]\n  address = {toml(addresses)}\n  tls_cert = {toml(pair[0] for pair in certificates)}\n'
                         f'  tls_key = {toml(pair[1] for pair in certificates)}\n{server}\n{rest}', wrapper=wrapper)

    def _await_ready(self, seconds=60):
        super()._await_ready(seconds)
        self.tls_port = next(int(address.rpartition(":")[2]) for address in self.addresses if address.startswith("https"))

    def check_log(self):
        super().check_log()
        log = self.log.decode(errors="replace")
        if "Sanitizer" in log or "runtime error" in log or self.process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"exit code {self.process.returncode}:\n{log}")

    def tls(self, context=None, host="localhost", source="127.0.0.1", session=None, receive_buffer=None):
        """A connection, its handshake done."""
        raw = self.raw(source, receive_buffer)
        try:
            return (context or trusting_all()).wrap_socket(raw, server_hostname=host, suppress_ragged_eofs=False, session=session)
        except BaseException:
            raw.close()
            raise

    def raw(self, source="127.0.0.1", receive_buffer=None):
        """A connection to the port of HTTPS that has said nothing."""
        client = socket.socket()
        try:
            client.settimeout(30)
            if receive_buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.bind((source, 0))
            client.connect(("127.0.0.1", self.tls_port))
        except BaseException:
            client.close()
            raise
        return client

    def await_log(self, pattern, seconds=30):
        """Reads on until a line of the log matches, and returns the match; `log` keeps what came before."""
        while not (match := re.search(pattern, self.log.decode(errors="replace"))):
            if not self._read_log(seconds):
                raise AssertionError(f"{pattern!r} is not in the log:\n" + self.log.decode(errors="replace"))
        return match


def read_answer(reader, method="GET"):
    """The head and the body of the next answer of a connection's file object."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline()
        if not line:
            raise ConnectionError("closed before the end of a head: " + repr(head))
        head += line
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    size = int(length[1]) if length and method != "HEAD" else 0
    body = reader.read(size)
    if len(body) != size:
        raise ConnectionError("the answer was cut off")
    return head, body


def request(target, method="GET", *, agent="curl/7.88.1", close=False, headers=""):
    return (f"{method} {target} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n{headers}"
            + ("Connection: close\r\n" if close else "") + "\r\n").encode()


def exchange(client, target, **how):
    """One request on a connection of its own; the answer must be whole and its end told, if the connection has one."""
    client.sendall(request(target, close=True, **how))
    with client.makefile("rb") as reader:
        answer = read_answer(reader, how.get("method", "GET"))
        if reader.read() != b"":
            raise ConnectionError("something stands behind the answer")
    return answer


def receive_all(client):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return received
