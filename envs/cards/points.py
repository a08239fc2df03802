"""EZPoints and Points24: write a formula that makes a number of the cards, token by token."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from eyehand.actions import Action
from eyehand.envs.cards.card import Card
from eyehand.envs.cards.formula import formula_value
from eyehand.envs.cards.game import CardGame, hand_option
from eyehand.envs.cards.table import formula_table
from eyehand.envs.env import Pixels
from eyehand.errors import UsageError

CORRECT_REWARD = 10.0
WRONG_REWARD = -1.0


class WriteToken(Action):
    """Write one token at the end of the formula; "=" ends it."""

    name: ClassVar[str] = "write"
    token: Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "+", "*", "="] = Field(
        description='a card\'s number, + or *, or "=" to end'
    )


class WriteAnyToken(Action):
    """Write one token at the end of the formula; "=" ends it."""

    name: ClassVar[str] = "write"
    token: Literal[
        "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "+", "-", "*", "/", "(", ")", "="
    ] = Field(description='a card\'s number, one of + - * / ( ), or "=" to end')  # fmt: skip


class PointsGame(CardGame):
    """What EZPoints and Points24 share.

    Each call appends a token. A number that is not on a card which is still unused is illegal: it
    costs a reward of -1 and the formula stays as it was. "=" terminates: +10 where the formula
    uses every card once and makes the target exactly, else -1. The episode is truncated when the
    formula grows longer than `token_limit`.

    Reset options:
        cards: Ranks to deal, 1 (ace) to 13 (king).
    """

    card_count: ClassVar[int]
    target: ClassVar[int]
    token_limit: ClassVar[int]
    write: ClassVar[type[Action]]

    def __init__(self) -> None:
        super().__init__((self.write,))
        self._cards: tuple[Card, ...] = ()
        self._tokens: list[str] = []

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards, for experts and tests; the agent has to read them."""
        return self._cards

    @property
    def tokens(self) -> tuple[str, ...]:
        """The formula so far."""
        return tuple(self._tokens)

    @property
    def unused(self) -> list[int]:
        """The values of the cards that the formula does not hold yet."""
        values = [card.value for card in self._cards]
        for token in self._tokens:
            if token.isdecimal():
                values.remove(int(token))
        return values

    def render(self) -> Pixels:
        """Return the picture, RGB uint8 (300, 300, 3)."""
        return formula_table(self._cards, self.target, self._tokens)

    def _deal(self, options: dict[str, Any]) -> str:
        given = hand_option(options, "cards", range(self.card_count, self.card_count + 1))
        self._tokens = []
        self._cards = self._drawn() if given is None else tuple(map(self._draw_card, given))
        if not self._permits(self._cards):
            raise UsageError(f"option 'cards': {given!r} cannot make {self.target}")
        return "dealt " + " ".join(map(str, self._cards))

    def _drawn(self) -> tuple[Card, ...]:
        """Draw hands until the game permits one."""
        while True:
            cards = tuple(self._draw_card() for _ in range(self.card_count))
            if self._permits(cards):
                return cards

    def _permits(self, cards: tuple[Card, ...]) -> bool:
        """Return whether such a hand is dealt."""
        return True

    def _play(self, action: Action) -> tuple[str, float, bool, bool]:
        token: str = action.token  # type: ignore[attr-defined]  # the game's own type
        if token == "=":
            return self._completed()
        if token.isdecimal() and int(token) not in self.unused:
            return f"no unused card is a {token}; the formula stays", WRONG_REWARD, False, False
        self._tokens.append(token)
        too_long = len(self._tokens) > self.token_limit
        effect = f"wrote {token}" + ("; the formula is too long" if too_long else "")
        return effect, 0.0, False, too_long

    def _completed(self) -> tuple[str, float, bool, bool]:
        """End the episode at "="."""
        written = " ".join(self._tokens) or "nothing"
        if self.unused:
            return f"{written}: not every card was used", WRONG_REWARD, True, False
        value = formula_value(self._tokens)
        if value != self.target:
            made = "is no formula" if value is None else f"makes {value}, not {self.target}"
            return f"{written} {made}", WRONG_REWARD, True, False
        return f"{written} = {self.target}", CORRECT_REWARD, True, False


class EzPointsEnvironment(PointsGame):
    """Make 12 of two cards with + or *; only hands that can make it are dealt.

    The rules are those of gym_cards (arXiv:2405.10292, appendix on EZPoints) and `PointsGame`;
    jack, queen and king are 10.
    """

    spec_uri = "cards:ez-points"
    card_count, target, token_limit, write = 2, 12, 5, WriteToken

    @property
    def instruction(self) -> str:
        """The task, in words."""
        return (
            "Write a formula that makes 12, with each card once and + or *, token by token; then "
            'write "=". J, Q and K are 10, A is 1.'
        )

    def _permits(self, cards: tuple[Card, ...]) -> bool:
        first, second = (card.value for card in cards)
        return self.target in (first + second, first * second)


class Points24Environment(PointsGame):
    """Make 24 of four cards with + - * / and brackets; a share of the hands cannot make it.

    The rules are those of gym_cards (arXiv:2405.10292, appendix on Points24) and `PointsGame`;
    jack, queen and king are 10. Hands that cannot make 24 are dealt too, as there.
    """

    spec_uri = "cards:points24"
    card_count, target, token_limit, write = 4, 24, 20, WriteAnyToken

    @property
    def instruction(self) -> str:
        """The task, in words."""
        return (
            "Write a formula that makes 24, with each card once and + - * / ( ), token by token; "
            'then write "=". J, Q and K are 10, A is 1.'
        )
