"""Sessions: state that stays, two that know nothing of each other, one that has ended.

    python -m executor.examples.session_examples
"""
from __future__ import annotations

from executor.session import SessionManager, SessionNotFound


def main() -> None:
    with SessionManager(default_ttl=600) as manager:
        first = manager.create_session(template="default")
        second = manager.create_session(template="default", ttl=60)

        manager.execute_in_session(first, "import math\nradius = 2").check()
        area = manager.execute_in_session(first, "print(round(math.pi * radius ** 2, 2))")
        print("area:", area.stdout.strip())

        other = manager.execute_in_session(second, "print('radius' in globals())")
        print("the other session knows radius:", other.stdout.strip())

        shell = manager.execute_in_session(first, "echo kept > note; cat note", language="bash")
        print("its shell:", shell.stdout.strip())

        metrics = manager.get_metrics()
        print("sessions now:", metrics["active_sessions"], "of", metrics["max_sessions"])

        manager.destroy_session(first)
        try:
            manager.execute_in_session(first, "radius")
        except SessionNotFound as error:
            print("afterwards:", type(error).__name__)


if __name__ == "__main__":
    main()
