"""Where values come from, and which of them training may see.

Every value belongs to one split by its spelling (`splits.split_of`). Seen values are those of the train
split: they occur in the episodes of all splits. Validation and test each own values that never occur in
training; asking for an *unseen* value draws from these. Closed pools (weekdays, ages ...) have too few values
to keep any back. Listed values that happen to occur in training text (as a distractor's word, inside a longer
value) count as seen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase

from dmem_agents.errors import ConfigError
from dmem_agents.train.data.splits import Split, split_of
from dmem_agents.train.data.tables import names, places, smalltalk, things

_DRAWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Values of one kind: listed, or made by a generator."""

    values: tuple[str, ...] = ()
    """All values of a listed pool."""
    generate: Callable[[random.Random], str] | None = None
    """Makes a value of a pool that is not listed."""
    closed: bool = False
    """Whether every value is seen in training."""


def draw(pool: str, rng: random.Random, *, split: Split, unseen: bool = False) -> str:
    """One value of a pool.

    Args:
        pool: Key of `POOLS`.
        rng: Source of chance.
        split: Whose unseen values to draw; full names are always the split's own.
        unseen: A value that never occurs in training instead of one that does.

    Raises:
        ConfigError: When the pool has no unseen values for the split.
    """
    source = POOLS[pool]
    wanted: Split = split if unseen or pool == "full_names" else "train"
    if source.generate is None:
        choices = listed(pool, wanted)
        if not choices:
            raise ConfigError(
                f"Expected a pool with values of its own for {split}; got {pool!r}, which keeps none back."
            )
        return rng.choice(choices)
    for _ in range(_DRAWS):
        value = source.generate(rng)
        if source.closed or split_of(value) == wanted:
            return value
    raise ConfigError(f"Found no value of pool {pool!r} for {split} in {_DRAWS} draws: widen the pool.")


def has_unseen(pool: str, split: Split) -> bool:
    """Whether a pool keeps values back for this split."""
    source = POOLS[pool]
    if source.closed or split == "train":
        return False
    return source.generate is not None or bool(listed(pool, split))


def is_made(pool: str) -> bool:
    """Whether a pool's values are made of digits or letters, as times and codes are, and not listed words or names."""
    return POOLS[pool].generate not in (None, _full_name)


@cache
def listed(pool: str, split: Split) -> tuple[str, ...]:
    """The values of a listed pool that belong to a split; all of a closed pool belong to train."""
    source = POOLS[pool]
    if source.closed:
        return source.values if split == "train" else ()
    return tuple(v for v in source.values if _split_of_listed(v) == split)


def words(text: str) -> tuple[str, ...]:
    """Lower-cased words of a text, as leaks are looked for."""
    return tuple(re.findall(r"\w+", text.lower()))


def _split_of_listed(value: str) -> Split:
    split = split_of(value)
    return "train" if split != "train" and words(value) in _train_ngrams() else split


@cache
def _train_ngrams() -> frozenset[tuple[str, ...]]:
    """All runs of 1 to 4 words in texts and values that training may show."""
    return frozenset(ngram for text in _train_texts() for ngram in ngrams(text))


def ngrams(text: str, longest: int = 4) -> Iterator[tuple[str, ...]]:
    """All runs of 1 to `longest` words of a text."""
    run = words(text)
    for start in range(len(run)):
        for end in range(start + 1, min(start + longest, len(run)) + 1):
            yield run[start:end]


def _train_texts() -> Iterable[str]:
    from dmem_agents.train.data.tables import ATTRIBUTES, wording

    for attribute in ATTRIBUTES.values():
        yield from (
            attribute.tell,
            attribute.ask,
            attribute.answer,
            attribute.change,
            attribute.use,
            attribute.tool,
        )
    yield from wording.train_texts()
    yield from smalltalk.train_texts()
    for pool in POOLS.values():
        yield from (v for v in pool.values if pool.closed or split_of(v) == "train")


def _date(rng: random.Random) -> str:
    return f"{rng.choice(things.MONTHS)} {rng.randint(1, 28)}"


def _time(rng: random.Random) -> str:
    return f"{rng.randint(10, 21)}:{rng.randrange(0, 60, 5):02d}"


def _morning(rng: random.Random) -> str:
    return f"{rng.randint(4, 9)}:{rng.randrange(0, 60, 5):02d} am"


