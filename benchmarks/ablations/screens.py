"""A network on drawn screens of several sizes: "where is WORD", in the word's box or not."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.ablations.positions import one_dimensional
from benchmarks.ablations.timed import UNBOUNDED_TOKENS, Budget, Row, TimedRun
from benchmarks.ablations.views import Dynamic, View, Viewed, ViewEncoder
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.model.folder import read_config
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import NOWHERE, Batch, collate
from eyehand.model.training.documents import Document
from eyehand.model.training.embedded import SETTINGS, new_model
from eyehand.model.training.gates import answer_loss, measure_pointing
from eyehand.model.training.pages import word_lists
from eyehand.model.training.positions import LookLoss
from eyehand.model.training.reading import EVALUATION_SEED
from eyehand.model.training.screens import DrawnScreens
from eyehand.model.training.sources import DocumentSource
from eyehand.model.training.trainer import TrainingPlan
from eyehand.model.weights import load_checkpoint

SIZES_PX = ((168, 112), (112, 168), (196, 126), (224, 168), (154, 154), (238, 112))
"""Widths and heights: 96 to 192 tokens at their own size, 128 on average."""
DYNAMIC = Dynamic(SETTINGS)
ONE_SIZE_PX = (168, 154)
"""Of 132 tokens."""
TILE_PX, MOST_TILES = 56, 12
"""Tiles of 16 tokens: screens whose sides are multiples of 56 are cut as they are."""

HELD_OUT = 64
"""Drawn screens of held-out words, on whose answers the loss is measured."""
_LAYERS, _INTERMEDIATE = 3, 640
_BATCH, _BRANCHES = 2, 16
"""Few screens a step, many questions each: in few minutes steps count for more than screens."""
_AHEAD = 2
"""Columns of the cells that `ViewEncoder` adds."""


class PlaceQuestions(DrawnScreens):
    """Drawn screens that are asked for words alone, where they hold any."""

    def document(self, number: int) -> Document:
        """Return screen `number` with its questions."""
        document = super().document(number)
        places = [one for one in document.branches if one[0].text.startswith('Where is "')]
        return replace(document, branches=places or document.branches)


class ViewRun(TimedRun):
    """A run on documents that a view shows; the guides know each token's place on the screen.

    Args:
        view: The view.
        model: Trained in place.
        tokenizer: Its tokenizer.
        source: Documents of one screen.
        folder: Where the state lies.
        plan: How.
    """

    def __init__(
        self, view: View, model: Qwen2VLNetwork, tokenizer: Tokenizer, source: DocumentSource,
        folder: Path, plan: TrainingPlan,
    ) -> None:  # fmt: skip
        self._view = view
        self._seen = torch.empty(0, _AHEAD, dtype=torch.long)
        super().__init__(model, tokenizer, source, folder, plan, SETTINGS)

    def _make_encoder(self, tokenizer: Tokenizer, settings: ImageSettings) -> ViewEncoder:
        return ViewEncoder(tokenizer, self.model.config, settings, self._view)

    def _forward(self, batch: Batch) -> dict[str, Tensor]:
        self._seen = batch.cells[:, -_AHEAD:]
        return super()._forward(replace(batch, cells=batch.cells[:, :-_AHEAD]))

    def _places(self, batch: Batch) -> Tensor:
        places = torch.zeros_like(batch.positions)
        places[1:, batch.ids == self.model.config.image_token_id] = self._seen.T
        return places


@dataclass(frozen=True)
class Screens:
    """A language model of three layers from nothing, behind a tower.

    Attributes:
        view: What is seen of a screen.
        one_dimensional: Whether positions are.
        character_weight: Weight of the character loss; 0 for none.
        new_tower: Whether the tower begins from nothing too, in place of the shipped one.
    """

    view: View = DYNAMIC
    one_dimensional: bool = False
    character_weight: float = 1.0
    new_tower: bool = False

    def run(self, budget: Budget, seed: int, folder: Path, questions: int) -> Row:
        """Train in turns, and measure.

        Args:
            budget: Of the training.
            seed: Of weights and screens.
            folder: For the run's state.
            questions: So many are measured.
        """
        tokenizer, model = self._begin(seed)
        plan = TrainingPlan(
            tokens=UNBOUNDED_TOKENS, batch=_BATCH, branches=_BRANCHES, seed=seed,
            character_weight=self.character_weight, save_s=float("inf"),
        )  # fmt: skip
        source = PlaceQuestions(seed, SIZES_PX)
        run = ViewRun(self.view, model, tokenizer, source, folder, plan)
        run.budget = budget
        while run.spent_s < budget.core_s:
            with self._positions():  # other rows have others
                run.turn()
            yield run.spent_s
        run.close()
        with self._positions():
            return {**run.work(), **self._measure(model, tokenizer, questions)}

    def _positions(self) -> AbstractContextManager[None]:
        return one_dimensional() if self.one_dimensional else nullcontext()

    def _begin(self, seed: int) -> tuple[Tokenizer, Qwen2VLNetwork]:
        tokenizer = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
        config = read_config(EMBEDDED_CHECKPOINT)
        text = replace(config.text, num_hidden_layers=_LAYERS, intermediate_size=_INTERMEDIATE)
        model = new_model(replace(config, text=text), seed)
        if not self.new_tower:
            shipped = load_checkpoint(EMBEDDED_CHECKPOINT, dtype=torch.float32)
            model.visual.load_state_dict(shipped.visual.state_dict())
        return tokenizer, model

    def _measure(
        self, model: Qwen2VLNetwork, tokenizer: Tokenizer, questions: int
    ) -> dict[str, Any]:
        loaded = Viewed(model, tokenizer, SETTINGS, view=self.view)
        found = measure_pointing(loaded, questions, sizes=SIZES_PX)
        count = int(found["questions"])
        looked: list[bool] = []
        loss = answer_loss(model, self._held_out(model, tokenizer, looked))
        return {
            "looked": [sum(looked), len(looked)],
            "inside": [round(found["inside"] * count), count],
            "chance": [round(found["chance"] * count), count], "loss": round(loss, 4),
        }  # fmt: skip

    def _held_out(
        self, model: Qwen2VLNetwork, tokenizer: Tokenizer, looked: list[bool]
    ) -> Iterator[Batch]:
        """Yield screens of held-out words; after a pass over one, append where it looked."""
        encoder = ViewEncoder(tokenizer, model.config, SETTINGS, self.view)
        source = PlaceQuestions(EVALUATION_SEED, SIZES_PX, word_lists()[1])
        looks = LookLoss(model)
        for number in range(HELD_OUT):
            batch = collate([encoder.encode(source.document(number))], tokenizer.pad_id)
            yield batch
            looked += looked_right(looks.scores(), batch)
        looks.close()


def looked_right(scores: Tensor, batch: Batch) -> list[bool]:
    """Return for each answer with a point whether the head looks at the very token that holds it.

    Args:
        scores: (B, L, L), how much each token looks at each.
        batch: The documents; what counts is where each answer is about to begin.
    """
    begins = (batch.looks != NOWHERE) & (batch.looks.roll(1, 1) == NOWHERE)  # (B, L)
    right: list[bool] = (scores[begins].argmax(-1) == batch.looks[begins]).tolist()
    return right
