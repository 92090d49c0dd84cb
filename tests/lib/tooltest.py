"""What the tests of tools share: tool files in a running system, uploads, calls."""
import json
import os

import harness


def upload(server, data, name="data.bin", key=None):
    boundary = "----boundary"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n').encode() + data + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", **({"Authorization": f"Bearer {key}"} if key else {})}
    reply = server.request("POST", "/v1/files", body, headers)
    assert reply.status == 200, reply
    return json.loads(reply.body)["id"]


class ToolTest(harness.ServerTest):
    def put(self, name, definition):
        folder = os.path.join(self.server.folder, "config/tools.d")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(definition if isinstance(definition, str) else json.dumps(definition, indent=2))
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def post(self, tool, key=None, headers=None, **values):
        fields = {"Authorization": f"Bearer {key}"} if key else {}
        return self.server.request("POST", "/tools/execute", {"tool": tool, "sessionId": "s", **values}, {**fields, **(headers or {})})

    def run_tool(self, tool, **values):
        reply = self.post(tool, **values)
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def refused(self, tool, **values):
        """(status, error, [(path, message)])"""
        reply = self.post(tool, **values)
        error = json.loads(reply.body)
        return reply.status, error["error"], [(issue["path"], issue["message"]) for issue in error["details"]]
