"""CodeSandbox, a container of one's own for as long as it is wanted, and CodeInterpreter, which runs code in it."""
from __future__ import annotations

import os
from types import TracebackType
from typing import Iterator, List, Optional, Type, Union

from .client import Client, Files, OutputHandler, Session
from .errors import SandboxError, SessionNotFound
from .results import Event, ExecutionResult, FileInfo
from .templates import SandboxTemplate


class CodeSandbox:
    """A container with files and interpreters that stay until it is closed.

    template: a name, or a SandboxTemplate that was registered. ttl: seconds without use after which
    the server ends it. client: else one is made from base_url, api_key, token, tenant_id and scope,
    as Client has them. It starts when it is entered or first used.
    """

    def __init__(self, template: Union[str, SandboxTemplate] = "default", *, ttl: int = 300, client: Optional[Client] = None,
                 base_url: Optional[str] = None, api_key: Optional[str] = None, token: Optional[str] = None, tenant_id: str = "default",
                 scope: str = "default") -> None:
        self.template = template.name if isinstance(template, SandboxTemplate) else template
        self.ttl = ttl
        self.client = client or Client(base_url, api_key=api_key, token=token, tenant_id=tenant_id, scope=scope)
        self._session: Optional[Session] = None
        self._is_closed = False

    def __enter__(self) -> "CodeSandbox":
        self.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]) -> None:
        self.close()

    @property
    def session_id(self) -> str:
        """The id of its session; starts it."""
        return self.start()

    def start(self) -> Session:
        if self._is_closed:
            raise SandboxError("this sandbox is closed")
        if self._session is None:
            self._session = self.client.create_session(self.template, self.ttl)
        return self._session

    def close(self) -> None:
        """Ends the container. Harmless when that has happened already."""
        session, self._session, self._is_closed = self._session, None, True
        if session is not None:
            try:
                self.client.destroy_session(session)
            except SessionNotFound:
                pass

    def run(self, code: str, language: str = "python", *, files: Optional[Files] = None, timeout: Optional[int] = None,
            on_stdout: Optional[OutputHandler] = None, on_stderr: Optional[OutputHandler] = None) -> ExecutionResult:
        """Runs a cell. timeout: seconds; else the template's."""
        return self.client.execute_in_session(self.start(), code, language, files=files, timeout=timeout, on_stdout=on_stdout, on_stderr=on_stderr)

    def stream(self, code: str, language: str = "python", *, files: Optional[Files] = None, timeout: Optional[int] = None) -> Iterator[Event]:
        """Runs a cell and yields what happens; the last event has the result."""
        return self.client.stream_in_session(self.start(), code, language, files=files, timeout=timeout)

    # --- files, by paths relative to /workspace -----------------------------------------------------

    def upload(self, local: Union[str, "os.PathLike[str]"], path: Optional[str] = None) -> str:
        """Puts a file of this machine there; under its own name unless path says another. Returns that."""
        target = path if path is not None else os.path.basename(os.fspath(local))
        with open(local, "rb") as file:
            self.write_file(target, file.read())
        return target

    def download(self, path: str, local: Optional[Union[str, "os.PathLike[str]"]] = None) -> str:
        """Fetches a file to this machine; to the working directory under its own name unless local
        says otherwise. Returns where it is."""
        target = os.fspath(local) if local is not None else os.path.basename(path)
        if os.path.isdir(target):
            target = os.path.join(target, os.path.basename(path))
        data = self.read_file(path)
        with open(target, "wb") as file:
            file.write(data)
        return target

    def write_file(self, path: str, data: Union[str, bytes]) -> None:
        self.client.write_file(self.start(), path, data)

    def read_file(self, path: str) -> bytes:
        return self.client.read_file(self.start(), path)

    def delete_file(self, path: str) -> None:
        self.client.delete_file(self.start(), path)

    def list_files(self) -> List[FileInfo]:
        return self.client.list_files(self.start())


class CodeInterpreter:
    """Runs code of one language in a sandbox."""

    def __init__(self, sandbox: CodeSandbox, language: str = "python") -> None:
        self.sandbox = sandbox
        self.language = language

    def run(self, code: str, language: Optional[str] = None, *, files: Optional[Files] = None, timeout: Optional[int] = None,
            on_stdout: Optional[OutputHandler] = None, on_stderr: Optional[OutputHandler] = None) -> ExecutionResult:
        """The result has stdout, stderr, exit_code and artifacts."""
        return self.sandbox.run(code, language or self.language, files=files, timeout=timeout, on_stdout=on_stdout, on_stderr=on_stderr)

    def stream(self, code: str, language: Optional[str] = None, *, files: Optional[Files] = None, timeout: Optional[int] = None) -> Iterator[Event]:
        return self.sandbox.stream(code, language or self.language, files=files, timeout=timeout)
