"""A web server on this machine for the download tests. Its paths misbehave in the ways real servers do."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Route = Callable[["Handler"], None]
PIECE = 4096  # bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.asked.append((self.path, self.headers["Range"]))
        try:
            self.server.routes.get(self.path, status(404))(self)
        except ConnectionError:  # the client hung up
            pass

    def log_message(self, *arguments) -> None:
        """Keep the test report clean."""


class LocalServer(ThreadingHTTPServer):
    """Serves ``routes`` (path -> route) on 127.0.0.1 and remembers in ``asked`` each (path, Range header)."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Route] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def add(self, path: str, route: Route) -> str:
        """Serve ``route`` at ``path`` and return its address."""
        self.routes[path] = route
        return f"http://127.0.0.1:{self.server_port}{path}"

    def stop(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


def status(code: int) -> Route:
    """Answer with an error code."""
    return lambda handler: handler.send_error(code)


def head(handler: Handler, code: int, **headers) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.send_header("Connection", "close")
    handler.end_headers()


def redirect(location: str) -> Route:
    """Send the client to another address."""
    return lambda handler: head(handler, 302, Location=location, Content_Length=0)


def send(
    data: bytes,
    ranges: bool = True,  # whether a Range header is obeyed
    says_size: bool = True,  # whether there is a Content-Length
    stop_after: int | None = None,  # close the connection after so many bytes of one answer
    stall_after: int | None = None,  # send nothing more after so many bytes, with the connection left open
    pause_s: float = 0.0,  # before each piece of 4096 bytes
    ranges_from: int | None = None,  # where the answers to ranges begin, whatever was asked
) -> Route:
    """Send a file, well or badly."""

    def route(handler: Handler) -> None:
        start, code, headers = 0, 200, {}
        if ranges and handler.headers["Range"]:
            asked = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            start, code = asked if ranges_from is None else ranges_from, 206
            if start >= len(data):
                return handler.send_error(416)
            headers = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        body = data[start:]
        head(handler, code, **headers, **({"Content_Length": len(body)} if says_size else {}))
        for at in range(0, len(body), PIECE):
            if stop_after is not None and at >= stop_after:
                return
            stalls = stall_after is not None and at >= stall_after
            if handler.server.closing.wait(10 if stalls else pause_s) or stalls:
                return
            handler.wfile.write(body[at : at + PIECE])

    return route
