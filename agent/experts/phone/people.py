"""How the phone's tasks in contacts and messages are solved."""

from eyehand.actions.android import OpenApp, Press, TypeText
from eyehand.agent.experts.phone.moves import Plan, go, parameter, right_answer, write
from eyehand.agent.experts.phone.view import PhoneView, Target

# --- contacts -----------------------------------------------------------------------------


def add_contact(view: PhoneView) -> Plan:
    """Fill in the form of a new contact."""
    yield OpenApp(app="Contacts")
    yield from go(view, Target("add"))
    for part in ("name", "phone"):
        yield from write(view, part, parameter(view, part))
    yield from go(view, Target("save"))


def edit_contact_phone(view: PhoneView) -> Plan:
    """Empty the number's field by the delete key, then type the new number."""
    yield from _contact(view)
    yield from go(view, Target("edit"), Target("phone"))
    field = view.find(Target("phone"))
    for _ in field.text if field else "":
        yield Press(key="delete")
    yield TypeText(text=parameter(view, "phone"))
    yield from go(view, Target("save"))


def favourite_contact(view: PhoneView) -> Plan:
    """Open the contact and tap the star."""
    yield from _contact(view)
    yield from go(view, Target("favourite"))


def delete_contact(view: PhoneView) -> Plan:
    """Open the contact and delete it."""
    yield from _contact(view)
    yield from go(view, Target("delete"), Target("confirm"))


def find_phone_number(view: PhoneView) -> Plan:
    """Open the contact and read its number."""
    yield from _contact(view)
    yield right_answer(view)


def _contact(view: PhoneView, who: str = "name") -> Plan:
    yield OpenApp(app="Contacts")
    yield from go(view, Target("row_title", parameter(view, who)))


# --- messages -----------------------------------------------------------------------------


def send_message(view: PhoneView) -> Plan:
    """Write in the conversation with the person, or begin one."""
    name, text = parameter(view, "name"), parameter(view, "text")
    yield OpenApp(app="Messages")
    if any(one["name"] == name for one in view.environment.screen.state()["messages"]):
        yield from go(view, Target("row_title", name))
        yield from write(view, "reply", text)
    else:
        yield from go(view, Target("start_chat"))
        yield from write(view, "to", name)
        yield from write(view, "text", text)
    yield from go(view, Target("send"))


def share_phone_number(view: PhoneView) -> Plan:
    """Look the number up, then send it."""
    yield from _contact(view, "subject")
    yield from send_message(view)


def last_message_of(view: PhoneView) -> Plan:
    """Open the conversation and read its end."""
    yield OpenApp(app="Messages")
    yield from go(view, Target("row_title", parameter(view, "name")))
    yield right_answer(view)
