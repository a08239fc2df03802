"""A served model: what the server may do wrong, and what becomes of it. Real HTTP on loopback."""

import base64
import io
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.dialects.server import ScriptedServer
from PIL import Image

from eyehand.actions import ActionSpace
from eyehand.actions.web import WEB_ACTIONS, Click
from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.answer_stream import EndpointLimits
from eyehand.agent.policies.models.endpoint import EndpointPolicy
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.errors import EndpointFault, Unparsable, UsageError
from eyehand.prompts.dialects import make_dialect

SPACE = ActionSpace(WEB_ACTIONS)
SCREEN = Observation(
    np.zeros((280, 224, 3), dtype=np.uint8), ScreenGeometry("s", 224, 280, 224, 280)
)
CALL = "Thought: here\nAction: click(start_box='<|box_start|>(500,250)<|box_end|>')"
LIMITS = EndpointLimits(connect_s=5, first_byte_s=2, total_s=4, tries=2, longest_wait_s=0.2)
PATIENT = replace(LIMITS, connect_s=60, first_byte_s=60, total_s=120)
"""For servers that do answer, on whatever busy machine."""
LONGEST_S = 25.0
"""No decision may take longer: two tries, a pause, and what a busy machine adds."""

Handle = Callable[[socket.socket], None]


def events(*parts: str) -> bytes:
    lines = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    return "".join(f"data: {json.dumps(line)}\n\n" for line in lines).encode() + b"data: [DONE]\n\n"


def response(
    body: bytes, status: str = "200 OK", kind: str = "text/event-stream", *headers: str
) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
            "Connection: close", *headers]  # fmt: skip
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def error(status: str, message: str, *headers: str) -> bytes:
    body = json.dumps({"error": {"message": message}}).encode()
    return response(body, status, "application/json", *headers)


