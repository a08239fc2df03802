"""Instructions in other words, for training: one task, many ways to ask for it.

A network that hears each kind of instruction in one sentence only learns the sentence. What an
instruction names (a word, a date, a direction) stays letter by letter as it is.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from eyehand.model.training.documents import Document, DocumentPart
from eyehand.model.training.sources import DocumentSource

_NAME, _QUOTED = r"(?P<name>.+?)", r'"(?P<name>[^"]+)"'

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (rf"Click on the {_QUOTED} button\.", (
        'Hit "{name}".', 'Use the "{name}" button.', 'Choose the button that says "{name}".',
        'Tap "{name}".', 'Select the "{name}" button on this page.', 'Activate "{name}".')),
    (rf"Click on the link {_QUOTED}\.", (
        'Open the link that says "{name}".', 'Tap the link "{name}".', 'Choose "{name}".',
        'Go to "{name}".', 'Find the link "{name}" and open it.', 'Click "{name}" in the text.')),
    (r"Click button (?P<name>ONE|TWO)\.", (
        "Choose button {name}.", "Hit {name}.", "Tap the button that says {name}.", "Use {name}.")),
    (r"Click the button\.", ("Hit the button.", "Tap the only button.", "Use the button.")),
    (r"Click on Tab #(?P<name>\d)\.", (
        "Switch to Tab #{name}.", "Show the tab #{name}.", "Go to tab #{name}.", "Tap #{name}.")),
    (rf"Click on the {_NAME} colored box\.", (
        "Tap the box that is {name}.", "Choose the {name} square.", "Hit the {name} one.",
        "Find the box in {name} and click it.", "Click what is {name}.")),
    (r'Close the dialog box by clicking the "x"\.', (
        'Dismiss the dialog with the "x".', 'Click the "x" of the window.', "Close the window.")),
    (rf"Click the button in the dialog box labeled {_QUOTED}\.", (
        'Answer the dialog with "{name}".', 'Choose "{name}" in the window.',
        'Tap "{name}" in the dialog box.', 'Click "{name}".')),
    (rf"Click on a {_QUOTED} widget\.", (
        'Click any "{name}".', 'Use one of the "{name}" elements.', 'Tap a "{name}".',
        'Choose an element that is a "{name}".')),
    (rf"Select {_NAME} from the list and click Submit\.", (
        "Pick {name} from the drop-down and submit.", "Set the list to {name} and hit Submit.",
        "In the list, take {name}; then Submit.", "The list should say {name}. Submit it.")),
    (rf"Enter {_QUOTED} into the text field and press Submit\.", (
        'Write "{name}" into the box and hit Submit.', 'Fill in "{name}" and submit.',
        'Put "{name}" in the text field, then Submit.', 'The field should say "{name}": submit.')),
    (rf"Enter the password {_QUOTED} into both text fields and press submit\.", (
        'Write "{name}" twice and submit.', 'Fill both boxes with "{name}", then hit submit.',
        'The password is "{name}": enter it in each field and submit.')),
    (rf"Enter {_NAME} as the date and hit submit\.", (
        "Set the date to {name} and submit.", "Fill in {name} and hit submit.",
        "The date is {name}: enter it, then submit.", "Write {name} as the date and submit.")),
    (rf"Select {_NAME} as the date and hit submit\.", (
        "Pick {name} in the calendar and submit.", "Set the date to {name}, then hit submit.",
        "The date should be {name}. Submit it.")),
    (rf"Select {_NAME} and click Submit\.", (
        "Tick {name} and submit.", "Mark {name}, then hit Submit.", "Pick {name} and submit.",
        "Check {name}; after that, Submit.")),
    (r"Focus into the textbox\.", (
        "Click into the text field.", "Set the focus to the textbox.", "Activate the text box.")),
    (r"Focus into the (?P<name>\d\w\w) input textbox\.", (
        "Click into the {name} text field.", "Set the focus to the {name} textbox.",
        "Activate the {name} input.")),
    (rf"Find the email by {_NAME} and click the trash icon to delete it\.", (
        "Throw away the email from {name}.", "Use the trash icon of {name}'s message.",
        "Remove the mail that {name} sent.", "Put the email by {name} in the trash.")),
    (rf"Find the email by {_NAME} and click the star icon to mark it as important\.", (
        "Give the email from {name} a star.", "Star the message that {name} sent.",
        "Use the star icon of {name}'s mail.", "Mark the email by {name} with a star.")),
    (r"Expand the section below and click submit\.", (
        "Unfold the section and hit submit.", "Expand it and submit.",
        "Show what is in the section, then click submit.")),
    (rf"Switch between the tabs to find and click on the link {_QUOTED}\.", (
        'Find "{name}" in one of the tabs and click it.', 'Search the tabs for "{name}"; open it.',
        'Go through the tabs until you see "{name}" and tap it.', 'Open "{name}".')),
    (rf"Expand the sections below, to find and click on the link {_QUOTED}\.", (
        'Find "{name}" in one of the sections and click it.', 'Unfold the sections; open "{name}".',
        'Look into the sections until you see "{name}" and tap it.')),
    (rf"Drag the (?P<thing>circle|item) {_NAME} then press Submit\.", (
        "Pull the {thing} to the {name} and submit.", "Shift the {thing} {name}; hit Submit.",
        "Take the {thing} further {name}, then submit.", "Drag it {name} and press Submit.")),
    (r"Drag the smaller box so that it is completely inside the larger box\.", (
        "Put the smaller box inside the larger one.", "Drag the little box into the big box.",
        "Pull the smaller square completely into the larger.")),
    (rf"Click on the grid coordinate {_NAME}\.", (
        "Tap the place {name}.", "Click {name} on the grid.", "Hit coordinate {name}.",
        "Mark the point {name}.")),
    (r"Highlight the text in the paragraph below and click submit\.", (
        "Mark all the text and submit.", "Highlight the paragraph, then hit submit.",
        "Select everything in the paragraph and click submit.")),
    (rf"Scroll the textarea to the {_NAME} of the text hit submit\.", (
        "Go to the {name} of the text and submit.", "Scroll to the {name}, then hit submit.",
        "Show the {name} of the textarea and submit.")),
    (rf"Resize the textarea so that the {_NAME} is (?P<more>larger|smaller) than its initial size "
     r"then press Submit\.", (
        "Drag the corner until the {name} is {more}, then submit.",
        "Give the box a {more} {name} and submit.", "Change the {name}: {more}. Then hit Submit.")),
    (r"Press the button that correctly denotes how many sides the shape has\.", (
        "Count the sides and hit the right number.", "Choose how many sides it has.",
        "Tap the count of sides of the shape.")),
    (r"Click the button that best describes the figure below\.", (
        "Say what the figure is.", "Choose what is drawn below.", "Tap the name of the figure.")),
    (r"Bring Current to Target: plus adds 1, minus takes 1 away\.", (
        "Change Current until it is Target: plus 1 or minus 1.",
        "Step by step, make the number Current the same as Target.")),
)  # fmt: skip
_COMPILED = [(re.compile(pattern), sentences) for pattern, sentences in _RULES]

_BEFORE = ("Please ", "Now ", "Next, ", "You should ", "I would like you to ")
_POLITE = 0.3
_BARE = 0.2
_TASK = "Task: "


def wordings(instruction: str) -> tuple[str, ...]:
    """Return other sentences for an instruction; none where its kind is not known."""
    for pattern, sentences in _COMPILED:
        if found := pattern.fullmatch(instruction):
            return tuple(sentence.format(**found.groupdict()) for sentence in sentences)
    return ()


def said_otherwise(instruction: str, draw: random.Random) -> str:
    """Return an instruction in other words, and now and then with a word of politeness before it.

    Args:
        instruction: Of any kind; questions and unknown kinds stay as they are.
        draw: Chooses.
    """
    others = wordings(instruction)
    if not others:
        return instruction
    told = draw.choice(others)
    if draw.random() < _POLITE:
        told = draw.choice(_BEFORE) + told[0].lower() + told[1:]
    return told.removesuffix(".") if draw.random() < _BARE else told


class OtherWords:
    """A source of documents some of whose instructions are said otherwise.

    Args:
        source: The documents.
        share: Of the instructions, 0 to 1.
        seed: Fixes which, and how.
    """

    def __init__(self, source: DocumentSource, share: float, seed: int) -> None:
        self._source, self._share, self._seed = source, share, seed

    def document(self, number: int) -> Document:
        """Return document `number` of the source, with some other instructions."""
        draw = random.Random(f"wordings/{self._seed}/{number}")
        return in_other_words(self._source.document(number), self._share, draw)


def in_other_words(document: Document, share: float, draw: random.Random) -> Document:
    """Return a document with a share of its instructions, 0 to 1, said otherwise."""
    branches = [_branch(parts, share, draw) for parts in document.branches]
    return replace(document, branches=branches)


def _branch(parts: Sequence[DocumentPart], share: float, draw: random.Random) -> list[DocumentPart]:
    if draw.random() >= share or not parts or not parts[0].text.startswith(_TASK):
        return list(parts)
    instruction, *rest = parts[0].text.removeprefix(_TASK).split("\n")
    told = "\n".join((_TASK + said_otherwise(instruction, draw), *rest))
    return [replace(parts[0], text=told), *parts[1:]]
