"""draw_state(): a phone in use, random and fixed by the generator that it is drawn with."""

from eyehand.envs.phone import pools
from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.state import (
    Alarm,
    Article,
    Contact,
    FontSize,
    Message,
    MessageThread,
    Note,
    PhoneSettings,
    PhoneState,
    Product,
    Reader,
    Shop,
)

CONTACTS = (13, 17)
CONVERSATIONS = (5, 8)
ALARMS = (3, 5)
NOTES = (6, 10)
PRODUCTS = (14, 20)
ARTICLES = (7, 10)
"""Fewest and most of each kind; contacts, products and articles are more than a screen shows."""

FONT_SIZES: tuple[FontSize, ...] = ("small", "default", "large")


def draw_state(draw: Draw) -> PhoneState:
    """Return the contents of a phone in use.

    Names of contacts, phone numbers, times of alarms, titles and products are each unique, so
    that a task can name one of them. The newest conversation ends with a message from the other.

    Args:
        draw: Where the choices come from.
    """
    contacts = _contacts(draw)
    return PhoneState(
        settings=_settings(draw),
        alarms=_alarms(draw),
        timer={"minutes": 0, "seconds": 0, "running": False},
        contacts=contacts,
        messages=_messages(draw, contacts),
        notes=_notes(draw),
        shop=_shop(draw),
        reader=_reader(draw),
        clock={"now": f"{draw.integer(8, 21):02}:{draw.integer(0, 59):02}"},
    )


def draw_phone_number(draw: Draw) -> str:
    """Return a number such as "212-0173", of the short kind that is dialled within a town."""
    return f"{draw.integer(201, 989)}-01{draw.integer(0, 99):02}"


def draw_name(draw: Draw, taken: set[str]) -> str:
    """Return a full name whose given name is not taken."""
    free = [name for name in pools.GIVEN_NAMES if name not in taken]
    return f"{draw.choice(free)} {draw.choice(pools.FAMILY_NAMES)}"


def draw_time(draw: Draw, taken: set[str]) -> str:
    """Return a time of day in steps of five minutes that is not taken, such as "07:30"."""
    while True:
        time = f"{draw.integer(5, 22):02}:{5 * draw.integer(0, 11):02}"
        if time not in taken:
            return time


def _settings(draw: Draw) -> PhoneSettings:
    return {
        "airplane_mode": False,
        "wifi": draw.chance(),
        "bluetooth": draw.chance(),
        "dark_theme": draw.chance(0.25),
        "brightness": 10 * draw.integer(2, 9),
        "font_size": draw.choice(FONT_SIZES),
        "auto_rotate": draw.chance(),
        "do_not_disturb": draw.chance(0.25),
    }


def _alarms(draw: Draw) -> list[Alarm]:
    count = draw.integer(*ALARMS)
    times: set[str] = set()
    while len(times) < count:
        times.add(draw_time(draw, times))
    labels = draw.sample(pools.ALARM_LABELS, len(times))
    return [
        {"id": number, "time": time, "label": label, "enabled": draw.chance()}
        for number, (time, label) in enumerate(zip(sorted(times), labels, strict=True), start=1)
    ]


def _contacts(draw: Draw) -> list[Contact]:
    given = draw.sample(pools.GIVEN_NAMES, draw.integer(*CONTACTS))
    names = sorted(f"{name} {draw.choice(pools.FAMILY_NAMES)}" for name in given)
    numbers: list[str] = []
    while len(numbers) < len(names):
        if (number := draw_phone_number(draw)) not in numbers:
            numbers.append(number)
    return [
        {
            "id": index,
            "name": name,
            "phone": phone,
            "email": f"{name.split()[-1].lower()}@example.org",
            "favourite": draw.chance(0.2),
        }
        for index, (name, phone) in enumerate(zip(names, numbers, strict=True), start=1)
    ]


def _messages(draw: Draw, contacts: list[Contact]) -> list[MessageThread]:
    partners = draw.sample(contacts, draw.integer(*CONVERSATIONS))
    last_texts = draw.sample(pools.INCOMING_TEXTS, len(partners))
    return [
        {
            "id": number,
            "name": partner["name"],
            "phone": partner["phone"],
            "thread": _thread(draw, text),
        }
        for number, (partner, text) in enumerate(zip(partners, last_texts, strict=True), start=1)
    ]


def _thread(draw: Draw, last_text: str) -> list[Message]:
    """Return a short exchange that ends with the other's text."""
    thread: list[Message] = []
    hour, minute = draw.integer(6, 7), draw.integer(0, 9)
    for index in range(draw.integer(0, 4)):
        mine = index % 2 == 1
        text = draw.choice(pools.OUTGOING_TEXTS if mine else pools.INCOMING_TEXTS)
        time = f"{hour:02}:{minute + 10 * index:02}"
        thread.append({"from": "me" if mine else "them", "text": text, "time": time})
    last_time = f"{hour:02}:{minute + 50:02}"
    return [*thread, {"from": "them", "text": last_text, "time": last_time}]


def _notes(draw: Draw) -> list[Note]:
    chosen = draw.sample(pools.NOTES, draw.integer(*NOTES))
    return [
        {"id": number, "title": title, "body": body, "pinned": draw.chance(0.2)}
        for number, (title, body) in enumerate(chosen, start=1)
    ]


def _shop(draw: Draw) -> Shop:
    chosen = draw.sample(pools.PRODUCTS, draw.integer(*PRODUCTS))
    # Prices are all different, so that "the cheapest" names one product.
    prices = draw.sample(range(300, 9000, 5), len(chosen))
    products: list[Product] = [
        {
            "id": number,
            "name": name,
            "category": category,
            "price_cents": price,
            "rating": draw.integer(30, 50) / 10,
            "stock": draw.integer(5, 40),
        }
        for number, ((name, category), price) in enumerate(
            zip(chosen, prices, strict=True), start=1
        )
    ]
    return {"products": products, "cart": [], "orders": []}


def _reader(draw: Draw) -> Reader:
    chosen = draw.sample(pools.ARTICLES, draw.integer(*ARTICLES))
    authors = draw.sample(pools.GIVEN_NAMES, len(chosen))
    articles: list[Article] = [
        {
            "id": number,
            "title": title,
            "author": f"{author} {draw.choice(pools.FAMILY_NAMES)}",
            "body": "\n\n".join([body, *draw.sample(pools.FILLER_SENTENCES, 6)]),
            "bookmarked": draw.chance(0.2),
        }
        for number, ((title, body), author) in enumerate(zip(chosen, authors, strict=True), start=1)
    ]
    return {"articles": articles, "history": []}