@contextmanager
def serving(*handles: Handle, wrap: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answer one connection after the other, the last way again and again."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve(connection: socket.socket, handle: Handle) -> None:
        with suppress(OSError), connection:
            if wrap is not None:
                connection = wrap.wrap_socket(connection, server_side=True)
            read_request(connection)
            handle(connection)

    def listen() -> None:
        number = 0
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            handle = handles[min(number, len(handles) - 1)]
            threading.Thread(target=serve, args=(connection, handle), daemon=True).start()
            number += 1

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        scheme = "http" if wrap is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        stop.set()
        with suppress(OSError):
            socket.create_connection(listener.getsockname(), 1).close()
        listener.close()
        thread.join()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("nobody asked")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


def sends(data: bytes) -> Handle:
    return lambda connection: connection.sendall(data)


def hangs(first: bytes = b"") -> Handle:
    def handle(connection: socket.socket) -> None:
        connection.sendall(first)
        connection.settimeout(LONGEST_S)
        with suppress(OSError):
            connection.recv(1)  # until the other side gives up

    return handle


def drips(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    waiting = threading.Event()
    for _ in range(100):
        connection.sendall(b": a comment\n\n")
        waiting.wait(0.1)


def floods(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ")
    for _ in range(200):
        connection.sendall(b"x" * 1024 * 1024)


def decide(url: str, limits: EndpointLimits = PATIENT, **options: Any) -> Any:
    policy = EndpointPolicy(url, "some-model", make_dialect("ui-tars"), limits=limits, **options)
    return policy.start("Click it", SPACE, seed=1).decide(SCREEN)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n"
GOOD = sends(response(events(CALL)))
FAULTS: dict[str, tuple[Handle, ...]] = {
    "hangs before the answer": (hangs(),),
    "hangs in the middle": (hangs(HEAD + events("Thought: ")[:60]),),
    "drips for ever": (drips,),
    "drops the connection": (lambda connection: None,),
    "drops in the middle": (sends(HEAD + events("Thought")[:30]),),
    "429 always": (sends(error("429 Too Many Requests", "slow down", "Retry-After: 0")),),
    "500 always": (sends(error("500 Internal Server Error", "oops")),),
    "HTML": (sends(response(b"<html>hello</html>", kind="text/html")),),
    "cut JSON": (sends(response(b'data: {"choices": [{"del\n\n')),),
    "no choices": (sends(response(b'data: {"choices": []}\n\ndata: [DONE]\n\n')),),
    "200 MB": (floods,),
    "a redirect": (
        sends(response(b"", "302 Found", "text/html", "Location: http://127.0.0.1:9/")),
    ),
}


@pytest.fixture(scope="module")
def client_is_imported() -> None:
    """The first request imports the client's parts: seconds that are not the server's."""
    with serving(GOOD) as url:
        decide(url)


@pytest.mark.usefixtures("client_is_imported")
@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_fails_is_a_fault_within_its_bound(name: str) -> None:
    began_s = time.monotonic()
    with serving(*FAULTS[name]) as url:
        if name == "no choices":
            assert decide(url, LIMITS).error is not None  # an empty answer is the model's
        elif name == "a redirect":
            with pytest.raises(UsageError, match="HTTP 302"):
                decide(url, LIMITS)
        else:
            with pytest.raises(EndpointFault, match="2 tries"):
                decide(url, LIMITS)
    assert time.monotonic() - began_s < LONGEST_S


@pytest.mark.parametrize(
    "first",
    [
        error("429 Too Many Requests", "slow down", "Retry-After: 0"),
        error("429 Too Many Requests", "slow down"),
        error("500 Internal Server Error", "oops"),
        error("503 Service Unavailable", "loading"),
    ],
    ids=["429 with Retry-After", "429 without", "500", "503"],
)
def test_a_server_that_recovers_is_asked_again(first: bytes) -> None:
    with serving(sends(first), GOOD) as url:
        assert isinstance(decide(url).action, Click)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error("401 Unauthorized", "bad key"), "OPENAI_API_KEY"),
        (error("404 Not Found", "no such model"), "--served-model"),
        (error("400 Bad Request", "no pictures here"), "no pictures here"),
    ],
    ids=["401", "404", "400"],
)
def test_a_refusal_is_one_line_at_the_first_call(answer: bytes, said: str) -> None:
    with serving(sends(answer)) as url, pytest.raises(UsageError, match=said) as raised:
        decide(url)
    assert "\n" not in str(raised.value)


def test_a_certificate_that_is_not_trusted_is_a_fault(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(GOOD, wrap=context) as url, pytest.raises(EndpointFault, match=r"(?i)certificate"):
        decide(url)


def test_a_key_is_nowhere_but_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    echo = error("401 Unauthorized", "the key sk-very-secret is not known")
    with serving(sends(echo)) as url, pytest.raises(UsageError, match="MY_KEY") as raised:
        decide(url, key_env="MY_KEY")
    assert "sk-very" not in str(raised.value)
    policy = EndpointPolicy("http://localhost:1/v1", "m", make_dialect("ui-tars"), key_env="MY_KEY")
    assert "sk-very" not in repr(policy.describe())
    import pickle

    assert b"sk-very" not in pickle.dumps(policy)


def test_a_key_in_the_address_or_a_variable_that_is_not_set_is_refused() -> None:
    with pytest.raises(UsageError, match="--key-env"):
        EndpointPolicy("http://me:secret@localhost/v1", "m", make_dialect("ui-tars"))
    with pytest.raises(UsageError, match="NOT_THERE is not set"):
        EndpointPolicy("http://localhost/v1", "m", make_dialect("ui-tars"), key_env="NOT_THERE")


def test_an_answer_that_is_garbage_is_feedback() -> None:
    with serving(sends(response(events("I would rather not.")))) as url:
        assert isinstance(decide(url).error, Unparsable)


def test_a_chat_that_is_too_long_is_shortened_once_and_then_said() -> None:
    full = sends(error("400 Bad Request", "maximum context length is 2048 tokens"))
    with serving(full, GOOD) as url:
        assert isinstance(decide(url).action, Click)
    with serving(full) as url, pytest.raises(UsageError, match="context is too short"):
        decide(url)


def test_conversations_that_wait_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=LONGEST_S)

    def answer(request: dict[str, Any]) -> str:
        together.wait()  # nobody is answered before all three have asked
        return CALL

    server = ScriptedServer(answer)
    try:
        policy = EndpointPolicy(server.url, "some-model", make_dialect("ui-tars"))
        waiting = [(policy.start("Click it", SPACE, seed=n), SCREEN) for n in range(3)]
        decisions = policy.decide_many(waiting)
    finally:
        server.close()
    assert all(isinstance(decision.action, Click) for decision in decisions)
    assert all(decision.tokens["generated"] == len(CALL) for decision in decisions)


