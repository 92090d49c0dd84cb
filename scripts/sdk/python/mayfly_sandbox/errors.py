"""What can go wrong. A program that fails is not among it, unless ExecutionResult.check() is asked: results.ExecutionFailed."""
from __future__ import annotations

from typing import Optional


class SandboxError(Exception):
    """Everything this package raises. status: of the HTTP reply, 0 when there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class ConnectionFailed(SandboxError):
    """The server does not answer, or not in time."""


class AuthenticationError(SandboxError):
    """A key is missing or wrong (401), or may not do this (403)."""


class InvalidRequest(SandboxError, ValueError):
    """The server does not take this: a wrong path, a file too large, a limit out of bounds (400, 413)."""


class NotFound(SandboxError):
    """There is no such file or template (404)."""


class SessionNotFound(NotFound):
    """The session never existed, has expired, was destroyed, or belongs to another caller."""


class SessionLimitReached(SandboxError):
    """There are as many sessions as there may be."""


class Busy(SandboxError):
    """Not now (409, 429, 503). retry_after: seconds after which the server would like to be asked
    again, None when it did not say."""

    def __init__(self, message: str, status: int, retry_after: Optional[int]) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class ServerError(SandboxError):
    """The server or its container engine failed (5xx), or answered what is no answer."""
