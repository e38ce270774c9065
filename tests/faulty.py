"""Servers that fail in all the ways in which networks do, and a proxy that begins to fail in the middle."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

PAGE = b"<html><body>Bad gateway</body></html>"


def _message(
    body: bytes, *, status: str = "200 OK", length: int | None = None, kind: str = "application/json"
) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class Fault:
    """One caller, and how it is treated."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connection, self.over = connection, over

    def read_request(self) -> None:
        text = b""
        while b"\r\n\r\n" not in text:
            more = self.connection.recv(65536)
            if not more:
                return
            text += more

    def answer(self, message: bytes) -> None:
        self.read_request()
        self.connection.sendall(message)

    def stall(self) -> None:
        self.over.wait()

    def stall_after_the_request(self) -> None:
        self.read_request()
        self.over.wait()

    def stall_in_the_answer(self) -> None:
        self.answer(_message(b'{"experiments":', length=1000))
        self.over.wait()

    def drip(self) -> None:
        """A byte now and then: no limit of a single read ever passes."""
        self.answer(_message(b"{", length=1_000_000))
        while not self.over.wait(0.05):
            self.connection.sendall(b" ")

    def drip_the_head(self) -> None:
        self.read_request()
        self.connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.over.wait(0.05):
            self.connection.sendall(b"x")

    def hang_up(self) -> None:
        self.read_request()

    def reset(self) -> None:
        self.read_request()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def truncate(self) -> None:
        self.answer(_message(b'{"experiments": [{"experiment_id": "1"', length=1000))

    def say_error(self) -> None:
        self.answer(_message(b"", status="500 Internal Server Error"))

    def say_later(self) -> None:
        self.answer(
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )

    def say_not_found(self) -> None:
        self.answer(_message(PAGE, status="404 Not Found", kind="text/html"))

    def say_page(self) -> None:
        self.answer(_message(PAGE, kind="text/html"))

    def say_garbage(self) -> None:
        self.answer(_message(b'{"experiments": 5}'))

    def say_noise(self) -> None:
        self.answer(b"\x00\xff" * 500)

    def go_round(self) -> None:
        self.answer(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


FAULTS = {
    name: fault
    for name, fault in vars(Fault).items()
    if callable(fault) and name not in ("__init__", "read_request", "answer")
}
"""Name -> what is done to a caller."""


@contextmanager
def listening(treat: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A port of this machine whose callers are treated each in a thread, with an event that is set at the end."""
    over, threads = threading.Event(), []

    def treated(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            treat(connection, over)

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=treated, args=(server.accept()[0],), daemon=True)
                threads.append(thread)
                thread.start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        acceptor = threading.Thread(target=accept, args=(server,))
        acceptor.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            acceptor.join()


@contextmanager
def failing(fault: str) -> Iterator[int]:
    """The port of a server that does this to all who call."""

    def treat(connection: socket.socket, over: threading.Event) -> None:
        FAULTS[fault](Fault(connection, over))

    with listening(treat) as port:
        yield port


@contextmanager
def swallowing() -> Iterator[int]:
    """A port whose callers hear nothing at all, as behind a firewall: its queue is full, and nobody takes from it."""
    with socket.socket() as server, ExitStack() as queue:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


class Proxy:
    """A way to another port of this machine, which fails from the call after the first so many on."""

    def __init__(self, to: int, fault: str = "", *, after: int = 0) -> None:
        self.to, self.fault, self.after = to, fault, after
        self.calls = 0
        """How often it was called. Every call is one request: the server is asked to close each connection."""
        self._counting = threading.Lock()

    def treat(self, connection: socket.socket, over: threading.Event) -> None:
        with self._counting:
            self.calls += 1
            fails = self.fault and self.calls > self.after
        if fails:
            FAULTS[self.fault](Fault(connection, over))
        else:
            _forward(connection, self.to)


def _forward(connection: socket.socket, port: int) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            return
        head += more
    with socket.create_connection(("127.0.0.1", port)) as server:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        server.sendall(b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]))
        sender = threading.Thread(target=_pump, args=(connection, server), daemon=True)
        sender.start()
        _pump(server, connection)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
