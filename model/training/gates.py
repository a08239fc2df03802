"""What a network can do: read, find a word that it has never seen, and foresee answers.

Words, screens and fonts are drawn from evaluation seeds and held-out words.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.qwen2vl.model import IGNORED_TARGET, Qwen2VLNetwork
from eyehand.model.qwen2vl.vision import VisionTower
from eyehand.model.training.batching import Batch, Encoder, collate
from eyehand.model.training.characters import CharacterHead, character_loss
from eyehand.model.training.documents import Document
from eyehand.model.training.optimizer import rate_share
from eyehand.model.training.pages import FONTS, word_lists
from eyehand.model.training.reading import (
    EVALUATION_SEED,
    ReadingPlan,
    page_batch,
    training_pages,
)
from eyehand.model.training.screens import (
    MOST_WORDS,
    OPENING,
    QUESTION_END,
    DrawnScreen,
    DrawnScreens,
    Item,
)

_RATE = 0.003
_TOKENS_A_STEP = 512
_PAGES_A_BATCH = 64
_ONE_EMPTY_OF = 7
"""Of the tokens without a character so many are left out but one."""
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


def fit_head(
    tower: VisionTower, pages: int = 3840, follow: Callable[[str], None] = lambda told: None
) -> CharacterHead:
    """Fit a character head to a tower that stays as it is, on drawn pages of training words.

    A checkpoint does not hold the head that its tower was trained with. One layer of weights can
    only name what the tower's tokens say plainly, so a new one measures the tower.

    Args:
        tower: In evaluation mode.
        pages: So many are drawn; the head takes one step and a half for each.
        follow: Told how far it is, now and then.
    """
    tokens, labels = _seen_pages(tower, pages, follow)
    torch.manual_seed(0)
    head = CharacterHead(tower.config)
    optimizer = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=0.0)
    draw = torch.Generator().manual_seed(0)
    steps = 1 + pages * 3 // 2
    for step in range(steps):
        chosen = torch.randint(len(tokens), (_TOKENS_A_STEP,), generator=draw)
        for group in optimizer.param_groups:
            group["lr"] = _RATE * rate_share(step, steps, 0, steps // 2)
        character_loss(head(tokens[chosen]), labels[chosen]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 1000 == 0:
            follow(f"the head: {step} of {steps} steps")
    return head


def _seen_pages(
    tower: VisionTower, pages: int, follow: Callable[[str], None]
) -> tuple[Tensor, Tensor]:
    """Return what a tower makes of drawn pages: tokens (V, hidden), labels (V, cells)."""
    plan = ReadingPlan(pages=_PAGES_A_BATCH)
    seen = []
    for number in range(-(-pages // _PAGES_A_BATCH)):
        if number % 10 == 0:
            follow(f"pages: {number * _PAGES_A_BATCH} of {pages}")
        batch = page_batch(training_pages(plan, number), tower.config)
        with torch.no_grad():
            seen.append((tower(batch.patches, batch.grid_thw).float(), batch.labels))
    tokens, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    written = (labels > 0).any(1)
    empty_too = torch.arange(len(labels)) % _ONE_EMPTY_OF == 0
    return tokens[written | empty_too], labels[written | empty_too]


@torch.inference_mode()
def screen_characters(
    tower: VisionTower, head: CharacterHead, documents: Iterable[Document], encoder: Encoder
) -> list[int]:
    """Count the characters on documents' screens that a head names in their cells, and all.

    Args:
        tower: In evaluation mode.
        head: Its head.
        documents: Screens whose characters are not known are passed over.
        encoder: Of the network.
    """
    right = total = 0
    for document in documents:
        batch = collate([encoder.encode(document)], 0)
        named = head(tower(batch.patches, batch.grid_thw)).argmax(-1)
        written = batch.cells > 0
        right += int((named == batch.cells)[written].sum())
        total += int(written.sum())
    return [right, total]


@torch.inference_mode()
def exact_answers(
    loaded: Qwen2VL, documents: Iterable[Document], encoder: Encoder
) -> dict[str, list[int]]:
    """Count the answers of which every token is the likeliest one, by what is asked.

    Args:
        loaded: The network.
        documents: Of one screen, with their questions as branches; the first is a task's own.
        encoder: Of the network.

    Returns:
        By "where is", "what stands" and "task": how many answers are exact, and how many there are.
    """
    network, pad_id = loaded.network, loaded.tokenizer.pad_id
    found: dict[str, list[int]] = {}
    for document in documents:
        batch = collate([encoder.encode(document)], pad_id)
        rows = batch.targets != IGNORED_TARGET
        logits = network(
            batch.ids, rows=rows, patches=batch.patches, grid_thw=batch.grid_thw,
            position_ids=batch.positions, attention_mask=batch.mask,
        )  # fmt: skip
        right, branch = logits.argmax(-1) == batch.targets[rows], batch.group[rows]
        for number, parts in enumerate(document.branches, 1):
            count = found.setdefault(_asked(parts[0].text), [0, 0])
            count[0] += bool(right[branch == number].all())
            count[1] += 1
    return found


def _asked(question: str) -> str:
    told = question.removeprefix("Task: ")
    for kind in ("Where is", "What stands"):
        if told.startswith(kind):
            return kind.lower()
    return "task"


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
