from mayfly_sandbox import Session, SessionLimitReached, SessionManager, SessionNotFound

__all__ = ["Session", "SessionLimitReached", "SessionManager", "SessionNotFound"]
