"""SandboxTemplate, what a sandbox is made of, and template_manager, which tells the server."""
from __future__ import annotations

import atexit
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional

from .client import Client
from .errors import InvalidRequest, NotFound, SandboxError

_MEMORY = re.compile(r"\d+[mgMG]\Z")


@dataclass
class SandboxTemplate:
    """What a sandbox is made of. The server's operator decides what of it is allowed.

    base_image: else the image of the template default. memory_limit: "512m", "2g". cpu_quota: CPUs. timeout: seconds, 1 to 3600.
    """

    name: str
    description: str = ""
    base_image: Optional[str] = None
    packages: List[str] = field(default_factory=list)
    environment_variables: Dict[str, str] = field(default_factory=dict)
    setup_commands: List[str] = field(default_factory=list)
    memory_limit: Optional[str] = None
    cpu_quota: Optional[float] = None
    timeout: Optional[int] = None
    network_enabled: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidRequest("a template needs a name")
        if self.memory_limit is not None and not _MEMORY.match(self.memory_limit):
            raise InvalidRequest(f"memory_limit must be a number and m or g, such as 512m, not {self.memory_limit!r}")
        if self.timeout is not None and not 1 <= self.timeout <= 3600:
            raise InvalidRequest(f"timeout must be 1 to 3600 seconds, not {self.timeout!r}")
        if self.cpu_quota is not None and self.cpu_quota <= 0:
            raise InvalidRequest(f"cpu_quota must be more than 0 CPUs, not {self.cpu_quota!r}")

    def to_dict(self) -> Dict[str, Any]:
        """As POST /templates takes it; what is not set is left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "", [], {})}


class TemplateManager:
    """The server's templates. Adding and removing needs a token with the scope admin. client: else
    one with the environment's settings."""

    def __init__(self, client: Optional[Client] = None) -> None:
        self._client = client
        self._temporary: Dict[str, Client] = {}

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client()
        return self._client

    @client.setter
    def client(self, client: Client) -> None:
        self._client = client

    def register_template(self, template: SandboxTemplate, persist: bool = False) -> Dict[str, Any]:
        """Adds a template. Without persist it is removed when this process ends. Returns it as the server has it."""
        reply = self.client.add_template(template.to_dict())
        if not persist:
            if not self._temporary:
                atexit.register(self._remove_temporary)
            self._temporary[template.name] = self.client
        return reply.get("template", reply)

    def unregister_template(self, name: str) -> None:
        """NotFound when there is none; the operator's own cannot be removed."""
        self._temporary.pop(name, None)
        self.client.remove_template(name)

    def list_templates(self) -> List[Dict[str, Any]]:
        """name, description, base_image, memory_limit, cpu_quota, timeout, network_enabled, package_count."""
        return self.client.list_templates()

    def get_template(self, name: str) -> Dict[str, Any]:
        for template in self.list_templates():
            if template["name"] == name:
                return template
        raise NotFound(f"There is no template {name}", 404)

    def _remove_temporary(self) -> None:
        for name, client in self._temporary.items():
            try:
                client.remove_template(name)
            except SandboxError:
                pass  # the process ends: there is no one to tell
        self._temporary.clear()


template_manager = TemplateManager()
