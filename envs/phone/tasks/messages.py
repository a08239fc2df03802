"""Tasks in the messages."""

from eyehand.envs.phone import pools
from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.state import PhoneState
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.task import (
    ASKING,
    TYPING,
    Assignment,
    PhoneTask,
    changed,
    question,
)


def reply_latest_message(draw: Draw, start: PhoneState) -> Assignment:
    """An answer to the newest message."""
    newest, text = start["messages"][0], draw.choice(pools.OUTGOING_TEXTS)
    goal = _with_message(start, newest["name"], newest["phone"], text)
    parameters = {"name": newest["name"], "text": text}
    return Assignment(f"Reply to the latest message: {text}", start, goal, parameters=parameters)


def send_message_to(draw: Draw, start: PhoneState) -> Assignment:
    """A message to a contact, with or without a conversation so far."""
    contact, text = draw.choice(start["contacts"]), draw.choice(pools.OUTGOING_TEXTS)
    goal = _with_message(start, contact["name"], contact["phone"], text)
    parameters = {"name": contact["name"], "text": text}
    return Assignment(
        f"Send a message to {contact['name']}: {text}", start, goal, parameters=parameters
    )


def share_phone_number(draw: Draw, start: PhoneState) -> Assignment:
    """A contact's number, sent to another: two apps."""
    receiver, subject = draw.sample(start["contacts"], 2)
    goal = _with_message(start, receiver["name"], receiver["phone"], subject["phone"])
    parameters = {
        "name": receiver["name"],
        "subject": subject["name"],
        "text": subject["phone"],
    }
    return Assignment(
        f"Send {receiver['name']} the phone number of {subject['name']}, nothing else.",
        start,
        goal,
        parameters=parameters,
    )


def last_message_of(draw: Draw, start: PhoneState) -> Assignment:
    """What somebody wrote last."""
    conversation = draw.choice(start["messages"])
    return question(
        f"What is the last message from {conversation['name']}? Answer with its exact words.",
        start,
        RightAnswer(conversation["thread"][-1]["text"]),
        name=conversation["name"],
    )


def _with_message(start: PhoneState, name: str, phone: str, text: str) -> PhoneState:
    """Return the state with one more message of ours, in a new conversation where none exists."""
    goal = changed(start)
    for conversation in goal["messages"]:
        if conversation["phone"] == phone:
            break
    else:
        conversation = {"id": 0, "name": name, "phone": phone, "thread": []}
        goal["messages"].append(conversation)
    conversation["thread"].append({"from": "me", "text": text, "time": ""})
    return goal


TASKS = (
    PhoneTask("reply-latest-message", reply_latest_message, TYPING),
    PhoneTask("send-message-to", send_message_to, TYPING),
    PhoneTask("share-phone-number", share_phone_number, TYPING),
    PhoneTask("last-message-of", last_message_of, ASKING),
)
