"""What the simulated phone knows: the state of its settings and apps, its defaults, its check."""

import copy
import re
from collections.abc import Mapping
from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic takes no other one before Python 3.12

from eyehand.envs.phone.articles import ARTICLES
from eyehand.envs.phone.products import PRODUCTS
from eyehand.errors import UsageError

LATIN_IME = "com.android.inputmethod.latin/.LatinIME"
ADB_IME = "com.android.adbkeyboard/.AdbIME"

FontSize = Literal["small", "default", "large"]
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
STRICT = ConfigDict(extra="forbid", strict=True)


@with_config(STRICT)
class PhoneSettings(TypedDict):
    """The switches of the Settings app. `brightness` is 0 to 100."""

    airplane_mode: bool
    wifi: bool
    bluetooth: bool
    dark_theme: bool
    brightness: int
    font_size: FontSize
    auto_rotate: bool
    do_not_disturb: bool


@with_config(STRICT)
class Alarm(TypedDict):
    """One alarm of the Clock. `time` is "HH:MM" of 24 hours."""

    id: int
    time: str
    label: str
    enabled: bool


@with_config(STRICT)
class Timer(TypedDict):
    """The Clock's timer: 0 to 59 minutes and seconds. A running timer does not count down."""

    minutes: int
    seconds: int
    running: bool


@with_config(STRICT)
class Contact(TypedDict):
    """A person in Contacts."""

    id: int
    name: str
    phone: str
    email: str
    favourite: bool


# "from" is a word of Python, so this one is written as a call.
Message = TypedDict("Message", {"from": Literal["me", "them"], "text": str, "time": str})
with_config(STRICT)(Message)
Message.__doc__ = "One message of a conversation, `time` as HH:MM."


@with_config(STRICT)
class MessageThread(TypedDict):
    """A conversation in Messages; its last message is the newest."""

    id: int
    name: str
    phone: str
    thread: list[Message]


@with_config(STRICT)
class Note(TypedDict):
    """A note; pinned ones are shown first."""

    id: int
    title: str
    body: str
    pinned: bool


@with_config(STRICT)
class Product(TypedDict):
    """A thing that the Shop sells. Rating 0 to 5, price in cents."""

    id: int
    name: str
    category: str
    price_cents: int
    rating: float
    stock: int


@with_config(STRICT)
class CartItem(TypedDict):
    """A line of the cart or of an order: the product's id and how many."""

    product: int
    quantity: int


@with_config(STRICT)
class Order(TypedDict):
    """What was ordered, and its price in cents."""

    id: int
    items: list[CartItem]
    total_cents: int


@with_config(STRICT)
class Shop(TypedDict):
    """The Shop: what it sells, what lies in the cart, what was ordered."""

    products: list[Product]
    cart: list[CartItem]
    orders: list[Order]


@with_config(STRICT)
class Article(TypedDict):
    """An article of the Reader; paragraphs of its body are parted by an empty line."""

    id: int
    title: str
    author: str
    body: str
    bookmarked: bool


@with_config(STRICT)
class Reader(TypedDict):
    """The Reader: articles, and the ids of those opened, oldest first."""

    articles: list[Article]
    history: list[int]


@with_config(STRICT)
class Clock(TypedDict):
    """The time that the phone shows, "HH:MM"; it stands still."""

    now: str


@with_config(STRICT)
class PhoneState(TypedDict):
    """Everything that the phone's apps show and change. JSON-ready; lists have a fixed order.

    `messages` holds the newest conversation first. `imes` are the ids of the installed input
    methods (both by default).
    """

    settings: PhoneSettings
    alarms: list[Alarm]
    timer: Timer
    contacts: list[Contact]
    messages: list[MessageThread]
    notes: list[Note]
    shop: Shop
    reader: Reader
    clock: Clock
    imes: NotRequired[list[str]]


_ADAPTER: TypeAdapter[PhoneState] = TypeAdapter(PhoneState)


def _contact(number: int, name: str, phone: str, favourite: bool = False) -> Contact:
    email = f"{name.split()[0].lower()}@example.org"
    return {"id": number, "name": name, "phone": phone, "email": email, "favourite": favourite}


def _message(sender: Literal["me", "them"], text: str, time: str) -> Message:
    return {"from": sender, "text": text, "time": time}


def _settings() -> PhoneSettings:
    return {
        "airplane_mode": False,
        "wifi": True,
        "bluetooth": False,
        "dark_theme": False,
        "brightness": 60,
        "font_size": "default",
        "auto_rotate": False,
        "do_not_disturb": False,
    }


