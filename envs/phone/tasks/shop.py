"""Tasks in the shop."""

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.state import PhoneState
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.task import ASKING, Assignment, PhoneTask, changed, question


def find_price(draw: Draw, start: PhoneState) -> Assignment:
    """What a product costs."""
    product = draw.choice(start["shop"]["products"])
    return question(
        f"What does the product {product['name']} cost? Answer with its price.",
        start,
        RightAnswer(_price(product["price_cents"]), "price"),
        product=product["name"],
    )


def add_to_cart(draw: Draw, start: PhoneState) -> Assignment:
    """One piece of a product in the cart, which is empty."""
    product = draw.choice(start["shop"]["products"])
    goal = changed(start)
    goal["shop"]["cart"] = [{"product": product["id"], "quantity": 1}]
    return Assignment(
        f"Add one {product['name']} to the cart.",
        start,
        goal,
        parameters={"product": product["name"], "quantity": 1},
    )


def order_product(draw: Draw, start: PhoneState) -> Assignment:
    """An order of some pieces of one product; the cart is empty before and after."""
    product, quantity = draw.choice(start["shop"]["products"]), draw.integer(1, 3)
    goal = changed(start)
    goal["shop"]["orders"].append(
        {
            "id": 0,
            "items": [{"product": product["id"], "quantity": quantity}],
            "total_cents": quantity * product["price_cents"],
        }
    )
    return Assignment(
        f"Order {quantity} of the product {product['name']}.",
        start,
        goal,
        parameters={"product": product["name"], "quantity": quantity},
    )


def empty_cart(draw: Draw, start: PhoneState) -> Assignment:
    """Two products go out of the cart."""
    chosen = draw.sample(start["shop"]["products"], 2)
    start["shop"]["cart"] = [
        {"product": product["id"], "quantity": draw.integer(1, 2)} for product in chosen
    ]
    goal = changed(start)
    goal["shop"]["cart"] = []
    return Assignment("Remove everything from the cart.", start, goal)


def _price(cents: int) -> str:
    return f"${cents // 100}.{cents % 100:02}"


TASKS = (
    PhoneTask("find-price", find_price, ASKING),
    PhoneTask("add-to-cart", add_to_cart),
    PhoneTask("order-product", order_product),
    PhoneTask("empty-cart", empty_cart),
)