def test_the_commands_ask_a_server_and_write_no_key_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    call = '<tool_call>{"name": "plus", "arguments": {}}</tool_call>'
    server = ScriptedServer(lambda request: call)
    asked = ["--model", server.url, "--served-model", "Qwen3-VL-2B", "--max-steps", "3"]
    task = "cards:number-line"
    try:
        main(["run", "--env", task, "--seed", "1", *asked, "--out", str(tmp_path / "run")])
        capsys.readouterr()
        words = ["eval", task, "--episodes", "2", "--batch", "2", "--workers", "2"]
        main([*words, *asked, "--out", str(tmp_path / "eval"), "--json"])
    finally:
        server.close()
    document = json.loads(capsys.readouterr().out)
    assert document["policy_details"]["dialect"] == "qwen3-vl"
    assert document["tasks"][0]["environment_faults"] == 0
    assert len(server.requests) >= 4
    parts = [part for message in server.requests[0]["messages"] for part in message["content"]]
    pictures = [part for part in parts if isinstance(part, dict) and part["type"] == "image_url"]
    assert len(pictures) == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"sk-very-secret" in path.read_bytes()]


def test_what_an_answer_costs_is_kept_and_limited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = '<tool_call>{"name": "plus", "arguments": {}}</tool_call>'
    server = ScriptedServer(lambda request: call)  # it counts 10 tokens read, and a character each
    asked = ["--model", server.url, "--served-model", "Qwen3-VL-2B", "--max-steps", "9"]
    a_step = 10 * 2 + len(call) * 5  # in millionths
    limit = ["--max-cost", f"{2.5 * a_step / 1e6:.6f}"]
    task = ["cards:number-line", "--json", *asked]
    try:
        status = main(["run", "--env", *task, "--seed", "1", "--out", str(tmp_path / "run"),
                       "--price", "2,5", *limit])  # fmt: skip
        ran = json.loads(capsys.readouterr().out)
        main(["eval", *task, "--episodes", "2", "--out", str(tmp_path / "eval"), "--price", "2,5"])
        evaluated = json.loads(capsys.readouterr().out)
        again = ["run", "--env", *task, "--seed", "1", "--out", str(tmp_path / "no")]
        without_price = main([*again, *limit])
        said = capsys.readouterr().err
    finally:
        server.close()
    assert (status, ran["outcome"], ran["steps"]) == (1, "cost_limit", 3)
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"<dt>cost</dt><dd>${3 * a_step / 1e6:.4f}</dd>" in page
    steps = evaluated["tasks"][0]["mean_steps"]
    assert evaluated["tasks"][0]["mean_cost_usd"] == pytest.approx(steps * a_step / 1e6)
    assert "cost" in (tmp_path / "eval" / "report.html").read_text()
    assert (without_price, "--price" in said) == (2, True)


def test_a_server_may_say_itself_what_an_answer_costs() -> None:
    for cost, counted in ((0.0125, 12_500), (0, 0), (-1, None), ("much", None), (True, None)):
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": cost}
        last = f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode()
        with serving(sends(response(events(CALL).replace(b"data: [DONE]\n\n", last)))) as url:
            assert decide(url).tokens.get("cost_microusd") == counted
            priced = decide(url, price=(1.0, 2.0)).tokens
        assert priced["cost_microusd"] == 3 * 1 + 4 * 2


