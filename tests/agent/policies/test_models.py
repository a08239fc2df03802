"""From a model's name to a policy: built in, through transformers, or refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eyehand.actions import ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_chat import BuiltInChatPolicy
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.agent.policies.models.choose import check_named, model_policy
from eyehand.agent.policies.models.in_transformers import TransformersPolicy
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.errors import CheckpointError, UsageError
from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig, TextConfig, VisionConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.weights import save_checkpoint
from eyehand.prompts.dialects.keyword import Keyword

SPACE = ActionSpace(WEB_ACTIONS)
AGUVIS_TOKENS = ("<|recipient|>", "<|diff_marker|>")


def screen(value: int) -> Observation:
    return Observation(
        np.full((112, 112, 3), value, np.uint8), ScreenGeometry("page", 112, 112, 112, 112)
    )


def add_tokens(folder: Path, tokens: tuple[str, ...]) -> None:
    """Add control tokens to a folder's vocabulary, as fine-tuned checkpoints have them."""
    path = folder / "tokenizer.json"
    document = json.loads(path.read_text("utf-8"))
    first = max(token["id"] for token in document["added_tokens"]) + 1
    like = document["added_tokens"][-1]
    for number, content in enumerate(tokens):
        document["added_tokens"].append({**like, "id": first + number, "content": content})
    path.write_text(json.dumps(document), "utf-8")


def save_qwen2vl(folder: Path, tokens: tuple[str, ...] = ()) -> Path:
    """Save a Qwen2-VL of two small layers with random weights."""
    tokenizer = train_tokenizer(["a task and a screen"], 300)
    ids = tokenizer.special_ids
    torch.manual_seed(0)
    config = Qwen2VLConfig(
        TextConfig(
            64, 2, 4, 2, 96, tokenizer.vocab_size + len(tokens), mrope_section=(2, 3, 3),
            max_position_embeddings=16384,
        ),
        VisionConfig(1, 64, 4, 2, hidden_size=64),
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_ids=(ids["<|im_end|>"], ids["<|endoftext|>"]), pad_token_id=ids["<|endoftext|>"],
    )  # fmt: skip
    save_checkpoint(Qwen2VLNetwork(config), folder)
    tokenizer.save(folder)
    if tokens:
        add_tokens(folder, tokens)
    (folder / "preprocessor_config.json").write_text('{"min_pixels": 784, "max_pixels": 50176}')
    return folder


def save_other(folder: Path, kind: str) -> Path:
    """Save a tiny random Qwen2.5-VL or Qwen3-VL, as transformers writes it."""
    import transformers

    tokenizer = train_tokenizer(["a task and a screen"], 300)
    ids = tokenizer.special_ids
    text: dict[str, Any] = {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": tokenizer.vocab_size,
        "max_position_embeddings": 16384, "head_dim": 16, "eos_token_id": ids["<|im_end|>"],
        "rope_scaling": {"rope_type": "default", "type": "default", "mrope_section": [2, 3, 3]},
    }  # fmt: skip
    vision: dict[str, Any] = {
        "depth": 2, "hidden_size": 64, "num_heads": 4, "intermediate_size": 96,
        "out_hidden_size": 64, "fullatt_block_indexes": [1], "deepstack_visual_indexes": [0],
        "num_position_embeddings": 64,
    }  # fmt: skip
    marks = {f"{name}_token_id": ids[f"<|{mark}|>"] for name, mark in (
        ("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start"),
        ("vision_end", "vision_end"),
    )}  # fmt: skip
    config_type = getattr(transformers, f"{kind}Config")
    network_type = getattr(transformers, f"{kind}ForConditionalGeneration")
    torch.manual_seed(0)
    network_type(config_type(text_config=text, vision_config=vision, **marks)).save_pretrained(
        folder
    )
    tokenizer.save(folder)
    patch = 16 if kind == "Qwen3VL" else 14
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": patch, "merge_size": 2,
        "temporal_patch_size": 2, "min_pixels": 784, "max_pixels": 50176,
    }))  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("name", "dialect", "tokens"),
    [
        ("UI-TARS-2B-SFT", "ui-tars", ()),
        ("ShowUI-2B", "showui", ()),
        ("OS-Atlas-Pro-7B", "os-atlas", ()),
        ("a-folder-of-mine", "aguvis", AGUVIS_TOKENS),
    ],
)
def test_a_fine_tuned_folder_is_asked_in_its_dialect_and_runs_an_episode(
    tmp_path: Path, name: str, dialect: str, tokens: tuple[str, ...]
) -> None:
    policy = model_policy(save_qwen2vl(tmp_path / name, tokens), max_new_tokens=4)
    assert isinstance(policy, BuiltInChatPolicy)
    assert policy.describe()["dialect"] == dialect
    with NumberLineEnvironment() as environment:
        episode = run_episode(policy, environment, seed=1, max_steps=3)
    assert episode.outcome is Outcome.STEP_LIMIT
    assert len(episode.steps) == 3


