"""What a network in training can do: foresee answers, and find a word that it has never seen.

Words, screens and fonts are drawn from evaluation seeds and held-out words.
"""

import random
import re
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F

from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.qwen2vl.model import IGNORED_TARGET, Qwen2VLNetwork
from eyehand.model.training.batching import Batch
from eyehand.model.training.pages import FONTS, word_lists
from eyehand.model.training.reading import EVALUATION_SEED
from eyehand.model.training.screens import (
    MOST_WORDS,
    OPENING,
    QUESTION_END,
    DrawnScreen,
    DrawnScreens,
    Item,
)

SCREEN_PX = (224, 280)
"""Width and height of the screens, those of MiniWoB++."""
MOST_ANSWER_TOKENS = 16
_POINT = re.compile(r"\[(\d+), (\d+)\]")


def measure_pointing(
    loaded: Qwen2VL, questions: int = 200, fonts: Sequence[str] = FONTS,
    sizes: Sequence[tuple[int, int]] = (SCREEN_PX,),
) -> dict[str, float]:  # fmt: skip
    """Ask "Where is WORD?" on drawn screens of up to twenty words, one question a screen.

    Args:
        loaded: The network.
        questions: How many screens.
        fonts: Fonts that they are drawn with.
        sizes: Their widths and heights in pixels.

    Returns:
        `inside`: share of the answers that lie in the word's box, 0 to 1; `chance`: the same for
        the place of another word of the screen, drawn at random; `questions`: their count.
    """
    screens = DrawnScreens(EVALUATION_SEED, sizes, word_lists()[1], fonts)
    inside = chance = asked = number = 0
    while asked < questions:
        screen = screens.screen(number)
        draw = random.Random(f"pointing/{number}")
        number += 1
        words = _words(screen)
        if len(words) < 2:
            continue
        wanted = draw.choice(words)
        asked += 1
        inside += _is_inside(_answer(loaded, screen, wanted.text), wanted, screen)
        other = draw.choice(words)
        chance += other is wanted
    return {
        "inside": round(inside / asked, 4),
        "chance": round(chance / asked, 4),
        "questions": asked,
    }


@torch.inference_mode()
def answer_loss(model: Qwen2VLNetwork, batches: Iterable[Batch]) -> float:
    """Return the mean loss of an answer's token, over all tokens of all batches.

    Args:
        model: Left in evaluation mode.
        batches: At least one, with at least one token to be foreseen.
    """
    model.eval()
    total, count = 0.0, 0
    for batch in batches:
        here = batch.to(model.device)
        rows = here.targets != IGNORED_TARGET
        logits = model(
            here.ids, rows=rows, patches=here.patches, grid_thw=here.grid_thw,
            position_ids=here.positions, attention_mask=here.mask,
        )  # fmt: skip
        targets = here.targets[rows]
        total += float(F.cross_entropy(logits.float(), targets, reduction="sum"))
        count += len(targets)
    return total / count


def _words(screen: DrawnScreen) -> list[Item]:
    """Return the words that stand once on a screen; none where it holds more than twenty."""
    texts = [item.text.lower() for item in screen.items]
    if len(texts) > MOST_WORDS:
        return []
    return [item for item in screen.items if item.text and texts.count(item.text.lower()) == 1]


def _answer(loaded: Qwen2VL, screen: DrawnScreen, word: str) -> str:
    session = loaded.session()
    for part in OPENING:
        if part.kind == "screen":
            session.append_image(screen.image)
        else:
            session.append_template(part.text)
    session.append_text(f'Where is "{word}"?')
    session.append_template(QUESTION_END.text)
    return generate([session], GenerationConfig(MOST_ANSWER_TOKENS))[0].text


def _is_inside(answer: str, item: Item, screen: DrawnScreen) -> bool:
    found = _POINT.search(answer)
    if found is None:
        return False
    width_px, height_px = screen.size
    x_px, y_px = int(found[1]) / 1000 * width_px, int(found[2]) / 1000 * height_px
    left, top, right, bottom = item.text_box or item.box
    return left <= x_px <= right and top <= y_px <= bottom