def test_a_published_prompt_is_put_in_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "published.txt"
    file.write_text('You are a GUI agent. {"a": 1}\n## User Instruction\n{instruction}')
    server = ScriptedServer(lambda request: CALL)
    asked = ["--model", server.url, "--served-model", "UI-TARS-2B", "--max-steps", "1", "--json"]
    task = ["cards:number-line", *asked]
    try:
        main(["run", "--env", *task, "--prompt", str(file), "--out", str(tmp_path / "run")])
        out = str(tmp_path / "eval")
        main(["eval", *task, "--episodes", "1", "--prompt", str(file), "--out", out])
        capsys.readouterr()
        again = ["eval", "--resume", out, *asked[:4]]
        assert main(again) == 2
        assert "name it too: --prompt" in capsys.readouterr().err
        assert main([*again, "--prompt", str(file), "--json"]) == 0
        file.write_text("Without a task")
        assert main(["run", "--env", *task, "--prompt", str(file)]) == 2
        assert "{task}" in capsys.readouterr().err
    finally:
        server.close()
    said = [part for m in server.requests[0]["messages"] for part in [m["content"]]]
    task_words = server.requests[0]["messages"][1]["content"].split("User Instruction\n")[1]
    assert f'You are a GUI agent. {{"a": 1}}\n## User Instruction\n{task_words}' in said
    record = json.loads((tmp_path / "run" / "episode.jsonl").read_text().splitlines()[0])
    assert record["task"] == task_words
    assert "{instruction}" in record["policy"]["prompt"]


@pytest.mark.parametrize(
    ("dialect", "sent_px"), [("keyword", (300, 310)), ("ui-tars-1.5", (308, 308))]
)
def test_a_server_gets_the_screen_as_it_is_unless_places_are_pixels(
    dialect: str, sent_px: tuple[int, int]
) -> None:
    screen = Observation(np.zeros((310, 300, 3), np.uint8), ScreenGeometry("s", 300, 310, 300, 310))
    server = ScriptedServer(lambda request: "nothing")
    try:
        policy = EndpointPolicy(server.url, "m", make_dialect(dialect))
        policy.start("Click it", SPACE).decide(screen)
    finally:
        server.close()
    (url,) = [
        part["image_url"]["url"] for message in server.requests[0]["messages"]
        for part in message["content"] if isinstance(part, dict) and "image_url" in part
    ]  # fmt: skip
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert picture.size == sent_px


KEYWORD_CALL = '✿FUNCTION✿: click\n✿ARGS✿: {"point": [500, 250]}'


def test_a_server_that_cannot_take_stop_words_is_asked_without_them() -> None:
    """`transformers serve` 5.23 breaks off every answer that has stop words."""
    body = b'data: {"error": "no attribute \'get_vocab\'"}\n\n'
    parts = ("I see.", f"{KEYWORD_CALL}\n✿RES", "ULT✿: made up", "✿RETURN✿: and more")
    with serving(
        lambda c: c.sendall(response(body)), lambda c: c.sendall(response(events(*parts)))
    ) as url:
        policy = EndpointPolicy(url, "m", make_dialect("keyword"), limits=PATIENT)
        decision = policy.start("Do it", SPACE).decide(SCREEN)
    assert isinstance(decision.action, Click)
    assert decision.raw_text == f"I see.{KEYWORD_CALL}"
    assert decision.tokens["generated"] == 3


def test_stop_words_are_sent_until_a_server_breaks_off() -> None:
    server = ScriptedServer(lambda request: KEYWORD_CALL)
    try:
        policy = EndpointPolicy(server.url, "m", make_dialect("keyword"), limits=PATIENT)
        policy.start("Do it", SPACE).decide(SCREEN)
        assert server.requests[0]["stop"] == ["✿RESULT✿", "✿RETURN✿"]
        plain = EndpointPolicy(server.url, "m", make_dialect("ui-tars"), limits=PATIENT)
        plain.start("Do it", SPACE).decide(SCREEN)
        assert "stop" not in server.requests[1]
    finally:
        server.close()
