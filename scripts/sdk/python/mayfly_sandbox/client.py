"""The server's routes, one method each. CodeSandbox and SessionManager are made of these."""
from __future__ import annotations

import base64
import os
import urllib.parse
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from .errors import ServerError
from .results import Event, ExecutionResult, FileInfo
from .transport import Transport

#: What a file may be given as: text, bytes, or {"content", "encoding"} and {"id"} as the server has them.
FileContent = Union[str, bytes, Mapping[str, str]]
Files = Mapping[str, FileContent]
OutputHandler = Callable[[str], Any]

LONGEST_PROGRAM_S = 3600.0


class Session(str):
    """A session's id, with what is known of it. It can be passed wherever an id can."""

    template: str
    ttl: int

    def __new__(cls, session_id: str, template: str = "default", ttl: int = 300) -> "Session":
        session = super().__new__(cls, session_id)
        session.template = template
        session.ttl = ttl
        return session

    @property
    def session_id(self) -> str:
        return str(self)


class Client:
    """A server, and who asks it.

    base_url: else MAYFLY_URL, else http://127.0.0.1:8080. api_key: else EXECUTOR_API_KEY. token:
    else MAYFLY_TOKEN. tenant_id, scope: whom programs and sessions belong to. timeout: seconds to
    wait for the server, beyond what a program may take.
    """

    def __init__(self, base_url: Optional[str] = None, *, api_key: Optional[str] = None, token: Optional[str] = None, tenant_id: str = "default",
                 scope: str = "default", timeout: float = 60.0) -> None:
        self.tenant_id = tenant_id
        self.scope = scope
        self._transport = Transport(base_url, api_key, token, timeout)

    # --- programs -----------------------------------------------------------------------------------

    def execute(self, code: str, language: str = "python", *, template: str = "default", files: Optional[Files] = None, timeout: Optional[int] = None,
                on_stdout: Optional[OutputHandler] = None, on_stderr: Optional[OutputHandler] = None) -> ExecutionResult:
        """Runs a program in a container of its own. timeout: seconds, 1 to 3600; else the
        template's. on_stdout, on_stderr: called with output as it comes."""
        return self._run("/execute", self._program(code, language, template, files, timeout), timeout, on_stdout, on_stderr)

    def stream(self, code: str, language: str = "python", *, template: str = "default", files: Optional[Files] = None,
               timeout: Optional[int] = None) -> Iterator[Event]:
        """The same, as events; the last one has the result."""
        return self._events("/execute", self._program(code, language, template, files, timeout), timeout)

    def execute_cells(self, cells: Sequence[str], language: str = "python", *, template: str = "default", files: Optional[Files] = None,
                      timeout: Optional[int] = None) -> ExecutionResult:
        """Runs cells in order in one fresh container; the result's cells are theirs."""
        body = self._program(None, language, template, files, timeout)
        body["cells"] = list(cells)
        return self._run("/execute", body, None, None, None)

    def _program(self, code: Optional[str], language: str, template: str, files: Optional[Files], timeout: Optional[int]) -> Dict[str, Any]:
        body = _optional(code=code, timeout=timeout, files=_encoded(files))
        return {"tenant_id": self.tenant_id, "scope": self.scope, "language": language, "template": template, **body}

    def _events(self, path: str, body: Mapping[str, Any], timeout: Optional[int]) -> Iterator[Event]:
        for kind, data in self._transport.events(path, body, timeout or LONGEST_PROGRAM_S):
            yield Event(kind, data, ExecutionResult.from_reply(data) if kind == "result" else None)

    def _run(self, path: str, body: Mapping[str, Any], timeout: Optional[int], on_stdout: Optional[OutputHandler],
             on_stderr: Optional[OutputHandler]) -> ExecutionResult:
        if not on_stdout and not on_stderr:
            return ExecutionResult.from_reply(self._transport.json("POST", path, body, timeout or LONGEST_PROGRAM_S))
        handlers = {"stdout": on_stdout, "stderr": on_stderr}
        for event in self._events(path, body, timeout):
            handler = handlers.get(event.type)
            if handler:
                handler(event.text)
            if event.result:
                return event.result
        raise ServerError("the server ended its events without a result", 200)

    # --- sessions -----------------------------------------------------------------------------------

    def create_session(self, template: str = "default", ttl: int = 300) -> Session:
        """A container that stays. ttl: seconds without use after which it is gone."""
        reply = self._transport.json("POST", "/session/create", {"tenant_id": self.tenant_id, "scope": self.scope, "template": template, "ttl": ttl})
        return Session(reply["session_id"], reply.get("template", template), reply.get("ttl", ttl))

    def execute_in_session(self, session_id: str, code: str, language: str = "python", *, files: Optional[Files] = None, timeout: Optional[int] = None,
                           on_stdout: Optional[OutputHandler] = None, on_stderr: Optional[OutputHandler] = None) -> ExecutionResult:
        """Runs a cell: files and the interpreter's state stay for the next one."""
        return self._run("/session/execute", self._cell(session_id, code, language, files, timeout), timeout, on_stdout, on_stderr)

    def stream_in_session(self, session_id: str, code: str, language: str = "python", *, files: Optional[Files] = None,
                          timeout: Optional[int] = None) -> Iterator[Event]:
        """The same, as events; the last one has the result."""
        return self._events("/session/execute", self._cell(session_id, code, language, files, timeout), timeout)

    def _cell(self, session_id: str, code: str, language: str, files: Optional[Files], timeout: Optional[int]) -> Dict[str, Any]:
        body = _optional(timeout=timeout, files=_encoded(files))
        return {"session_id": str(session_id), "tenant_id": self.tenant_id, "code": code, "language": language, **body}

    def destroy_session(self, session_id: str) -> None:
        """Ends a session, its container and its files. SessionNotFound when there is none."""
        self._transport.json("POST", "/session/destroy", {"session_id": str(session_id), "tenant_id": self.tenant_id})

    def list_sessions(self) -> List[Dict[str, Any]]:
        """The tenant's sessions: id, template, age, idle_time, ttl, is_expired, use_count, metadata."""
        return self._transport.json("GET", "/sessions?" + self._tenant())["sessions"]

    # --- files of a session -------------------------------------------------------------------------

    def list_files(self, session_id: str) -> List[FileInfo]:
        """The regular files in /workspace."""
        found = self._transport.json("GET", self._files(session_id))["files"]
        return [FileInfo(file["path"], file["size"], file.get("modified", 0.0)) for file in found]

    def write_file(self, session_id: str, path: str, data: Union[str, bytes]) -> None:
        """Puts a file there, with the folders above it. path: relative."""
        self._transport.raw("PUT", self._files(session_id, path), data.encode() if isinstance(data, str) else data)

    def read_file(self, session_id: str, path: str) -> bytes:
        return self._transport.raw("GET", self._files(session_id, path))

    def delete_file(self, session_id: str, path: str) -> None:
        """NotFound when there is none."""
        self._transport.json("DELETE", self._files(session_id, path))

    def _tenant(self) -> str:
        return urllib.parse.urlencode({"tenant_id": self.tenant_id})

    def _files(self, session_id: str, path: Optional[str] = None) -> str:
        return f"/sessions/{urllib.parse.quote(str(session_id), safe='')}/files{'/' + urllib.parse.quote(path) if path is not None else ''}?{self._tenant()}"

    # --- the server ---------------------------------------------------------------------------------

    def health(self) -> Dict[str, Any]:
        return self._transport.json("GET", "/health")

    def capabilities(self) -> Dict[str, Any]:
        return self._transport.json("GET", "/capabilities")["capabilities"]

    def metrics(self) -> Dict[str, Any]:
        return self._transport.json("GET", "/metrics")["metrics"]

    def list_templates(self) -> List[Dict[str, Any]]:
        return self._transport.json("GET", "/templates")["templates"]

    def add_template(self, template: Mapping[str, Any]) -> Dict[str, Any]:
        """Needs a token with the scope admin."""
        return self._transport.json("POST", "/templates", template)

    def remove_template(self, name: str) -> None:
        """Needs a token with the scope admin."""
        self._transport.json("DELETE", "/templates/" + urllib.parse.quote(name, safe=""))


def _optional(**fields: Any) -> Dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _encoded(files: Optional[Files]) -> Optional[Dict[str, Any]]:
    """Bytes become base64; all else is as the server takes it."""
    if files is None:
        return None
    return {os.fspath(path): {"content": base64.b64encode(content).decode("ascii"), "encoding": "base64"} if isinstance(content, bytes) else content
            for path, content in files.items()}
