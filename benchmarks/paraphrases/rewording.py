"""Instructions said otherwise: two sentences for each kind of instruction, with the same contents.

None of them stands in a training document. The first says it nearly so, with other verbs; the
second turns the sentence around, as people write who do not know how a benchmark asks.
"""

import re

_NAME = r"(?P<name>.+?)"
_QUOTED = r'"(?P<name>[^"]+)"'

_RULES: tuple[tuple[str, str, str], ...] = (
    (rf'Click on the {_QUOTED} button\.', 'Press the button "{name}".',
     'There is a button "{name}" here: please push it.'),
    (rf'Click on the link {_QUOTED}\.', 'Follow the link "{name}".',
     'I want to go to "{name}": use its link.'),
    (r"Click button (?P<name>ONE|TWO)\.", "Press the button {name}.",
     "Of the two buttons I need {name}."),
    (r"Click the button\.", "Press the button.", "There is one button here: please push it."),
    (r"Click on Tab #(?P<name>\d)\.", "Open tab #{name}.", "Tab #{name} is the one to show."),
    (rf"Click on the {_NAME} colored box\.", "Press the {name} box.",
     "One box is {name}: choose it."),
    (r'Close the dialog box by clicking the "x"\.', 'Use the "x" to close the dialog.',
     'I do not need this dialog any more: close it with its "x".'),
    (rf'Click the button in the dialog box labeled {_QUOTED}\.', 'Press "{name}" in the dialog.',
     'The dialog has a button "{name}": that one, please.'),
    (rf'Click on a {_QUOTED} widget\.', 'Press a widget of the kind "{name}".',
     'Find something of type "{name}" and use it.'),
    (rf"Select {_NAME} from the list and click Submit\.",
     "Choose {name} in the list, then press Submit.", "Submit the list with {name} chosen."),
    (rf'Enter {_QUOTED} into the text field and press Submit\.',
     'Type "{name}" in the field, then click Submit.', 'Submit "{name}" in the text field.'),
    (rf'Enter the password {_QUOTED} into both text fields and press submit\.',
     'Type the password "{name}" in both fields, then click submit.',
     'Both fields want the password "{name}"; submit them.'),
    (rf"Enter {_NAME} as the date and hit submit\.", "Type the date {name}, then press submit.",
     "Submit the form with the date {name}."),
    (rf"Select {_NAME} and click Submit\.", "Choose {name}, then press Submit.",
     "Submit the form with {name} chosen."),
    (r"Focus into the textbox\.", "Put the cursor in the textbox.",
     "I want to type into the textbox: go there."),
    (r"Focus into the (?P<name>\d\w\w) input textbox\.", "Put the cursor in the {name} textbox.",
     "The {name} textbox is where I want to type."),
    (rf"Find the email by {_NAME} and click the trash icon to delete it\.",
     "Look for {name}'s email and delete it with its trash icon.",
     "Delete what {name} wrote, with the trash icon."),
    (rf"Find the email by {_NAME} and click the star icon to mark it as important\.",
     "Look for {name}'s email and mark it as important with its star icon.",
     "What {name} wrote is important: mark it with the star icon."),
    (r"Expand the section below and click submit\.", "Open the section, then press submit.",
     "Submit is inside the section: open it first."),
    (rf'Switch between the tabs to find and click on the link {_QUOTED}\.',
     'Look through the tabs for the link "{name}" and follow it.',
     'The link "{name}" is on one of the tabs: follow it.'),
    (rf"Drag the (?P<thing>circle|item) {_NAME} then press Submit\.",
     "Move the {thing} {name}, then click Submit.",
     "The {thing} belongs further {name}: drag it there and submit."),
    (r"Drag the smaller box so that it is completely inside the larger box\.",
     "Move the small box into the large box.", "The small box belongs inside the large one."),
    (rf"Click on the grid coordinate {_NAME}\.", "Press the point {name} of the grid.",
     "On the grid, choose {name}."),
    (r"Highlight the text in the paragraph below and click submit\.",
     "Select the text of the paragraph, then press submit.",
     "Submit with the whole paragraph selected."),
    (rf"Scroll the textarea to the {_NAME} of the text hit submit\.",
     "Move the textarea to the {name} of its text, then press submit.",
     "Submit once the textarea shows the {name} of its text."),
    (rf"Resize the textarea so that the {_NAME} is (?P<more>larger|smaller) than its initial size "
     r"then press Submit\.",
     "Make the {name} of the textarea {more} than it is, then click Submit.",
     "The textarea needs a {name} that is {more}: change it and submit."),
    (r"Press the button that correctly denotes how many sides the shape has\.",
     "Click the number of sides of the shape.", "How many sides has the shape? Press that number."),
    (r"Click the button that best describes the figure below\.",
     "Press the button that names the figure.", "What is this figure? Choose its button."),
    (r"Bring Current to Target: plus adds 1, minus takes 1 away\.",
     "Make Current equal to Target: plus is one more, minus is one less.",
     "Current and Target should be the same number; use plus and minus."),
)  # fmt: skip

_COMPILED = [(re.compile(pattern), sentences) for pattern, *sentences in _RULES]

WAYS = ("other verbs", "turned around")
"""The two ways, in the order of `reworded`."""


def reworded(instruction: str) -> tuple[str, ...]:
    """Return an instruction in other words, in two ways; nothing where no rule knows it."""
    for pattern, sentences in _COMPILED:
        if found := pattern.fullmatch(instruction):
            return tuple(sentence.format(**found.groupdict()) for sentence in sentences)
    return ()
