"""HTTP of the loopback server: requests in, answers out, and what goes wrong between them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import traceback
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .faults import ApiError, Fault, Raw, error_body, html_page
from .records import Request

if TYPE_CHECKING:
    from .server import LoopbackIBM

__all__ = ["HttpServer", "decoded"]


class HttpServer(ThreadingHTTPServer):
    """Serves a bound socket and knows its open connections, so that it can hang up on them."""

    request_queue_size = 64

    def __init__(self, listener: socket.socket, cloud: LoopbackIBM) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.cloud = cloud
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def begin(self) -> None:
        self.server_activate()
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up, or on whom we hung up, is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # without it, each answer waits 40 ms for the client's acknowledgement
    disable_nagle_algorithm = True
    server: HttpServer

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet; the log is kept by the server."""

    def _handle(self) -> None:
        cloud = self.server.cloud
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        if parts.path == "/control" or parts.path.startswith("/control/"):
            self._control(request)
            return
        with cloud._lock:
            cloud.log.append(request)
            fault = next((f for f in cloud.faults if f.strikes(request.method, request.path)), None)
        request.fault = fault.kind if fault else ""
        if fault is not None and fault.kind == "delay":
            time.sleep(fault.seconds)
            fault = None
        status, body = 0, None
        if fault is None or fault.takes_effect:
            try:
                status, body = cloud.answer(request)
            except ApiError as error:
                status, body = error.status, error.body
            except Exception:
                status, body = 500, {"errors": [{"code": 1000, "message": traceback.format_exc()}]}
        if fault is not None:
            self._go_wrong(fault, request, status, body)
            return
        request.status = status
        self._send(status, body)

    def _go_wrong(self, fault: Fault, request: Request, status: int, body: Any) -> None:
        """Answer as the fault wants it; status and body are what was right."""
        headers = {}
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        if fault.kind == "status":
            status, body = fault.status, error_body(fault.status)
        elif fault.kind == "html":
            status, body = fault.status, html_page(fault.status)
        elif fault.kind == "null":
            status, body = 200, Raw(b"null")
        elif fault.kind == "empty":
            status, body = 200, Raw(b"")
        elif fault.kind in ("plain", "truncated"):
            data = encoded(body).data
            half = data[: len(data) // 2]
            body = Raw(data, "text/plain") if fault.kind == "plain" else Raw(half)
        elif fault.change is not None:
            status, body = fault.change(status, body)
        request.status = status
        if fault.kind == "hang":
            self._hang()
        if fault.kind in ("drop", "hang"):
            self._hang_up()
            return
        self._send(status, body, headers, cut=fault.kind == "cut", slow=fault.seconds)

    def _hang(self) -> None:
        cloud = self.server.cloud
        with cloud._wake:
            before = cloud._clearings
            cloud._wake.wait_for(lambda: cloud._stopping or cloud._clearings != before)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _control(self, request: Request) -> None:
        cloud = self.server.cloud
        try:
            if request.method == "POST":
                self._send(200, cloud.control(decoded(request)))
            elif request.path == "/control/log":
                with cloud._lock:
                    rows = [
                        {**asdict(entry), "body": entry.body.decode("utf-8", "replace")}
                        for entry in cloud.log
                    ]
                self._send(200, rows)
            else:
                self._send(200, cloud.status())
        except (ValueError, TypeError, KeyError, IndexError) as error:
            self._send(400, {"error": f"{type(error).__name__}: {error}"})

    def _send(
        self,
        status: int,
        body: Any,
        headers: dict[str, str] | None = None,
        cut: bool = False,
        slow: float = 0.0,
    ) -> None:
        raw = encoded(body)
        data = raw.data
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", raw.content_type)
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status == 204:
            data = b""
        if slow > 0 and data:
            self._trickle(data, slow)
        else:
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.wfile.flush()
        if cut:
            self._hang_up()

    def _trickle(self, data: bytes, seconds: float) -> None:
        cloud = self.server.cloud
        before, pause = cloud._clearings, seconds / len(data)
        for at in range(len(data)):
            self.wfile.write(data[at : at + 1])
            self.wfile.flush()
            if cloud._stopping or cloud._clearings != before:
                pause = 0.0
            time.sleep(pause)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def encoded(body: Any) -> Raw:
    if isinstance(body, Raw):
        return body
    if body is None:
        return Raw(b"")
    if isinstance(body, str):
        return Raw(body.encode(), "text/plain")
    return Raw(json.dumps(body).encode())


def decoded(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except json.JSONDecodeError as error:
        raise ApiError(400, 3220, f"Payload not valid: {error}") from None
    if not isinstance(body, dict):
        raise ApiError(400, 3220, "Payload not valid: wanted an object.")
    return body
