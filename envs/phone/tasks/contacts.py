"""Tasks in the contacts."""

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.draw_state import draw_name, draw_phone_number
from eyehand.envs.phone.state import Contact, PhoneState
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.task import (
    ASKING,
    TYPING,
    Assignment,
    PhoneTask,
    changed,
    question,
)


def add_contact(draw: Draw, start: PhoneState) -> Assignment:
    """A new contact with a name and a number."""
    name = draw_name(draw, {contact["name"].split()[0] for contact in start["contacts"]})
    phone = _new_number(draw, start)
    goal = changed(start)
    goal["contacts"].append(
        {"id": 0, "name": name, "phone": phone, "email": "", "favourite": False}
    )
    parameters = {"name": name, "phone": phone}
    return Assignment(f"Add the contact {name}, {phone}.", start, goal, parameters=parameters)


def edit_contact_phone(draw: Draw, start: PhoneState) -> Assignment:
    """Another number for a contact; conversations with the old one stay as they are."""
    name = draw.choice(start["contacts"])["name"]
    phone = _new_number(draw, start)
    goal = changed(start)
    contact_named(goal, name)["phone"] = phone
    parameters = {"name": name, "phone": phone}
    return Assignment(
        f"Change the phone number of {name} to {phone}.", start, goal, parameters=parameters
    )


def favourite_contact(draw: Draw, start: PhoneState) -> Assignment:
    """A contact becomes a favourite."""
    name = draw.choice(start["contacts"])["name"]
    contact_named(start, name)["favourite"] = False
    goal = changed(start)
    contact_named(goal, name)["favourite"] = True
    instruction = f"Mark {name} as a favourite contact."
    return Assignment(instruction, start, goal, parameters={"name": name})


def delete_contact(draw: Draw, start: PhoneState) -> Assignment:
    """A contact goes."""
    name = draw.choice(start["contacts"])["name"]
    goal = changed(start)
    goal["contacts"] = [contact for contact in goal["contacts"] if contact["name"] != name]
    return Assignment(f"Delete the contact {name}.", start, goal, parameters={"name": name})


def find_phone_number(draw: Draw, start: PhoneState) -> Assignment:
    """A contact's number."""
    contact = draw.choice(start["contacts"])
    return question(
        f"What is the phone number of {contact['name']}?",
        start,
        RightAnswer(contact["phone"], "phone"),
        name=contact["name"],
    )


def contact_named(state: PhoneState, name: str) -> Contact:
    """Return the contact of that name, which exists."""
    return next(contact for contact in state["contacts"] if contact["name"] == name)


def _new_number(draw: Draw, state: PhoneState) -> str:
    taken = {contact["phone"] for contact in state["contacts"]}
    while (phone := draw_phone_number(draw)) in taken:
        pass
    return phone


TASKS = (
    PhoneTask("add-contact", add_contact, TYPING),
    PhoneTask("edit-contact-phone", edit_contact_phone, TYPING),
    PhoneTask("favourite-contact", favourite_contact),
    PhoneTask("delete-contact", delete_contact),
    PhoneTask("find-phone-number", find_phone_number, ASKING),
)
