from mayfly_sandbox import Artifact, CodeSandbox, ExecutionResult, FileInfo, SandboxError

__all__ = ["Artifact", "CodeSandbox", "ExecutionResult", "FileInfo", "SandboxError"]
