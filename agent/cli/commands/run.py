"""`eyehand run`: one episode."""

import argparse
from pathlib import Path
from typing import Any

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli import model_arguments
from eyehand.errors import UsageError

NAME = "run"
SUMMARY = "run one task to its end"
EXAMPLES = """\
examples:
  eyehand run --env miniwob:click-tab --seed 7
  eyehand run --env cards:number-line --seed 1 --json
  eyehand run "Open the contact page" --env https://example.org --model Qwen/Qwen2-VL-7B-Instruct
  eyehand run "Send this file" --env https://example.org --file letter.pdf --model ./my-model

exit status:
  0    succeeded (the environment's verdict) or claimed (the model's word, where there is none)
  1    the task did not succeed
  2    wrong usage: environment, task, checkpoint, option, or a missing extra
  3    an environment fault: an unreachable start page, a crashed browser, a full disk
  130  stopped with Ctrl-C, SIGTERM, SIGHUP or the desktop's stop key; the trajectory so far is kept
  141  nobody reads standard output any more, as after `| head`
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "task",
        nargs="?",
        metavar="TASK",
        help="what to do, in words; not needed where the environment sets its own task",
    )
    parser.add_argument(
        "--env",
        required=True,
        metavar="SPEC",
        help="where: an https:// address, android:SERIAL, desktop:, miniwob:NAME, phone:TASK, "
        "cards:NAME, gym:ID, ... (`eyehand suites` lists tasks)",
    )
    parser.add_argument("--seed", type=shared.seed, metavar="N", help="fixes a seeded environment")
    shared.add_limit_arguments(parser)
    parser.add_argument(
        "--out",
        type=shared.out_folder,
        metavar="DIR",
        help="folder of the trajectory and its report (default: runs/TIME-SPEC)",
    )
    parser.add_argument(
        "--file",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a file that may be uploaded; may be given several times. No other file can be",
    )
    browser = parser.add_argument_group("browser")
    browser.add_argument("--headed", action="store_true", help="show the browser's window")
    browser.add_argument(
        "--viewport", type=shared.size, metavar="WxH", help="size of the page (default: 1288x728)"
    )
    browser.add_argument(
        "--pixel-ratio",
        type=shared.positive_float,
        metavar="R",
        help="device pixels in a CSS pixel (default: 1)",
    )
    browser.add_argument(
        "--step-timeout",
        type=shared.positive_float,
        metavar="S",
        help="most seconds that a step waits for a page that was asked for (default: 30)",
    )
    shared.add_private_argument(browser)
    desktop = parser.add_argument_group("desktop")
    desktop.add_argument(
        "--stop-key",
        metavar="KEYS",
        help="what a person presses to end the episode (default: ctrl+alt+q)",
    )
    model_arguments.add_policy_arguments(parser)
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the episode, write its report, say how it ended."""
    from eyehand.agent.agent import default_folder
    from eyehand.agent.cli.progress import EpisodeProgress
    from eyehand.agent.episode import check_task, run_episode
    from eyehand.agent.policies.registry import check_model_named, check_random, policy_maker
    from eyehand.agent.trajectory.writer import TrajectoryWriter, check_free
    from eyehand.envs.registry import make
    from eyehand.envs.suites import step_limit

    uploads = named_files(arguments.file)
    check_random(arguments.policy, [arguments.env], arguments.allow_random)
    options = model_arguments.model_options(arguments)
    check_model_named(arguments.policy, options)
    if arguments.out is not None:
        check_free(arguments.out)
    with make(arguments.env, **_environment_options(arguments)) as environment:
        check_task(environment, arguments.task)
        spec = environment.spec_uri or arguments.env
        notice = model_arguments.outside_card_notice(arguments.model, arguments.policy, [spec])
        ignored = model_arguments.ignored_notice(arguments.policy, options)
        for line in filter(None, (notice, ignored)):
            shared.say(line)
        policy = policy_maker(arguments.policy, **options)(spec)
        with (
            TrajectoryWriter(arguments.out or default_folder(spec)) as trajectory,
            EpisodeProgress() as progress,
        ):
            episode = run_episode(
                policy,
                environment,
                task=arguments.task,
                seed=arguments.seed,
                max_steps=arguments.max_steps or step_limit(spec),  # None: the environment's own
                time_limit_s=arguments.time_limit,
                max_tokens=arguments.max_tokens_episode,
                max_cost_usd=arguments.max_cost,
                trajectory=trajectory,
                uploads=uploads,
                watch=progress,
            )
    return _conclude(episode, arguments.json)


def named_files(paths: list[Path]) -> dict[str, Path]:
    """Return the files that may be uploaded, by their bare names.

    Raises:
        UsageError: a file does not exist, or two have the same name.
    """
    files: dict[str, Path] = {}
    for path in paths:
        if not path.expanduser().is_file():
            raise UsageError(f"--file {path}: there is no such file")
        if path.name in files:
            raise UsageError(f"--file: two files are called {path.name!r}; rename one")
        files[path.name] = path.expanduser().resolve()
    return files


def _environment_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the environment that were given; it refuses what it does not know."""
    options = {
        "headed": arguments.headed or None,
        "viewport": arguments.viewport,
        "pixel_ratio": arguments.pixel_ratio,
        "step_timeout_s": arguments.step_timeout,
        "stop_key": arguments.stop_key,
        "allow_private": arguments.allow_private or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _conclude(episode: Any, as_json: bool) -> int:
    from eyehand.agent.outcome import Outcome
    from eyehand.agent.report import write_report
    from eyehand.errors import RecordingFailed

    report = None
    try:
        report = write_report(episode.folder)
    except (RecordingFailed, UsageError) as unkept:  # a full disk, or a folder that was deleted
        shared.say(str(unkept))
    steps = "1 step" if len(episode.steps) == 1 else f"{len(episode.steps)} steps"
    message = f": {episode.message}" if episode.message else ""
    shared.say(f"{episode.outcome.label} after {steps}, {episode.seconds:.1f} s{message}")
    if episode.outcome is Outcome.CLAIMED:
        shared.say(f"claimed: {episode.outcome.explanation}")
    shared.say(f"report: {report or 'none'}")
    status: int = episode.outcome.exit_status
    if as_json:
        shared.print_json(
            {
                **episode.summary(),
                "report": str(report) if report else None,
                "exit_status": status,
                "episode": [step.model_dump(mode="json") for step in episode.steps],
            }
        )
    return status
