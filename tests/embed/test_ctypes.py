# SPDX-License-Identifier: MIT
"""The C interface from another language, by ctypes: a deposit, its installer, and its end. The structures are those of
pairport.h."""

import ctypes
import os
import pathlib
import time
import unittest

import runner

BUILD = pathlib.Path(os.environ.get("PAIRPORT_BUILD", runner.ROOT / "build" / "release"))
OK, INVALID_ARGUMENT, NOT_FOUND = 0, -5, -10


class String(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]

    def __init__(self, value=b""):
        super().__init__(value, len(value))


class View(ctypes.Structure):
    """A string of the library's: its bytes are not NUL-terminated."""
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    def bytes(self):
        return ctypes.string_at(self.data, self.size)


class Now(ctypes.Structure):
    _fields_ = [("monotonic_ms", ctypes.c_uint64), ("unix_seconds", ctypes.c_int64)]

    def __init__(self):
        super().__init__(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000, int(time.time()))


class Sized(ctypes.Structure):
    """A structure that begins with its own size."""

    def __init__(self, **members):
        super().__init__(size=ctypes.sizeof(type(self)), **members)


class NewDeposit(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("connect_url", String), ("fingerprint", String), ("client_id", String), ("password", String),
                ("ttl_ms", ctypes.c_uint64), ("max_uses", ctypes.c_uint32)]


class Deposited(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("code", ctypes.c_char * 33), ("expires_ms", ctypes.c_uint64), ("expires_unix", ctypes.c_int64)]


class Credentials(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("connect_url", View), ("client_id", View), ("password", View),
                ("fingerprint", ctypes.c_uint8 * 16), ("expires_ms", ctypes.c_uint64)]


class Request(Sized):
    _fields_ = ([("size", ctypes.c_size_t), ("method", ctypes.c_int)] +
                [(name, String) for name in ("target", "user_agent", "accept", "accept_encoding", "content_type", "if_none_match",
                                             "if_range", "range", "body")] +
                [("address", ctypes.c_uint8 * 16)])


class Ctypes(unittest.TestCase):
    def setUp(self):
        self.library = ctypes.CDLL(str(BUILD / "lib" / "libpairport_service.so"))
        options = ctypes.create_string_buffer(4096)  # a later version's, of which nothing is set
        self.assertEqual(self.library.pairport_options_init(options, ctypes.c_size_t(len(options))), OK)
        self.service, self.response = ctypes.c_void_p(), ctypes.c_void_p()
        message = ctypes.create_string_buffer(256)
        self.now = Now()
        result = self.library.pairport_service_create(options, ctypes.byref(self.now), ctypes.byref(self.service), message,
                                                      ctypes.c_size_t(len(message)))
        self.assertEqual((result, message.value), (OK, b""))
        self.addCleanup(self.library.pairport_service_destroy, self.service)
        self.assertEqual(self.library.pairport_response_create(self.service, ctypes.byref(self.response)), OK)
        self.addCleanup(self.library.pairport_response_destroy, self.response)

    def deposit(self, **changed):
        values = {"connect_url": b"http://rport.example.com:8080", "fingerprint": b":".join([b"2a"] * 16), "client_id": b"client1",
                  "password": b"it's"} | changed
        given = NewDeposit(**{name: String(value) for name, value in values.items()})
        made = Deposited()
        message = ctypes.create_string_buffer(512)
        result = self.library.pairport_deposit(self.service, ctypes.byref(given), ctypes.byref(self.now), ctypes.byref(made), message,
                                               ctypes.c_size_t(len(message)))
        return result, made, message.value.decode()

    def look_up(self, code):
        found = Credentials()
        return self.library.pairport_look_up(self.service, String(code), ctypes.byref(self.now), ctypes.byref(found)), found

    def get(self, code):
        request = Request(target=String(b"/" + code))
        self.assertEqual(self.library.pairport_handle(self.service, ctypes.byref(request), ctypes.byref(self.now), self.response), OK)
        fragments = (View * 4)()
        self.library.pairport_response_body.restype = ctypes.c_size_t
        count = self.library.pairport_response_body(self.response, fragments)
        return self.library.pairport_response_status(self.response), b"".join(view.bytes() for view in fragments[:count])

    def test_a_deposit_is_found_handed_out_and_revoked(self):
        result, made, message = self.deposit()
        self.assertEqual((result, message), (OK, ""))
        self.assertRegex(made.code, rb"\A[A-Za-z0-9]{10}\Z")
        self.assertEqual(made.expires_ms, self.now.monotonic_ms + 600_000)
        self.assertEqual(made.expires_unix, self.now.unix_seconds + 600)
        result, found = self.look_up(made.code)
        self.assertEqual(result, OK)
        self.assertEqual((found.connect_url.bytes(), found.client_id.bytes(), found.password.bytes()),
                         (b"http://rport.example.com:8080", b"client1", b"it's"))
        self.assertEqual(bytes(found.fingerprint), b"\x2a" * 16)
        status, script = self.get(made.code)
        self.assertEqual(status, 200)
        self.assertIn(rb"'it'\''s'", script)
        self.assertEqual(self.library.pairport_revoke(self.service, String(made.code), ctypes.byref(self.now)), OK)
        self.assertEqual(self.get(made.code)[0], 404)
        self.assertEqual(self.look_up(made.code)[0], NOT_FOUND)
        self.assertEqual(self.library.pairport_revoke(self.service, String(made.code), ctypes.byref(self.now)), NOT_FOUND)

    def test_a_wrong_deposit_is_explained_without_its_values(self):
        result, made, message = self.deposit(connect_url=b"ftp://secret", client_id=b"a:b")
        self.assertEqual((result, made.code), (INVALID_ARGUMENT, b""))
        self.assertRegex(message, "connect_url.*client_id")
        self.assertNotIn("secret", message)


if __name__ == "__main__":
    runner.run()
