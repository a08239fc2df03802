"""A scripted OpenAI-compatible server: it streams the texts that it was given, and counts."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], str]
"""Takes the request's JSON and returns the text of the answer."""


class ScriptedServer:
    """Answers chat completions on loopback.

    Args:
        answer: Makes the answer to a request.

    Attributes:
        requests: The JSON of every request.
        keys: What came as its authorization.
    """

    def __init__(self, answer: Answer) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                request = json.loads(self.rfile.read(size))
                server.requests.append(request)
                server.keys.append(self.headers.get("Authorization", ""))
                body = "".join(_events(answer(request))).encode("utf-8")
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address that a policy takes."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _events(text: str) -> list[str]:
    """Return an answer as server-sent events: a few parts, the usage, the end."""
    size = max(1, len(text) // 3)
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    events = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    usage = {"prompt_tokens": 10, "completion_tokens": len(text), "total_tokens": 10 + len(text)}
    lines = [*events, {"choices": [], "usage": usage}]
    return [f"data: {json.dumps(line)}\n\n" for line in lines] + ["data: [DONE]\n\n"]
