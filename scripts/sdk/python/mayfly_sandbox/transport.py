"""HTTP: one connection for each request, as the server has it."""
from __future__ import annotations

import http.client
import json
import os
import re
import urllib.parse
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from .errors import AuthenticationError, Busy, ConnectionFailed, InvalidRequest, NotFound, SandboxError, ServerError, SessionLimitReached, SessionNotFound

DEFAULT_URL = "http://127.0.0.1:8080"
_NO_SESSION = re.compile(r"Session .* not found", re.DOTALL)


class Transport:
    """Where the server is and who asks. timeout: seconds without a byte from it, beyond what a program may take."""

    def __init__(self, base_url: Optional[str], api_key: Optional[str], token: Optional[str], timeout: float) -> None:
        url = urllib.parse.urlsplit(base_url or os.environ.get("MAYFLY_URL") or DEFAULT_URL)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise InvalidRequest(f"base_url must be http://host[:port] or https://host[:port], not {base_url!r}")
        self.url = url
        self.timeout = timeout
        self.headers = {"Connection": "close", "Accept": "application/json"}
        api_key = api_key or os.environ.get("EXECUTOR_API_KEY")
        token = token or os.environ.get("MAYFLY_TOKEN")
        if api_key:
            self.headers["X-API-Key"] = api_key
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def _send(self, method: str, path: str, body: Optional[bytes], headers: Mapping[str, str],
              wait: float) -> Tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(self.url.hostname), self.url.port, timeout=self.timeout + wait)
        try:
            connection.request(method, self.url.path.rstrip("/") + path, body, {**self.headers, **headers})
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionFailed(f"{self.url.geturl()}: {error or type(error).__name__}") from error

    def raw(self, method: str, path: str, body: Optional[bytes] = None, content_type: str = "application/octet-stream", wait: float = 0) -> bytes:
        """Sends bytes, returns bytes. wait: seconds that the server may take for what is asked."""
        headers = {"Content-Type": content_type} if body is not None else {}
        connection, reply = self._send(method, path, body, headers, wait)
        try:
            data = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionFailed(f"{self.url.geturl()}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if reply.status >= 400:
            raise error_of(reply.status, data, reply.headers)
        return data

    def json(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None, wait: float = 0) -> Dict[str, Any]:
        """Sends and returns a JSON object; what is none, or says that there is no such session, is an exception."""
        text = None if body is None else json.dumps(body).encode()
        return checked(self.raw(method, path, text, "application/json", wait))

    def events(self, path: str, body: Mapping[str, Any], wait: float) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """POSTs and yields server-sent events as they come: (type, data). An error is raised."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        connection, reply = self._send("POST", path, json.dumps(body).encode(), headers, wait)
        try:
            if reply.status >= 400:
                raise error_of(reply.status, reply.read(), reply.headers)
            if not reply.headers.get("Content-Type", "").startswith("text/event-stream"):
                yield "result", checked(reply.read())
                return
            for kind, data in _parse_events(reply):
                if kind == "error":
                    raise error_of(int(data.get("statusCode") or data.get("status_code") or 500), json.dumps(data).encode(), {})
                yield kind, checked(json.dumps(data).encode()) if kind == "result" else data
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionFailed(f"{self.url.geturl()}: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _parse_events(reply: http.client.HTTPResponse) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """The HTML standard, section 9.2.6; data is one object of JSON."""
    kind, lines = "message", []
    for line in reply:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            if lines:
                value = json.loads("\n".join(lines))
                yield kind, value if isinstance(value, dict) else {"value": value}
            kind, lines = "message", []
        elif not text.startswith(":"):
            name, _, value = text.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "event":
                kind = value
            elif name == "data":
                lines.append(value)


def checked(data: bytes) -> Dict[str, Any]:
    """A reply of status 200."""
    try:
        reply = json.loads(data)
    except ValueError as error:
        raise ServerError("the server answered what is no JSON", 200) from error
    if not isinstance(reply, dict):
        raise ServerError("the server answered what is no JSON object", 200)
    message = reply.get("error")
    if reply.get("status") == "error" and "stdout" not in reply and isinstance(message, str) and _NO_SESSION.match(message):
        raise SessionNotFound(message, 200)
    return reply


def _message_of(data: bytes) -> str:
    try:
        reply = json.loads(data)
    except ValueError:
        return data[:200].decode("utf-8", "replace") or "no reason was given"
    if isinstance(reply, dict):
        for name in ("message", "error"):
            if isinstance(reply.get(name), str):
                return reply[name]
    return str(reply)[:200]


def error_of(status: int, data: bytes, headers: Mapping[str, str]) -> SandboxError:
    """The exception for a reply of 400 and more."""
    message = _message_of(data)
    if _NO_SESSION.match(message):
        return SessionNotFound(message, status)
    if message.startswith("Maximum session limit reached"):
        return SessionLimitReached(message, status)
    if status in (401, 403):
        return AuthenticationError(message, status)
    if status == 404:
        return NotFound(message, status)
    if status in (409, 429, 503):
        after = headers.get("Retry-After") or ""
        return Busy(message, status, int(after) if after.isdigit() else None)
    return ServerError(message, status) if status >= 500 else InvalidRequest(message, status)
