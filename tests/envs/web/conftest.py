import contextlib
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest
from PIL import Image, ImageDraw

from eyehand.actions import Point
from eyehand.envs.env import Observation, StepInfo
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.environment import WebEnvironment

PAGES = Path(__file__).parent / "pages"
VIEWPORT = (640, 400)
BOX = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""


class Handler(SimpleHTTPRequestHandler):
    """Serves the pages, and addresses that misbehave."""

    protocol_version = "HTTP/1.1"
    stop: ClassVar[threading.Event] = threading.Event()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(PAGES))

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        head, _, rest = self.path.lstrip("/").partition("/")
        special = getattr(self, f"serve_{head}", None)
        if special is None:
            super().do_GET()
        else:
            special(unquote(rest.partition("?")[0]))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve_silent(self, rest: str) -> None:
        """Accept and never answer."""
        self.stop.wait()

    def serve_trickle(self, rest: str) -> None:
        """Answer with a beginning that has no end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"<title>Trickle</title><p>beginning</p>" + b" " * 2000)
        self.wfile.flush()
        self.stop.wait()

    def serve_slow(self, rest: str) -> None:
        """Answer after that many milliseconds."""
        self.stop.wait(int(rest) / 1000)
        self.answer(200, b"<title>Slow</title>late", Content_Type="text/html")

    def serve_cookie(self, rest: str) -> None:
        seen = self.headers.get("Cookie", "none")
        body = f"<title>{seen}</title>".encode()
        self.answer(200, body, Content_Type="text/html", Set_Cookie="visited=yes; Path=/")

    def serve_markup(self, rest: str) -> None:
        """Answer with the page that the address holds."""
        self.answer(200, rest.encode(), Content_Type="text/html; charset=utf-8")

    def serve_endless(self, rest: str) -> None:
        """Send a file that has no end, as fast as it is taken."""
        self.send_response(200)
        self.send_header("Content-Disposition", f'attachment; filename="{rest}"')
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.stop.wait(0.02):
                self.wfile.write(bytes(200_000))

    def serve_redirect(self, rest: str) -> None:
        self.answer(302, Location=rest)

    def serve_download(self, rest: str) -> None:
        disposition = f'attachment; filename="{rest}"'
        self.answer(200, b"a,b\n1,2\n", Content_Disposition=disposition)

    def serve_pages(self, rest: str) -> None:
        """Answer with a PDF of that many pages, each with its number on it."""
        picture = io.BytesIO()
        sheets = [Image.new("RGB", (300, 400), "white") for _ in range(int(rest))]
        for number, sheet in enumerate(sheets, 1):
            ImageDraw.Draw(sheet).text((150, 60), f"page {number}", fill="black")
        sheets[0].save(picture, "PDF", save_all=True, append_images=sheets[1:])
        self.answer(200, picture.getvalue(), Content_Type="application/pdf")

    def serve_nothing(self, rest: str) -> None:
        self.answer(204)

    def serve_late_file(self, rest: str) -> None:
        """Begin to send a file after that many milliseconds."""
        delay_ms, _, name = rest.partition("/")
        self.stop.wait(int(delay_ms) / 1000)
        self.serve_download(name)

    def serve_again(self, rest: str) -> None:
        """A page that loads itself again at once, for ever."""
        body = b"<title>Again</title><meta http-equiv=refresh content=0><p>again"
        self.answer(200, body, Content_Type="text/html")

    def serve_members(self, rest: str) -> None:
        """A page behind basic authentication."""
        if self.headers.get("Authorization") == "Basic YWRhOmxvdmVsYWNl":
            self.answer(200, b"<title>Members</title>in", Content_Type="text/html")
        else:
            self.answer(401, WWW_Authenticate='Basic realm="members"')

    def serve_pdf(self, rest: str) -> None:
        self.answer(200, pdf(), Content_Type="application/pdf")


def pdf() -> bytes:
    """Return a PDF of one empty page."""
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 4\n0000000000 65535 f \n" + table
    return out + head + b"trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the pages, on loopback."""
    Handler.stop.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Handler.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session", autouse=True)
def _browser_ends() -> Iterator[None]:
    yield
    Browser.close_shared()


@dataclass
class Visit:
    """An environment with its first screen, and how a test points at things."""

    environment: WebEnvironment
    observation: Observation
    info: StepInfo

    def place(self, selector: str) -> Point:
        x, y = self.ask(BOX, selector)
        return self.observation.geometry.to_point(x, y)

    def ask(self, script: str, *args: Any) -> Any:
        return self.environment.page_call(lambda page: page.evaluate(script, *args))

    def text(self, selector: str) -> str:
        return str(self.ask("s => document.querySelector(s).textContent", selector))

    def do(self, action: Any) -> Observation:
        self.observation, _, _, _, self.info = self.environment.step(action)
        return self.observation

    def timed(self, action: Any) -> float:
        began_s = time.perf_counter()
        self.do(action)
        return time.perf_counter() - began_s


Open = Callable[..., Visit]


@pytest.fixture
def visit(site: str) -> Iterator[Open]:
    """Open a page by its name: `visit("quiet.html")`; `reset=` holds the reset's options."""
    opened: list[WebEnvironment] = []

    def open_page(name: str, reset: dict[str, Any] | None = None, **options: Any) -> Visit:
        url = name if re.match(r"\w+:", name) else f"{site}/{name}"
        environment = WebEnvironment(url, **{"viewport": VIEWPORT, **options})
        opened.append(environment)
        return Visit(environment, *environment.reset(options=reset))

    yield open_page
    for environment in opened:
        environment.close()
