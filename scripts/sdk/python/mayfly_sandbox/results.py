"""What comes back: results of programs, their artifacts, events while they run."""
from __future__ import annotations

import base64
import os
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Union

from .errors import SandboxError

_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/svg+xml": ".svg", "image/gif": ".gif", "image/webp": ".webp", "text/html": ".html",
               "text/plain": ".txt", "text/latex": ".tex", "text/csv": ".csv", "application/json": ".json", "application/pdf": ".pdf", "chart": ".json",
               "error": ".txt"}
_BINARY = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/octet-stream")


@dataclass(frozen=True)
class Artifact:
    """A figure, a chart, a table, a file that the program left, or an error.

    type: a media type, "chart" or "error". content: text, or base64 where the bytes are no text; None
    for a large file. data has the bytes in every case: those of a large file come from url, a link
    that is good for some minutes. size: bytes.
    """

    type: str
    name: str
    content: Optional[str]
    metadata: Dict[str, Any] = field(default_factory=dict)
    url: Optional[str] = None
    size: Optional[int] = None

    @property
    def data(self) -> bytes:
        if self.content is None:
            try:
                with urllib.request.urlopen(self.url or "", timeout=60) as reply:
                    return bytes(reply.read())
            except (OSError, ValueError) as error:
                raise SandboxError(f"{self.name}: {error}") from error
        encoding = self.metadata.get("encoding")
        if encoding == "base64" or (encoding is None and self.type in _BINARY):
            return base64.b64decode(self.content)
        return self.content.encode()

    def save(self, path: Union[str, "os.PathLike[str]"]) -> str:
        """Writes the bytes to path; into it, under the artifact's own name, when it is a folder or
        ends with a slash. Returns the file's path."""
        target = os.fspath(path)
        if target.endswith(os.sep) or os.path.isdir(target):
            # the name is the program's: only its last component counts
            name = os.path.basename(self.name.replace("\0", "")) or "artifact"
            if name in (".", ".."):
                name = "artifact"
            if not os.path.splitext(name)[1]:
                name += _EXTENSIONS.get(self.type, "")
            os.makedirs(target, exist_ok=True)
            target = os.path.join(target, name)
        with open(target, "wb") as file:
            file.write(self.data)
        return target


@dataclass(frozen=True)
class ExecutionResult:
    """What a program, or a cell of a session, did.

    exit_code: -1 when it timed out or was not run. execution_time: seconds. error: what the program
    could not say itself, such as its time-out. kernel: in sessions, whether the interpreter's state
    was kept ("kept", "lost", "ended"). cells: the results of execute_cells. raw: the reply.
    """

    stdout: str
    stderr: str
    exit_code: int
    artifacts: List[Artifact] = field(default_factory=list)
    execution_time: float = 0.0
    error: Optional[str] = None
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    kernel: Optional[str] = None
    cells: List["ExecutionResult"] = field(default_factory=list)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def success(self) -> bool:
        return self.exit_code == 0

    @property
    def status(self) -> str:
        return "success" if self.success else "error"

    def check(self) -> "ExecutionResult":
        """Itself, when the program ended with 0; else ExecutionFailed."""
        if not self.success:
            raise ExecutionFailed(self)
        return self

    def __getitem__(self, key: str) -> Any:
        """The reply's own fields, for programs written against the JSON."""
        return self.raw[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.raw.get(key, default)

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> "ExecutionResult":
        return cls(
            stdout=reply.get("stdout", ""),
            stderr=reply.get("stderr", ""),
            exit_code=reply.get("exit_code", -1),
            artifacts=[artifact_from_reply(artifact) for artifact in reply.get("artifacts", [])],
            execution_time=reply.get("execution_time", 0.0),
            error=reply.get("error"),
            stdout_truncated=bool(reply.get("stdout_truncated")),
            stderr_truncated=bool(reply.get("stderr_truncated")),
            kernel=reply.get("kernel"),
            cells=[cls.from_reply(cell) for cell in reply.get("cells", [])],
            raw=reply,
        )


class ExecutionFailed(SandboxError):
    """Raised by ExecutionResult.check() for a program that did not end with 0. result: what it did."""

    def __init__(self, result: ExecutionResult) -> None:
        super().__init__(result.error or result.stderr.strip().rpartition("\n")[2] or f"exit code {result.exit_code}", 200)
        self.result = result


def artifact_from_reply(reply: Mapping[str, Any]) -> Artifact:
    return Artifact(reply.get("type", ""), reply.get("name", ""), reply.get("content", ""), reply.get("metadata") or {}, reply.get("url"), reply.get("size"))


@dataclass(frozen=True)
class Event:
    """What happened while a program ran. type: "status", "stdout", "stderr", "artifact", or
    "result", which is the last one and has result."""

    type: str
    data: Mapping[str, Any]
    result: Optional[ExecutionResult] = None

    @property
    def text(self) -> str:
        """Of stdout and stderr: the piece of output."""
        return self.data.get("text", "")

    @property
    def artifact(self) -> Optional[Artifact]:
        return artifact_from_reply(self.data) if self.type == "artifact" else None


@dataclass(frozen=True)
class FileInfo:
    """A file in a sandbox. path: beneath /workspace. size: bytes. modified: seconds since 1970."""

    path: str
    size: int
    modified: float = 0.0
