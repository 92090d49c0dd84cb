"""Runs untrusted code in sandboxes of a mayfly server.

    from mayfly_sandbox import CodeInterpreter, CodeSandbox

    with CodeSandbox(template="python-data") as sandbox:
        result = CodeInterpreter(sandbox).run("print(6 * 7)")
        print(result.stdout, result.stderr, result.exit_code, result.artifacts)
"""
from .client import Client, Session
from .errors import (AuthenticationError, Busy, ConnectionFailed, InvalidRequest, NotFound, SandboxError, ServerError, SessionLimitReached,
                     SessionNotFound)
from .results import Artifact, Event, ExecutionFailed, ExecutionResult, FileInfo
from .sandbox import CodeInterpreter, CodeSandbox
from .sessions import SessionManager
from .templates import SandboxTemplate, TemplateManager, template_manager

__version__ = "0.1.0"

__all__ = [
    "Artifact", "AuthenticationError", "Busy", "Client", "CodeInterpreter", "CodeSandbox", "ConnectionFailed", "Event", "ExecutionFailed",
    "ExecutionResult", "FileInfo", "InvalidRequest", "NotFound", "SandboxError", "SandboxTemplate", "ServerError", "Session", "SessionLimitReached",
    "SessionManager", "SessionNotFound", "TemplateManager", "template_manager",
]
