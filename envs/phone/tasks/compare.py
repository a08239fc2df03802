"""Compares two states of a phone: all that a task may care about, and nothing that it may not."""

from typing import Any

from eyehand.envs.phone.state import MessageThread, PhoneState, Reader, Shop


def comparable(state: PhoneState) -> dict[str, Any]:
    """Return what counts of a state, section by section, for comparison with `==`.

    Left out: numbers that the apps give to new entries, the order of entries, the times of
    messages, the stock of the shop, the reader's history and the clock. Phone numbers count by
    their digits; texts without the white space around them.
    """
    return {
        "settings": dict(state["settings"]),
        "alarms": sorted((a["time"], a["label"].strip(), a["enabled"]) for a in state["alarms"]),
        "timer": dict(state["timer"]),
        "contacts": sorted(
            (c["name"].strip(), digits(c["phone"]), c["email"].strip(), c["favourite"])
            for c in state["contacts"]
        ),
        "messages": sorted(_conversation(conversation) for conversation in state["messages"]),
        "notes": sorted(
            (n["title"].strip(), n["body"].strip(), n["pinned"]) for n in state["notes"]
        ),
        "shop": _shop(state["shop"]),
        "reader": _reader(state["reader"]),
    }


def differences(state: PhoneState, goal: PhoneState, brightness_within: int = 0) -> list[str]:
    """Return the sections of a state that differ from the goal's, in the state's order.

    Args:
        state: The state there is.
        goal: The state that is wanted.
        brightness_within: How far the brightness may be from the wanted one, in percent: a slider
            has no marks.
    """
    there, wanted = comparable(state), comparable(goal)
    level, wanted_level = state["settings"]["brightness"], goal["settings"]["brightness"]
    if abs(level - wanted_level) <= brightness_within:
        there["settings"]["brightness"] = wanted_level
    return [section for section in wanted if there[section] != wanted[section]]


def digits(phone: str) -> str:
    """Return a phone number without what people write between the digits; "+" stays in front."""
    plus = "+" if phone.strip().startswith("+") else ""
    return plus + "".join(character for character in phone if character.isdecimal())


def _conversation(conversation: MessageThread) -> tuple[Any, ...]:
    texts = [(message["from"], message["text"].strip()) for message in conversation["thread"]]
    return (digits(conversation["phone"]), conversation["name"].strip(), texts)


def _shop(shop: Shop) -> dict[str, Any]:
    return {
        "products": sorted((p["id"], p["name"], p["price_cents"]) for p in shop["products"]),
        "cart": sorted((item["product"], item["quantity"]) for item in shop["cart"]),
        "orders": sorted(
            (order["total_cents"], sorted((i["product"], i["quantity"]) for i in order["items"]))
            for order in shop["orders"]
        ),
    }


def _reader(reader: Reader) -> list[tuple[str, str, str, bool]]:
    return sorted((a["title"], a["author"], a["body"], a["bookmarked"]) for a in reader["articles"])