def _phone(rng: random.Random) -> str:
    return f"{rng.randint(200, 989)}-{rng.randint(0, 9999):04d}"


def _amount(rng: random.Random) -> str:
    number = rng.choice((rng.randrange(50, 400, 5), rng.randrange(1000, 20000, 100)))
    return rng.choice(("${:,}", "{:,} euros", "{:,} dollars", "{:,} pounds")).format(number)


def _full_name(rng: random.Random) -> str:
    first = rng.choice(listed("first_names", "train"))
    return f"{first} {rng.choice(listed('last_names', 'train'))}"


POOLS: dict[str, Pool] = {
    "women": Pool(values=tuple(names.WOMEN)),
    "men": Pool(values=tuple(names.MEN)),
    "first_names": Pool(values=(*names.WOMEN, *names.MEN)),
    "last_names": Pool(values=tuple(names.LAST_NAMES)),
    "full_names": Pool(generate=_full_name),
    "pet_names": Pool(values=tuple(names.PETS)),
    "cities": Pool(values=places.CITIES),
    "countries": Pool(values=places.COUNTRIES),
    "streets": Pool(values=places.STREETS),
    "hotels": Pool(values=places.HOTELS),
    "universities": Pool(values=places.UNIVERSITIES),
    "companies": Pool(values=places.COMPANIES),
    "foods": Pool(values=things.FOODS),
    "drinks": Pool(values=things.DRINKS),
    "colours": Pool(values=things.COLOURS),
    "music": Pool(values=things.MUSIC),
    "sports": Pool(values=things.SPORTS),
    "films": Pool(values=things.FILMS),
    "books": Pool(values=things.BOOKS),
    "jobs": Pool(values=things.JOBS),
    "animals": Pool(values=things.ANIMALS),
    "allergens": Pool(values=things.ALLERGENS),
    "instruments": Pool(values=things.INSTRUMENTS),
    "hobbies": Pool(values=things.HOBBIES),
    "languages": Pool(values=things.LANGUAGES),
    "cars": Pool(values=things.CARS),
    "gifts": Pool(values=things.GIFTS),
    "medicines": Pool(values=things.MEDICINES),
    "diets": Pool(values=things.DIETS),
    "plants": Pool(values=things.PLANTS),
    "teams": Pool(values=things.TEAMS),
    "projects": Pool(values=things.PROJECTS),
    "subjects": Pool(values=things.SUBJECTS),
    "toppings": Pool(values=things.TOPPINGS),
    "flowers": Pool(values=things.FLOWERS),
    "fruits": Pool(values=things.FRUITS),
    "seasons": Pool(values=things.SEASONS, closed=True),
    "weekdays": Pool(values=things.WEEKDAYS, closed=True),
    "ages": Pool(generate=lambda rng: str(rng.randint(18, 95)), closed=True),
    "shoe_sizes": Pool(generate=lambda rng: str(rng.randint(34, 48)), closed=True),
    "bus_lines": Pool(generate=lambda rng: str(rng.randint(2, 199)), closed=True),
    "desk_numbers": Pool(generate=lambda rng: str(rng.randint(11, 399)), closed=True),
    "dates": Pool(generate=_date),
    "times": Pool(generate=_time),
    "morning_times": Pool(generate=_morning),
    "codes": Pool(generate=lambda rng: f"{rng.randint(0, 9999):04d}"),
    "room_numbers": Pool(generate=lambda rng: str(rng.randint(400, 999))),
    "phone_numbers": Pool(generate=_phone),
    "passwords": Pool(generate=lambda rng: f"{rng.choice(things.PASSWORD_WORDS)}{rng.randint(10, 99)}"),
    "order_numbers": Pool(generate=lambda rng: f"{rng.choice('ABCDEFGH')}{rng.randint(10000, 99999)}"),
    "booking_codes": Pool(generate=lambda rng: "".join(rng.choices(ascii_uppercase, k=5))),
    "flights": Pool(generate=lambda rng: f"{rng.choice(things.AIRLINES)}{rng.randint(100, 999)}"),
    "seats": Pool(generate=lambda rng: f"{rng.randint(1, 42)}{rng.choice('ABCDEF')}"),
    "gates": Pool(generate=lambda rng: f"{rng.choice('ABCDEFG')}{rng.randint(1, 60)}"),
    "amounts": Pool(generate=_amount),
}
"""All pools by name."""
