from mayfly_sandbox import Artifact, CodeInterpreter, Event, ExecutionFailed, ExecutionResult

__all__ = ["Artifact", "CodeInterpreter", "Event", "ExecutionFailed", "ExecutionResult"]
