"""Calls as Qwen-Agent's own templates write and read them, and as ours do."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from benchmarks.readers.interpreter import Peer
from benchmarks.readers.verdicts import Compared
from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.actions.codecs.writing import clean_thought, written_arguments
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.policies.models.chat import in_one_turn
from eyehand.errors import ModelFeedback
from eyehand.prompts.dialects import make_dialect
from eyehand.prompts.dialects.dialect import Picture, Turn

TEMPLATES = {"qwen": "qwen", "tool_call": "nous"}
"""Dialect to Qwen-Agent's name of the template."""
SPACES = (WEB_ACTIONS, ANDROID_ACTIONS)
THOUGHTS = ("", "I click it.", "我点击它。", 'First {this}.\nThen that: "x".')
STEPS = 3
TAILS: dict[str, Callable[[str], str]] = {
    "as written": lambda call: call,
    "a comment behind the arguments": lambda call: f"{call} <!-- done -->",
    "words behind the call": lambda call: f"{call}\nI clicked it.",
    "the call twice": lambda call: f"{call}\n{call}",
    "blanks around": lambda call: f"\n {call} \n\n",
    "cut inside the last three letters": lambda call: call[:-3],
}
"""What is odd about an answer, to how a call becomes one."""


def written_by_us(peer: Peer, dialect: str, answers: int, seed: int) -> Compared:
    """Have Qwen-Agent's template read what our dialect writes, and us too."""
    codec, found = make_dialect(dialect).codec, Compared(f"{dialect}: what we write, and odd ways")
    drawn = []
    for number, (action, space) in enumerate(_actions(answers, seed)):
        kind = list(TAILS)[number % len(TAILS)]
        thought = THOUGHTS[number % len(THOUGHTS)]
        drawn.append((kind, TAILS[kind](codec.write(action, thought=thought)), space))
    theirs = peer.ask([{"do": f"{TEMPLATES[dialect]}_read", "text": text} for _, text, _ in drawn])
    for (kind, text, space), their in zip(drawn, theirs, strict=True):
        parsed = codec.parse(text, space)
        ours = parsed.action and _call(parsed.action, parsed.thought)
        found.add(kind, text, ours, _their_call(their, space))
    return found


def written_by_them(peer: Peer, dialect: str, answers: int, seed: int) -> Compared:
    """Have our reader read what Qwen-Agent's template writes of the same calls."""
    codec, found = make_dialect(dialect).codec, Compared(f"{dialect}: what Qwen-Agent writes")
    drawn = list(_actions(answers, seed))
    theirs = peer.ask([
        {"do": f"{TEMPLATES[dialect]}_write", "turns": [_turn(action, THOUGHTS[n % len(THOUGHTS)])]}
        for n, (action, _) in enumerate(drawn)
    ])  # fmt: skip
    for n, ((action, space), their) in enumerate(zip(drawn, theirs, strict=True)):
        text = their["texts"][-1]["text"]
        parsed = codec.parse(text, space)
        meant = _call(action, THOUGHTS[n % len(THOUGHTS)])
        found.add("as written", text, parsed.action and _call(parsed.action, parsed.thought), meant)
    return found


def laid_out(peer: Peer, dialect: str, answers: int, seed: int) -> Compared:
    """Lay out conversations of three steps with both templates; the turns are the same."""
    found = Compared(f"{dialect}: conversations of {STEPS} steps, turn by turn")
    ours, requests = [], []
    made, drawn = make_dialect(dialect), list(_actions(answers * STEPS, seed))
    for number in range(answers):
        steps = drawn[number * STEPS : number * STEPS + STEPS]
        thought = THOUGHTS[number % len(THOUGHTS)]
        results = [f"seen {number}.{step}" for step in range(STEPS)]
        turns = [
            Turn(results[n - 1] if n else "", answer=made.codec.write(a, thought=thought), action=a)
            for n, (a, _) in enumerate(steps)
        ]
        messages = made.messages("task", steps[0][1], [*turns, Turn(results[-1])])
        ours.append([
            (m.role, "".join(p for p in m.parts if not isinstance(p, Picture)))
            for m in in_one_turn(messages)[2:]
        ])  # fmt: skip
        told = [_turn(a, thought) | {"result": results[n]} for n, (a, _) in enumerate(steps)]
        requests.append({"do": f"{TEMPLATES[dialect]}_write", "turns": told})
    for mine, their in zip(ours, peer.ask(requests), strict=True):
        theirs = [(turn["role"], turn["text"]) for turn in their["texts"][1:]]
        kind = "with thoughts" if told[0]["thought"] else "without thoughts"
        found.add(kind, repr(theirs), _plain(mine), _plain(theirs))
    return found


def _actions(count: int, seed: int) -> list[tuple[Action, ActionSpace]]:
    dice = Random(seed)
    spaces = [ActionSpace(types, seed=seed) for types in SPACES]
    return [(space.sample(), space) for space in (dice.choice(spaces) for _ in range(count))]


def _turn(action: Action, thought: str) -> dict[str, str]:
    arguments = json.dumps(written_arguments(action), ensure_ascii=False)
    return {"thought": thought, "name": action.name, "arguments": arguments}


def _call(action: Action, thought: str) -> tuple[str, dict[str, Any], str]:
    return action.name, written_arguments(action), " ".join(clean_thought(thought).split())


def _their_call(
    answer: dict[str, Any], space: ActionSpace
) -> tuple[str, dict[str, Any], str] | None:
    """Return the call that they read, as the action that it makes here; None where it is none."""
    if "error" in answer or not answer["calls"]:
        return None
    first = answer["calls"][0]
    try:
        arguments = json.loads(first["arguments"] or "{}")
        action = space.build(first["name"], arguments)
    except (ValueError, ModelFeedback):  # they leave it to the tool, which would refuse it
        return None
    return _call(action, answer["thought"])


def _plain(turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return turns without what Qwen-Agent cuts from an open one: the blank behind RETURN."""
    return [(role, text.removesuffix(" ").removesuffix(":")) for role, text in turns]
