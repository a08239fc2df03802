"""What the simulated phone's reader holds unless a task says otherwise: texts of our own."""

from typing import Any

_RIVER = """\
Every spring the river comes up to the third step of the old quay, and every spring somebody \
chalks the date on the wall beside it.

The oldest mark that can still be read is from 1911. It stands higher than a grown person can \
reach, and the baker opposite says that his grandfather sold bread from a boat that week.

Since the new weir was built the water rises more slowly. The keeper, Marta Lind, reads the gauge \
at six in the morning and again at six in the evening, and writes both numbers by hand.

She has kept her books for thirty-one years. They fill a shelf in the small white house, and \
twice a year someone from the university comes to copy them.

"People think that a river is always the same," she says. "I have eleven thousand pages that say \
it never was."

The town has decided to keep the wall as it is when the quay is rebuilt next autumn."""

_BREAD = """\
Good bread needs four things: flour, water, salt and patience. The fourth one is the hardest to buy.

Mix five hundred grams of flour with three hundred and fifty grams of water and leave it alone for \
half an hour. Only then add ten grams of salt and a spoonful of starter.

Fold the dough four times, every thirty minutes. It will turn from a sticky heap into something \
that holds its shape.

Let it stand in a cool place overnight. In the morning heat the oven as far as it goes, with a pot \
inside, and bake the loaf for twenty-five minutes with the lid and twenty without.

It is ready when it sounds hollow. Wait until it is cold before you cut it, if you can."""

_STARS = """\
On a clear night in August, far from any town, a patient eye can count about three thousand stars.

From the middle of a city the same eye finds thirty. The light of the streets is thrown back by \
the air and covers all the others.

The village of Alm turned its lamps down five years ago. They now point at the ground, are warm in \
colour and go out at eleven.

The first winter brought complaints. The second brought visitors, who stayed in the two inns and \
asked for blankets.

This year a small observatory will open on the hill behind the school. The telescope is second \
hand, and the children have painted the dome blue."""

_TRAIN = """\
The night train leaves from platform nine at 21:40 and arrives, with luck, at seven.

There are three kinds of cars. The seats are cheap, the couchettes are cheerful, and the sleeping \
car has a basin with warm water.

Bring slippers, a bottle of water and something for your ears. The conductor wakes everyone half \
an hour before their station and brings coffee in paper cups.

The most beautiful part comes at dawn, when the line follows the lake for forty kilometres. Sit on \
the left."""

_BEES = """\
A colony of bees visits some two million flowers to make one glass of honey.

In the gardens along the railway eighteen families keep hives together. They share one centrifuge, \
two smokers and a great many opinions.

"The bees of the city are healthier than those of the fields," says Ola Brandt, who began with one \
hive on her balcony. "There is always something in flower here."

The lime trees in June give most. What comes after them is dark and tastes a little of mint."""

_CHESS = """\
Under the chestnut trees in the park there are six stone tables, and on a warm afternoon none of \
them is free.

The rules are simple. The winner stays, the loser fetches the coffee, and nobody gives advice \
before the game is over.

The youngest player is nine. She has drunk no coffee yet, and has fetched it only twice."""

# title, author, body
_ROWS = (
    ("The river book", "Nora Hansen", _RIVER),
    ("Bread in four steps", "Paul Anders", _BREAD),
    ("Where the stars are", "Iris Vogel", _STARS),
    ("A bed on rails", "Tom Becker", _TRAIN),
    ("Bees by the railway", "Lena Holt", _BEES),
    ("Six stone tables", "Amir Sato", _CHESS),
)

ARTICLES: tuple[Any, ...] = tuple(
    {"id": number, "title": title, "author": author, "body": body, "bookmarked": False}
    for number, (title, author, body) in enumerate(_ROWS, start=1)
)
