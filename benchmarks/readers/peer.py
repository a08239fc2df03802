"""The makers' side of `python -m benchmarks.readers`, for an interpreter that has their packages.

Run as a script: one JSON request a line on standard input, one JSON answer a line on standard
output, the first of which tells the versions. It imports nothing of eyehand. A request holds `do`:

- "ui_tars": `text`, `kind` ("qwen2vl" or "qwen25vl"), `height`, `width`; answers `actions`.
- "qwen_read", "nous_read": `text` of an answer; answers `thought` and `calls`, name and arguments.
- "qwen_write", "nous_write": `turns`, of `thought`, `name`, `arguments`, `result`; answers `texts`,
  the role and text of every turn but the system's.
- "size": `height`, `width`, `factor`, `min_pixels`, `max_pixels`; answers `size`.

Every answer may be `error` instead.
"""

import contextlib
import io
import json
import sys
import types
from importlib import import_module, util
from importlib.metadata import version
from typing import Any

PACKAGES = ("ui-tars", "qwen-agent", "qwen-vl-utils")


def main() -> None:
    """Answer every request."""
    _stand_ins()
    out = sys.stdout
    print(
        json.dumps({"versions": {name: version(name) for name in PACKAGES}}), file=out, flush=True
    )
    for line in sys.stdin:
        request = json.loads(line)
        with contextlib.redirect_stdout(io.StringIO()):  # their parser prints what it cannot read
            try:
                answer = _ANSWERS[request.pop("do")](**request)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=out)


def _stand_ins() -> None:
    """Put empty modules where qwen-vl-utils imports torchvision, which sizes do not need."""
    if util.find_spec("torchvision") is not None:
        return
    names = ("torch", "torchvision", "torchvision.io", "torchvision.transforms")
    torch, vision, video, transforms = (types.ModuleType(name) for name in names)
    vars(torch).update(Tensor=object)
    vars(transforms).update(InterpolationMode=object)
    vars(vision).update(io=video, transforms=transforms, __version__="0")
    sys.modules.update(zip(names, (torch, vision, video, transforms), strict=True))


def _ui_tars(text: str, kind: str, height: int, width: int) -> dict[str, Any]:
    parser = import_module("ui_tars.action_parser")
    actions = parser.parse_action_to_structure_output(text, 1000, height, width, model_type=kind)
    return {"actions": [
        {"type": a["action_type"], "inputs": a["action_inputs"], "thought": a["thought"]}
        for a in actions
    ]}  # fmt: skip


def _prompts(template: str) -> Any:
    name = {"qwen": "QwenFnCallPrompt", "nous": "NousFnCallPrompt"}[template]
    module = import_module(f"qwen_agent.llm.fncall_prompts.{template}_fncall_prompt")
    return getattr(module, name)()


def _read(template: str) -> Any:
    def read(text: str) -> dict[str, Any]:
        schema = import_module("qwen_agent.llm.schema")
        answer = schema.Message("assistant", [schema.ContentItem(text=text)])
        found = _prompts(template).postprocess_fncall_messages([answer])
        calls = [m.function_call for m in found if m.function_call]
        thoughts = ["".join(i.text or "" for i in m.content) for m in found if not m.function_call]
        return {
            "thought": "".join(thoughts),
            "calls": [{"name": c.name, "arguments": c.arguments} for c in calls],
        }

    return read


def _write(template: str) -> Any:
    def write(turns: list[dict[str, str]]) -> dict[str, Any]:
        schema = import_module("qwen_agent.llm.schema")
        item = schema.ContentItem
        chat = [schema.Message("user", [item(text="task")])]
        for turn in turns:
            if turn["thought"]:
                chat.append(schema.Message("assistant", [item(text=turn["thought"])]))
            call = schema.FunctionCall(name=turn["name"], arguments=turn["arguments"])
            chat.append(schema.Message("assistant", [], function_call=call))
            if "result" in turn:
                chat.append(schema.Message("function", [item(text=turn["result"])]))
        written = _prompts(template).preprocess_fncall_messages(chat, [], lang="en")
        texts = [
            {"role": m.role, "text": "".join(i.text or "" for i in m.content)} for m in written
        ]
        return {"texts": texts[1:]}

    return write


def _size(height: int, width: int, factor: int, min_pixels: int, max_pixels: int) -> dict[str, Any]:
    process = import_module("qwen_vl_utils.vision_process")
    return {"size": list(process.smart_resize(height, width, factor, min_pixels, max_pixels))}


_ANSWERS: dict[str, Any] = {
    "ui_tars": _ui_tars,
    "qwen_read": _read("qwen"),
    "nous_read": _read("nous"),
    "qwen_write": _write("qwen"),
    "nous_write": _write("nous"),
    "size": _size,
}


if __name__ == "__main__":
    main()
