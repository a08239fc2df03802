"""How the phone's tasks in notes, shop and reader are solved."""

from eyehand.actions.android import OpenApp
from eyehand.agent.experts.phone.moves import Plan, go, parameter, reveal, right_answer, write
from eyehand.agent.experts.phone.view import PhoneView, Target

# --- notes --------------------------------------------------------------------------------


def add_note(view: PhoneView) -> Plan:
    """Write a new note and save it."""
    yield OpenApp(app="Notes")
    yield from go(view, Target("add"))
    for part in ("title", "body"):
        yield from write(view, part, parameter(view, part))
    yield from go(view, Target("save"))


def delete_note(view: PhoneView) -> Plan:
    """Open the note and delete it."""
    yield OpenApp(app="Notes")
    title = Target("note_title", parameter(view, "title"))
    yield from go(view, title, Target("delete"), Target("confirm"))


def pin_note(view: PhoneView) -> Plan:
    """Hold the note and pin it from its menu."""
    yield OpenApp(app="Notes")
    title = Target("note_title", parameter(view, "title"))
    yield from reveal(view, title)
    yield view.long_press(title)
    yield from go(view, Target("pin"))


# --- shop ---------------------------------------------------------------------------------


def find_price(view: PhoneView) -> Plan:
    """Scroll to the product and read its price."""
    yield OpenApp(app="Shop")
    product = parameter(view, "product")
    yield from reveal(view, Target("price", row=product, row_name="product"))
    yield right_answer(view)


def add_to_cart(view: PhoneView) -> Plan:
    """Open the product, set how many, and put it into the cart."""
    yield OpenApp(app="Shop")
    yield from go(view, Target("product_name", parameter(view, "product")))
    for _ in range(parameter(view, "quantity") - 1):
        yield from go(view, Target("quantity_plus_1"))
    yield from go(view, Target("add_to_cart"))


def order_product(view: PhoneView) -> Plan:
    """Put it into the cart, and order what is in there."""
    yield from add_to_cart(view)
    yield from go(view, Target("cart"), Target("place_order"), Target("confirm"))


def empty_cart(view: PhoneView) -> Plan:
    """Remove the first product of the cart until there is none."""
    yield OpenApp(app="Shop")
    yield from go(view, Target("cart"))
    while view.environment.screen.state()["shop"]["cart"]:
        yield from go(view, Target("remove"))


# --- reader -------------------------------------------------------------------------------


def bookmark_article(view: PhoneView) -> Plan:
    """Open the article and bookmark it."""
    yield OpenApp(app="Reader")
    yield from go(view, Target("article_title", parameter(view, "title")), Target("bookmark"))


def article_author(view: PhoneView) -> Plan:
    """Scroll to the article and read who wrote it."""
    yield OpenApp(app="Reader")
    title = parameter(view, "title")
    yield from reveal(view, Target("article_author", row=title, row_name="article"))
    yield right_answer(view)
