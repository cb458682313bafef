"""Which exemplar styles which picture when each is to be met equally often: dealt like cards, instead of drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stylize.errors import FatalError
from stylize.plan import ExemplarPool, P, Picture, item_seed

_DEALS = 8  # tries at a deal without a fault; the first nearly always is one
_OWN = 1000  # how much worse a picture's own exemplar is than one that it has already


class EvenPool(ExemplarPool[P]):
    """A pool whose exemplars are used equally often over all copies of all contents: the numbers differ by one at most.

    Copies of one file count as one exemplar. As in any pool no picture gets itself, even where evenness must suffer for
    it, as when half of the contents are the same bytes as one exemplar; the copies of one picture get different
    exemplars as long as there are enough. The deal depends on the seed and on the set of contents, on no order of
    listing. Unlike in a plain pool one content more or another number of copies changes the pairs of all, and the pairs
    are held in memory.
    """

    def __init__(
        self, exemplars: Iterable[P], contents: Iterable[Picture], *, copies: int, seed: int, intra: bool
    ) -> None:
        super().__init__({exemplar.identity: exemplar for exemplar in sorted(exemplars)}.values(), intra=intra)
        self._asked = copies, seed
        self._hands = self._deal(contents, copies, seed)

    def choose(self, content: Picture, copies: int, seed: int) -> list[P]:
        """Return what was dealt to a content; copies and seed must be those of the deal."""
        if (copies, seed) != self._asked or content.id not in self._hands:
            raise ValueError(f"{content.id} with {copies} copies and seed {seed} is not what was dealt for")
        return [self.exemplars[card] for card in self._hands[content.id]]

    def _deal(self, contents: Iterable[Picture], copies: int, seed: int) -> Mapping[str, Sequence[int]]:
        """Return the places of the exemplars of each content id, from the deal with the fewest faults."""
        seats = sorted(contents, key=lambda content: (item_seed(seed, content.id, -1), content))
        own = self._own_cards(seats)
        best: _Table | None = None
        for attempt in range(_DEALS):
            table = _Table(self._cards(len(seats) * copies, seed, attempt), copies, own, len(self.exemplars))
            table.trade()
            if best is None or table.faults() < best.faults():
                best = table
            if not best.faults():
                break
        assert best is not None
        best.mend()
        return {content.id: hand for content, hand in zip(seats, best.hands, strict=True)}

    def _cards(self, number: int, seed: int, attempt: int) -> list[int]:
        """Return exemplars in rounds: each round holds all of them, in an order of its own."""
        cards: list[int] = []
        deal = 0
        while len(cards) < number:
            keys = [item_seed(seed, f"{attempt}/{exemplar.id}", deal) for exemplar in self.exemplars]
            cards += sorted(range(len(keys)), key=keys.__getitem__)
            deal += 1
        return cards[:number]

    def _own_cards(self, contents: Sequence[Picture]) -> list[frozenset[int]]:
        """Return the exemplars that are each picture itself; raises FatalError when one has no others."""
        places = {name: card for card, exemplar in enumerate(self.exemplars) for name in self._names(exemplar)}
        own = []
        for content in contents:
            cards = frozenset(places[name] for name in self._names(content) if name in places)
            if len(cards) == len(self.exemplars):
                raise FatalError(self._nothing_left(content))
            own.append(cards)
        return own

    def _names(self, picture: Picture) -> list[str]:
        """Return by what a picture is known: its bytes and, within one dataset, its id."""
        return [f"bytes {picture.sha256}"] * bool(picture.sha256) + [f"id {picture.id}"] * self.intra


class _Table:
    """Contents around a table, each with a hand of cards (places of exemplars), none of which may be its own.

    A hand holds an exemplar more than once only when there are fewer others than copies, and no oftener than need be.
    """

    def __init__(self, cards: Sequence[int], copies: int, own: Sequence[frozenset[int]], exemplars: int) -> None:
        self.hands = [list(cards[place * copies : (place + 1) * copies]) for place in range(len(own))]
        self._own, self._exemplars = own, exemplars
        self._most = [-(-copies // (exemplars - len(own_cards))) for own_cards in own]

    def faults(self) -> int:
        """Return how bad the hands are in all; 0 when every rule is kept."""
        return sum(self._faults(place, hand) for place, hand in enumerate(self.hands))

    def trade(self) -> None:
        """Let contents swap cards as long as that leaves the two with fewer faults; evenness stays as it is."""
        for place, hand in enumerate(self.hands):
            while self._faults(place, hand) and self._swap(place):
                pass

    def mend(self) -> None:
        """Exchange the faults that no swap could help for the least used cards that can."""
        used = Counter(card for hand in self.hands for card in hand)
        for place, hand in enumerate(self.hands):
            for at, card in enumerate(hand if self._faults(place, hand) else ()):
                faults = self._faults(place, hand)
                better = [
                    other for other in range(self._exemplars) if self._faults(place, _with(hand, at, other)) < faults
                ]
                other = min(better, key=lambda other: (used[other], other), default=card)
                if card in self._own[place] or used[other] < used[card]:
                    hand[at] = other
                    used.update({card: -1, other: 1})

    def _swap(self, place: int) -> bool:
        """Swap a card with the first of the others around the table with whom it helps."""
        for step in range(1, len(self.hands)):
            other = (place + step) % len(self.hands)
            mine, theirs = self.hands[place], self.hands[other]
            before = self._faults(place, mine) + self._faults(other, theirs)
            for at, to in _pairs(mine, theirs):
                one, two = _with(mine, at, theirs[to]), _with(theirs, to, mine[at])
                if self._faults(place, one) + self._faults(other, two) < before:
                    mine[:], theirs[:] = one, two
                    return True
        return False

    def _faults(self, place: int, hand: Sequence[int]) -> int:
        repeated = sum(max(0, count - self._most[place]) for count in Counter(hand).values())
        return repeated + _OWN * sum(card in self._own[place] for card in hand)


def _pairs(mine: Sequence[int], theirs: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((at, to) for at in range(len(mine)) for to in range(len(theirs)) if mine[at] != theirs[to])


def _with(hand: Sequence[int], at: int, card: int) -> list[int]:
    return [*hand[:at], card, *hand[at + 1 :]]