def _contacts() -> list[Contact]:
    names = (
        "Alice Moreau", "Ben Okafor", "Carla Rossi", "Daniel Kim", "Elena Petrova", "Farid Haddad",
        "Grace Liu", "Hugo Martin", "Ingrid Olsen", "Jonas Weber", "Keiko Tanaka", "Liam Murphy",
    )  # fmt: skip
    return [
        _contact(number, name, f"555-01{number * 7:02d}", favourite=number == 3)
        for number, name in enumerate(names, start=1)
    ]


def _messages() -> list[MessageThread]:
    alice = [
        _message("them", "Are we still on for lunch?", "09:12"),
        _message("me", "Yes! Noon at the station.", "09:15"),
        _message("them", "Great. Can you bring the book?", "09:40"),
    ]
    ben = [_message("them", "The train leaves at 18:05.", "08:31")]
    grace = [
        _message("me", "Happy birthday!", "07:58"),
        _message("them", "Thank you so much", "08:02"),
    ]
    return [
        {"id": 1, "name": "Alice Moreau", "phone": "555-0107", "thread": alice},
        {"id": 2, "name": "Ben Okafor", "phone": "555-0114", "thread": ben},
        {"id": 3, "name": "Grace Liu", "phone": "555-0149", "thread": grace},
    ]


def _notes() -> list[Note]:
    return [
        {"id": 1, "title": "Shopping list", "body": "Milk\nBread\nApples", "pinned": True},
        {"id": 2, "title": "Ideas", "body": "A walk along the river on Sunday.", "pinned": False},
        {"id": 3, "title": "Books to read", "body": "Middlemarch\nThe Leopard", "pinned": False},
    ]


def default_state() -> PhoneState:
    """Return a fresh state with a few entries in every app; change it as you like.

    Example:
        >>> default_state()["alarms"][0]["time"]
        '06:45'
    """
    return {
        "settings": _settings(),
        "alarms": [
            {"id": 1, "time": "06:45", "label": "Work", "enabled": True},
            {"id": 2, "time": "09:30", "label": "Weekend", "enabled": False},
        ],
        "timer": {"minutes": 5, "seconds": 0, "running": False},
        "contacts": _contacts(),
        "messages": _messages(),
        "notes": _notes(),
        "shop": {"products": copy.deepcopy(list(PRODUCTS)), "cart": [], "orders": []},
        "reader": {"articles": copy.deepcopy(list(ARTICLES)), "history": []},
        "clock": {"now": "10:24"},
        "imes": [LATIN_IME, ADB_IME],
    }


def validated(state: Mapping[str, Any]) -> PhoneState:
    """Return a deep copy of `state`, checked: all keys, types, bounds, unique ids.

    Raises:
        UsageError: something is missing, unknown or out of bounds; the message says where.
    """
    try:
        copied = _ADAPTER.validate_python(copy.deepcopy(dict(state)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"phone state, {place}: {first['msg']}, got {first['input']!r}") from error
    for check in (_check_numbers, _check_times, _check_ids):
        check(copied)
    return copied


def _require(fine: bool, place: str, expected: str, value: object) -> None:
    if not fine:
        raise UsageError(f"phone state, {place}: expected {expected}, got {value!r}")


def _check_numbers(state: PhoneState) -> None:
    brightness = state["settings"]["brightness"]
    _require(0 <= brightness <= 100, "settings.brightness", "0 to 100", brightness)
    for name, value in (
        ("minutes", state["timer"]["minutes"]),
        ("seconds", state["timer"]["seconds"]),
    ):
        _require(0 <= value <= 59, f"timer.{name}", "0 to 59", value)
    for item in state["shop"]["cart"]:
        _require(item["quantity"] >= 1, "shop.cart.quantity", "1 or more", item["quantity"])


def _check_times(state: PhoneState) -> None:
    times = [("clock.now", state["clock"]["now"])]
    times += [("alarms.time", alarm["time"]) for alarm in state["alarms"]]
    times += [
        ("messages.thread.time", message["time"])
        for conversation in state["messages"]
        for message in conversation["thread"]
    ]
    for place, value in times:
        _require(TIME.fullmatch(value) is not None, place, "HH:MM of 24 hours", value)


def _check_ids(state: PhoneState) -> None:
    lists: dict[str, list[Any]] = {
        "alarms": [*state["alarms"]],
        "contacts": [*state["contacts"]],
        "messages": [*state["messages"]],
        "notes": [*state["notes"]],
        "shop.products": [*state["shop"]["products"]],
        "reader.articles": [*state["reader"]["articles"]],
    }
    for place, entries in lists.items():
        ids = [entry["id"] for entry in entries]
        _require(len(ids) == len(set(ids)), f"{place}.id", "every id once", ids)
    products = {product["id"] for product in state["shop"]["products"]}
    for item in state["shop"]["cart"]:
        _require(
            item["product"] in products, "shop.cart.product", "a product's id", item["product"]
        )
