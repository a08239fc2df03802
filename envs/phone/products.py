"""What the simulated phone's shop sells unless a task says otherwise."""

from typing import Any

# name, category, price in cents, rating, stock
_ROWS = (
    ("Desk lamp", "Home", 2499, 4.3, 12),
    ("Wool blanket", "Home", 3950, 4.7, 5),
    ("Wall clock", "Home", 1899, 3.9, 8),
    ("Plant pot", "Home", 1250, 4.1, 20),
    ("Wireless mouse", "Electronics", 1999, 4.4, 30),
    ("Headphones", "Electronics", 5990, 4.6, 14),
    ("USB cable", "Electronics", 799, 4.0, 55),
    ("Power bank", "Electronics", 2950, 4.2, 17),
    ("Travel guide", "Books", 1690, 4.5, 9),
    ("Cook book", "Books", 2200, 4.8, 11),
    ("Crime novel", "Books", 999, 3.7, 25),
    ("Star atlas", "Books", 3425, 4.9, 3),
    ("Yoga mat", "Sports", 2799, 4.4, 16),
    ("Tennis balls", "Sports", 650, 4.1, 40),
    ("Water bottle", "Sports", 1450, 4.6, 22),
    ("Bike light", "Sports", 1875, 3.8, 7),
    ("Green tea", "Food", 575, 4.5, 60),
    ("Dark chocolate", "Food", 349, 4.7, 80),
    ("Olive oil", "Food", 1120, 4.3, 33),
    ("Honey", "Food", 825, 4.4, 27),
)

PRODUCTS: tuple[Any, ...] = tuple(
    {
        "id": number,
        "name": name,
        "category": category,
        "price_cents": price_cents,
        "rating": rating,
        "stock": stock,
    }
    for number, (name, category, price_cents, rating, stock) in enumerate(_ROWS, start=1)
)
