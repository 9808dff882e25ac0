# SPDX-License-Identifier: MIT
"""Certificates that are renewed while the service runs: who gets which, and what the log says."""

import concurrent.futures
import contextlib
import datetime
import os
import shutil
import signal
import ssl
import tempfile
import threading
import time
import unittest

import runner
from certificates import make_certificate, make_dated_certificate
from https_service import HttpsService, exchange

READ_AGAIN = r"certificates: read again, for new connections\n"
KEPT = r"certificates: the old ones stay in use\n"
THREADS = 4


def replace(pair, with_pair):
    """As a careful administrator does it: each file at once, the certificate first."""
    for target, source in zip(pair, with_pair):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)


def der(certificate):
    with open(certificate, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def served(service):
    with service.tls() as client:
        if exchange(client, "/update")[0][:13] != b"HTTP/1.1 200 ":
            raise ConnectionError("no update")
        return client.getpeercert(binary_form=True)


class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.pair = make_certificate(self.folder)
        # Elsewhere: what is replaced may be all that the service can read.
        self.renewed = [make_certificate(self.enterContext(tempfile.TemporaryDirectory())) for _ in range(2)]

    def reloaded(self, service, act, pattern=READ_AGAIN):
        service.log = b""
        act()
        return service.await_log(pattern)

    @contextlib.contextmanager
    def load(self, service):
        """Full handshakes, each with a request, in several threads: not one may fail. Yields which certificates came
        how often."""
        stop, seen, lock = threading.Event(), {}, threading.Lock()

        def ask():
            while not stop.is_set():
                certificate = served(service)
                with lock:
                    seen[certificate] = seen.get(certificate, 0) + 1

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            asking = [pool.submit(ask) for _ in range(THREADS)]
            try:
                yield seen
            finally:
                stop.set()
            for each in asking:
                each.result()

    @staticmethod
    def await_more(seen, certificate, count=20):
        deadline = time.monotonic() + 60
        wanted = seen.get(certificate, 0) + count
        while seen.get(certificate, 0) < wanted:
            if time.monotonic() > deadline:
                raise AssertionError("the certificate is not served")
            time.sleep(0.01)

    def test_under_load_by_replacing_the_files(self):
        with HttpsService([self.pair]) as service, self.load(service) as seen:
            self.await_more(seen, der(self.pair[0]))
            for renewed in self.renewed:
                self.reloaded(service, lambda renewed=renewed: replace(self.pair, renewed))
                self.await_more(seen, der(renewed[0]))
            self.assertEqual(len(seen), 3)

    def test_under_load_by_sighup(self):
        with HttpsService([self.pair]) as service, self.load(service) as seen:
            self.await_more(seen, der(self.pair[0]))
            for renewed in self.renewed * 3:
                # The signal alone is what makes it quick: the files would be looked at two seconds later.
                replace(self.pair, renewed)
                self.reloaded(service, lambda: service.process.send_signal(signal.SIGHUP))
                self.await_more(seen, der(renewed[0]))

    def test_open_connections_go_on(self):
        with HttpsService([self.pair]) as service, service.tls() as client:
            replace(self.pair, self.renewed[0])
            self.reloaded(service, lambda: service.process.send_signal(signal.SIGHUP))
            self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")
            self.assertEqual(served(service), der(self.renewed[0][0]))

    def test_the_layout_of_certbot(self):
        """live/<name>/ has links to archive/<name>/; renewed are new files there, and then the links."""
        live, archive = os.path.join(self.folder, "live", "x"), os.path.join(self.folder, "archive", "x")
        os.makedirs(live)
        os.makedirs(archive)

        def renew(number, source):
            for name, file in zip(("fullchain", "privkey"), source):
                shutil.copy(file, f"{archive}/{name}{number}.pem")
                link = f"{live}/{name}.pem"
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(link)  # as certbot does it: for a moment there is none
                os.symlink(f"../../archive/x/{name}{number}.pem", link)

        renew(1, self.pair)
        pair = f"{live}/fullchain.pem", f"{live}/privkey.pem"
        with HttpsService([pair], rest="[security]\n  sandbox = true\n") as service, self.load(service) as seen:
            self.await_more(seen, der(self.pair[0]))
            for number, renewed in enumerate(self.renewed, start=2):
                self.reloaded(service, lambda number=number, renewed=renewed: renew(number, renewed))
                self.await_more(seen, der(renewed[0]))

    def test_files_that_will_not_do_keep_the_old_certificate(self):
        old = der(self.pair[0])
        garbage = os.path.join(self.folder, "garbage")
        with open(garbage, "w", encoding="ascii") as file:
            file.write("-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n")
        empty = os.path.join(self.folder, "empty")
        with open(empty, "w", encoding="ascii"):
            pass
        secret = make_certificate(self.folder, "encrypted", passphrase="TopSecret")
        with HttpsService([self.pair]) as service:
            for what, broken, expected in (
                    ("garbage", (garbage, self.pair[1]), "the certificate is not valid PEM"),
                    ("nothing", (empty, self.pair[1]), "the certificate is not valid PEM"),
                    ("the certificate is newer", (self.renewed[0][0], self.pair[1]), "the key does not belong to the first certificate"),
                    ("the key is newer", (self.pair[0], self.renewed[0][1]), "the key does not belong to the first certificate"),
                    ("an encrypted key", secret, "the key is encrypted")):
                with self.subTest(what):
                    kept = self.backup()
                    message = self.reloaded(service, lambda broken=broken: replace(self.pair, broken), KEPT)
                    self.assertIn(expected, message.string)
                    self.assertEqual(served(service), old)
                    # Repaired, it is taken over, with nothing else done.
                    self.reloaded(service, lambda kept=kept: replace(self.pair, kept))
                    self.assertEqual(served(service), old)
            with self.subTest("a key that others can read"):
                message = self.reloaded(service, lambda: os.chmod(self.pair[1], 0o644), KEPT)
                self.assertIn("everybody on this machine can use the key", message.string)
                self.assertEqual(served(service), old)
                self.reloaded(service, lambda: os.chmod(self.pair[1], 0o600))
            with self.subTest("no file"):
                kept = self.backup()
                message = self.reloaded(service, lambda: os.unlink(self.pair[1]), KEPT)
                self.assertIn("cannot be read: No such file or directory", message.string)
                self.assertEqual(served(service), old)
                self.reloaded(service, lambda: replace(self.pair, kept))
            # The certificate first, its key a while later: in between the old pair serves.
            self.reloaded(service, lambda: shutil.copy(self.renewed[1][0], self.pair[0]), KEPT)
            self.assertEqual(served(service), old)
            self.reloaded(service, lambda: shutil.copy(self.renewed[1][1], self.pair[1]))
            self.assertEqual(served(service), der(self.renewed[1][0]))

    def backup(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        return [shutil.copy(file, folder) for file in self.pair]

    def test_days_left(self):
        now = datetime.datetime.now(datetime.timezone.utc)

        def made(name, begin, end):
            times = [f"{now + datetime.timedelta(days=days, hours=1):%Y%m%d%H%M%SZ}" for days in (begin, end)]
            return make_dated_certificate(self.folder, name, not_before=times[0], not_after=times[1])

        for name, begin, end, expected in (("long", -5, 60, r"info: certificate \S+: days_left=60\n"),
                                           ("short", -80, 5, r"warning: certificate \S+: days_left=5: it expires soon"),
                                           ("over", -90, -3, r"error: certificate \S+: days_left=-3: it has expired")):
            source = made(name, begin, end)
            pair = [shutil.copy(file, self.enterContext(tempfile.TemporaryDirectory())) for file in source]
            # At the start; whoever does not look at dates is served.
            with HttpsService([pair]) as service:
                service.await_log(expected)
                self.assertEqual(served(service), der(source[0]))
            # And when it is read again.
            pair = [shutil.copy(file, self.enterContext(tempfile.TemporaryDirectory())) for file in self.pair]
            with HttpsService([pair]) as service:
                self.reloaded(service, lambda: (replace(pair, source), service.process.send_signal(signal.SIGHUP)), expected)

    def test_an_rsa_certificate_alone_is_warned_about_and_not_with_an_ecdsa_one_beside_it(self):
        warning = r"warning: certificate \S+rsa\.crt: its key is RSA, which Windows Server 2012 R2 "
        rsa = make_certificate(self.folder, "rsa", rsa=True)
        with HttpsService([rsa]) as service:
            service.await_log(warning)
        with HttpsService([self.pair, rsa]) as service:
            service.await_log(r"days_left=")
            self.assertNotRegex(service.log.decode(), "RSA")
        # Each name counts, and a certificate that is read again.
        other = make_certificate(self.folder, "other-rsa", hosts=("other.example.com",), rsa=True)
        with HttpsService([self.pair, other]) as service:
            service.await_log(warning.replace("rsa", "other-rsa"))
        pair = [shutil.copy(file, self.enterContext(tempfile.TemporaryDirectory())) for file in self.pair]
        with HttpsService([pair]) as service:
            self.reloaded(service, lambda: (replace(pair, rsa), service.process.send_signal(signal.SIGHUP)),
                          r"warning: certificate \S+: its key is RSA, which Windows Server 2012 R2 ")


if __name__ == "__main__":
    runner.run()
