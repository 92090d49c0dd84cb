"""SessionManager: several sessions at once, ended together."""
from __future__ import annotations

from types import TracebackType
from typing import Any, Dict, Iterator, List, Optional, Type, Union

from .client import Client, Files, OutputHandler, Session
from .errors import SandboxError, SessionNotFound
from .results import Event, ExecutionResult, FileInfo
from .templates import SandboxTemplate


class SessionManager:
    """Makes sessions and ends those that it made when it is left.

    default_ttl: seconds without use after which the server ends a session. The others are as CodeSandbox has them.
    """

    def __init__(self, default_ttl: int = 300, *, client: Optional[Client] = None, base_url: Optional[str] = None, api_key: Optional[str] = None,
                 token: Optional[str] = None, tenant_id: str = "default", scope: str = "default") -> None:
        self.default_ttl = default_ttl
        self.client = client or Client(base_url, api_key=api_key, token=token, tenant_id=tenant_id, scope=scope)
        self._sessions: Dict[str, Session] = {}

    def __enter__(self) -> "SessionManager":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Ends every session that it made. Tries all of them; then raises what went wrong first."""
        first: Optional[SandboxError] = None
        for session_id in list(self._sessions):
            try:
                self.destroy_session(session_id)
            except SandboxError as error:
                first = first or error
        if first:
            raise first

    def create_session(self, template: Union[str, SandboxTemplate] = "default", ttl: Optional[int] = None) -> Session:
        """The new session's id: a str, with template and ttl."""
        name = template.name if isinstance(template, SandboxTemplate) else template
        session = self.client.create_session(name, self.default_ttl if ttl is None else ttl)
        self._sessions[session] = session
        return session

    def execute_in_session(self, session_id: str, code: str, language: str = "python", *, files: Optional[Files] = None, timeout: Optional[int] = None,
                           on_stdout: Optional[OutputHandler] = None, on_stderr: Optional[OutputHandler] = None) -> ExecutionResult:
        """SessionNotFound when it has expired."""
        return self.client.execute_in_session(session_id, code, language, files=files, timeout=timeout, on_stdout=on_stdout, on_stderr=on_stderr)

    def stream_in_session(self, session_id: str, code: str, language: str = "python", *, files: Optional[Files] = None,
                          timeout: Optional[int] = None) -> Iterator[Event]:
        return self.client.stream_in_session(session_id, code, language, files=files, timeout=timeout)

    def destroy_session(self, session_id: str) -> bool:
        """True when it was there."""
        self._sessions.pop(session_id, None)
        try:
            self.client.destroy_session(session_id)
        except SessionNotFound:
            return False
        return True

    def list_sessions(self) -> List[Dict[str, Any]]:
        """All sessions of the tenant, also those that others made."""
        return self.client.list_sessions()

    def upload(self, session_id: str, path: str, data: Union[str, bytes]) -> None:
        self.client.write_file(session_id, path, data)

    def download(self, session_id: str, path: str) -> bytes:
        return self.client.read_file(session_id, path)

    def delete(self, session_id: str, path: str) -> None:
        self.client.delete_file(session_id, path)

    def list_files(self, session_id: str) -> List[FileInfo]:
        return self.client.list_files(session_id)

    def get_metrics(self) -> Dict[str, Any]:
        return self.client.metrics()
