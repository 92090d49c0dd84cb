from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict

import mayfly_sandbox
from mayfly_sandbox import TemplateManager, template_manager

__all__ = ["SandboxTemplate", "TemplateManager", "template_manager"]

#: The image that the original service builds for itself. Here it is that of the template default.
_DEFAULT_IMAGE = ("executor-sandbox", "executor-sandbox:latest")


@dataclass
class SandboxTemplate(mayfly_sandbox.SandboxTemplate):
    """As mayfly_sandbox has it. cpu_quota is microseconds of each 100 ms, as the server takes it from 1000 on."""

    def to_dict(self) -> Dict[str, Any]:
        fields = super().to_dict()
        if fields.get("base_image") in _DEFAULT_IMAGE:
            del fields["base_image"]
        return fields