def test_a_history_that_grows_is_not_read_again(tmp_path: Path) -> None:
    policy = model_policy(save_qwen2vl(tmp_path / "UI-TARS-2B"), max_new_tokens=4)
    assert isinstance(policy, BuiltInChatPolicy)
    conversation = policy.start("Click it", SPACE, seed=1)
    counts = [conversation.decide(screen(value)).tokens["prompt"] for value in (0, 80, 160)]
    assert counts[1] < counts[0]
    assert counts[2] < counts[0]
    session = conversation.chat().memory["history"].session  # type: ignore[attr-defined]
    assert session.num_visuals == 3
    assert session.num_tokens > sum(counts)


def test_the_embedded_model_and_plain_folders_are_built_in(tmp_path: Path) -> None:
    policy = model_policy(save_qwen2vl(tmp_path / "mine"), dialect="keyword")
    assert isinstance(policy, VlmPolicy)
    assert model_policy().describe()["model"] == "embedded"


@pytest.mark.parametrize(
    ("kind", "dialect"), [("Qwen2_5_VL", "qwen2.5-vl"), ("Qwen3VL", "qwen3-vl")]
)
def test_other_architectures_run_whole_episodes_through_transformers(
    tmp_path: Path, kind: str, dialect: str
) -> None:
    policy = model_policy(save_other(tmp_path / "other", kind), max_new_tokens=3)
    assert isinstance(policy, TransformersPolicy)
    assert policy.describe()["dialect"] == dialect
    with NumberLineEnvironment() as environment:
        episode = run_episode(policy, environment, seed=1, max_steps=2)
    assert episode.outcome is Outcome.STEP_LIMIT, episode.message
    assert all(step.tokens["generated"] >= 1 for step in episode.steps)


@pytest.mark.parametrize("asked", [None, 200_000, 20_000])
@pytest.mark.parametrize(
    ("kind", "dialect"),
    [("Qwen2VL", "ui-tars-1.5"), ("Qwen2_5_VL", "qwen2.5-vl"), ("Qwen3VL", "qwen3-vl")],
)
def test_pixels_are_those_of_the_picture_that_the_network_sees(
    tmp_path: Path, kind: str, dialect: str, asked: int | None
) -> None:
    """The folder's pictures have at most 50,176 pixels, the dialect's many more."""
    from transformers import AutoImageProcessor

    folder = tmp_path / "other"
    folder = save_qwen2vl(folder) if kind == "Qwen2VL" else save_other(folder, kind)
    policy = model_policy(folder, dialect=dialect, max_new_tokens=3, max_pixels=asked)
    assert isinstance(policy, BuiltInChatPolicy | TransformersPolicy)
    pixels = np.zeros((500, 900, 3), np.uint8)
    images = AutoImageProcessor.from_pretrained(folder, backend="pil")
    images.size = {"shortest_edge": 784, "longest_edge": asked or 50_176}
    _, rows, columns = images(images=[policy.shown(pixels)])["image_grid_thw"][0]
    assert policy.shown_size(900, 500) == (columns * images.patch_size, rows * images.patch_size)


