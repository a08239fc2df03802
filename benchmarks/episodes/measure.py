"""Episodes a minute of the evaluator, beside BrowserGym on the same tasks with the same answers."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.browsergym.interpreter import Peer
from benchmarks.episodes.answers import find_answers
from benchmarks.episodes.runners import Answers, Crew, OurCrew, PeerCrew, Run
from benchmarks.step.measure import (
    CLAIMS_AGAINST,
    FIRST_SEED,
    PEER_VARIANTS,
    Progress,
    machine,
    spread,
)
from eyehand.envs.miniwob.tasks import pages_folder
from eyehand.envs.web.browser import find_chromium
from eyehand.errors import UsageError

TASKS = ("click-color", "click-dialog", "click-tab", "click-test", "click-widget")
"""Tasks that both sides play alike, each solved by one click."""

AT_A_TIME = (1, 2)
"""How many episodes run side by side, on either side."""

VARIANTS = ("BrowserGym, as it comes", CLAIMS_AGAINST)


@dataclass
class CrewRow:
    """What a crew came to: its turns, one a round."""

    crew: Crew
    runs: list[Run] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Return the episodes a minute under way, round by round."""
        return [run.a_minute for run in self.runs]

    def to_json(self) -> dict[str, Any]:
        """Return the row, JSON-ready."""
        return {
            "name": self.crew.name,
            "ours": self.crew.ours,
            "at_a_time": self.crew.at_a_time,
            "keeps": self.crew.keeps,
            "episodes_a_minute": spread(self.rates()),
            "whole_a_minute": spread([run.whole_a_minute for run in self.runs]),
            "turn_s": spread([run.ends_s[-1] for run in self.runs]),
        }


def bench_episodes(
    tasks: Sequence[str],
    episodes: int,
    steps: int,
    rounds: int,
    peer_python: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Measure all crews in alternation and return the document that `--json` prints.

    Args:
        tasks: Names of MiniWoB++ whose experts only click.
        episodes: Episodes a task and turn.
        steps: Clicks an episode, the last of which solve it.
        rounds: Turns a crew.
        peer_python: An interpreter with BrowserGym; None measures our side alone.
        progress: Told each turn as it begins.

    Raises:
        UsageError: the tasks, the peer or Chromium cannot be used.
        EnvironmentFault: a side failed, or an episode was not solved by its answers.
        KeyboardInterrupt: a person stopped it.
    """
    if len(tasks) * episodes <= max(AT_A_TIME):
        raise UsageError(f"expected more than {max(AT_A_TIME)} episodes a turn: name more --task")
    with ExitStack() as stack:
        peers = _peers(peer_python, stack)
        answers = _answers(tasks, episodes, steps, progress)
        crews: list[Crew] = [OurCrew(workers) for workers in AT_A_TIME]
        crews += _peer_crews(peers)
        rows = play_turns(crews, answers, rounds, progress)
        return {
            "tasks": list(tasks),
            "episodes": episodes,
            "steps": steps,
            "rounds": rounds,
            "machine": {**machine(), "load": [round(load, 2) for load in os.getloadavg()]},
            "peer": peers[0].versions if peers else None,
            "rows": [row.to_json() for row in rows],
            "ratios": ratios(rows),
            "claims_against": CLAIMS_AGAINST if peers else None,
        }


def play_turns(
    crews: Sequence[Crew], answers: Answers, rounds: int, progress: Progress
) -> list[CrewRow]:
    """Let every crew play all episodes once a round, every second round backwards."""
    rows = [CrewRow(crew) for crew in crews]
    for number in range(1, rounds + 1):
        for row in rows if number % 2 else reversed(rows):
            progress(f"round {number} of {rounds}: {row.crew.name}")
            row.runs.append(row.crew.play(answers))
            progress(f"  {row.runs[-1].a_minute:.0f} episodes a minute")
    return rows


def ratios(rows: Sequence[CrewRow]) -> list[dict[str, Any]]:
    """Return how many of our episodes fit into one of the peer's, at equal parallelism."""
    return [
        {
            "ours": ours.crew.name,
            "peer": peer.crew.name,
            "at_a_time": ours.crew.at_a_time,
            **spread([a / b for a, b in zip(ours.rates(), peer.rates(), strict=True)]),
        }
        for ours in rows
        if ours.crew.ours
        for peer in rows
        if not peer.crew.ours and peer.crew.at_a_time == ours.crew.at_a_time
    ]


def _answers(tasks: Sequence[str], episodes: int, steps: int, progress: Progress) -> Answers:
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    answers: Answers = {}
    for task in tasks:
        progress(f"finding the answers: {task}, {episodes} episodes")
        answers[task] = find_answers(task, seeds, steps)
    return answers


def _peers(peer_python: str | None, stack: ExitStack) -> list[Peer]:
    if peer_python is None:
        return []
    pages, chromium = pages_folder(), find_chromium()
    return [stack.enter_context(Peer(peer_python, pages, chromium)) for _ in range(max(AT_A_TIME))]


def _peer_crews(peers: Sequence[Peer]) -> list[Crew]:
    if not peers:
        return []
    return [
        PeerCrew(variant, peers[:count], PEER_VARIANTS[variant])
        for variant in VARIANTS
        for count in AT_A_TIME
    ]