def test_a_picture_that_fits_is_resized_once_by_whoever_prepares_it() -> None:
    policy = BuiltInChatPolicy(EMBEDDED_CHECKPOINT, Keyword(), "embedded", max_new_tokens=3)
    pixels = np.zeros((300, 300, 3), np.uint8)
    assert policy.shown(pixels) is pixels
    assert policy.shown_size(300, 300) == (294, 294)
    height, width, _ = policy.shown(np.zeros((900, 1600, 3), np.uint8)).shape
    assert (width, height) == policy.shown_size(1600, 900)
    assert height * width <= policy.checkpoint.settings.max_pixels


def test_what_does_not_fit_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    folder = save_qwen2vl(tmp_path / "mine")
    with pytest.raises(UsageError, match="vocabulary lacks"):
        model_policy(folder, dialect="aguvis")
    with pytest.raises(UsageError, match="belong to a server"):
        model_policy(folder, served_model="x")
    with pytest.raises(UsageError, match="--served-model"):
        check_named("http://localhost:1/v1", None, None)
    with pytest.raises(UsageError, match="name its dialect"):
        model_policy("http://localhost:1/v1", served_model="my-model")
    with pytest.raises(UsageError, match="no dialect"):
        check_named(None, None, "esperanto")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"model_type": "gpt2", "vision_config": {}}')
    with pytest.raises((UsageError, CheckpointError), match="gpt2"):
        model_policy(tmp_path / "odd")


def test_a_servers_name_says_its_dialect() -> None:
    policy = model_policy("http://localhost:1/v1", served_model="ByteDance/UI-TARS-1.5-7B")
    assert policy.describe()["dialect"] == "ui-tars-1.5"


def test_the_tokenizer_knows_the_box_marks(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_folder(save_qwen2vl(tmp_path / "mine"))
    assert {"<|box_start|>", "<|box_end|>"} <= set(tokenizer.special_ids)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a": ' * 100_000, "\x00", '{"model_type": []}']
)
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "added_tokens.json"])
def test_a_folder_of_a_strangers_is_one_line(tmp_path: Path, file: str, content: str) -> None:
    folder = save_qwen2vl(tmp_path / "mine")
    (folder / file).write_text(content)
    if file == "added_tokens.json":  # the built-in model does not need it
        assert model_policy(folder).describe()["model"] == str(folder)
        return
    with pytest.raises(CheckpointError) as caught:
        model_policy(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["Qwen2_5_VL", None])
def test_a_dtype_that_is_none_is_said(tmp_path: Path, kind: str | None) -> None:
    folder = save_other(tmp_path / "other", kind) if kind else save_qwen2vl(tmp_path / "mine")
    for wrong in ("float", "save", "__name__"):
        with pytest.raises(UsageError, match="dtype is one of auto, float32, bfloat16"):
            model_policy(folder, dtype=wrong)


def test_the_weights_of_a_fine_tuned_folder_may_be_kept_in_8_bits(tmp_path: Path) -> None:
    policy = model_policy(save_qwen2vl(tmp_path / "ShowUI-2B"), quantize="int8", max_new_tokens=3)
    assert isinstance(policy, BuiltInChatPolicy)
    assert policy.describe()["quantize"] == "int8"
    kinds = {type(module).__name__ for module in policy.checkpoint.network.modules()}
    assert "Int8Linear" in kinds
    assert policy.start("Click it", SPACE, seed=1).decide(screen(0)).tokens["generated"] >= 1
    with pytest.raises(UsageError, match="belongs to the built-in model, and not to a server"):
        model_policy("http://127.0.0.1:1/v1", served_model="ui-tars", quantize="int8")
