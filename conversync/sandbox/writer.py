"""Writes a story from its seed. Every chance stands here as a number with its reason."""

from __future__ import annotations

import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from conversync.sandbox.story import Amounts, Conversion, Goal, Kind, Offer, Player, Reversal, Story, Telling

FIRST_TRANSACTION = 2601266
REFRESH = timedelta(minutes=5)  # a feed is this far behind the event
POINTS_PER_DOLLAR = 100

LATE = 0.03  # an event that becomes known hours or days after it occurred
REVERSED = 0.07
FULL = 0.7  # of the reversals; the rest take back a part
RESTATED = 0.04  # amounts told anew, later
TOLD_BACK = 0.5  # of the restated: the old amounts come back later still
REVERSAL_RESTATED = 0.05  # a partial reversal that becomes full
DAY_EDGE = 0.02  # events at the last second or the first of a day in UTC, UTC-4 or UTC-5
EDGES = (0, 4 * 3600 - 1, 4 * 3600, 5 * 3600 - 1, 5 * 3600, 86399)
OTHER_SPELLING = 0.02  # the same user id in other letters' case

CENT = Decimal("0.01")
COUNTRIES = ("US", "US", "US", "CA", "GB", "DE", "BR", "JP")
GAMES = (
    "Club Vegas Slots", "Harbor Merge", "Café Mahjong", "Dragon Ledger", "Tower of Tiles", "Bubble Orchard",
    "Solitaire Coast", "Kingdom Wheel", "Puzzle Abbey", "Nordic Farm", "Star Freight", "Bingo Canyon",
)  # fmt: skip
DEALS = ("Meal Box, first order", "Stream Plus à la carte", "Neon Bank account", 'Daily News "Premium"')
SURVEYS = ("Opinion Square", "Quick Poll")


def write_story(seed: int, start: datetime, days: int, players: int, conversions_a_day: int) -> Story:
    """Depends on its arguments alone."""
    random = Random(f"conversync sandbox {seed}")
    people = tuple(_player(random) for _ in range(players))
    offers = _offers(random, start, days)
    conversions: list[Conversion] = []
    transaction_id = FIRST_TRANSACTION
    for instant in _instants(random, start, days, conversions_a_day):
        conversions.append(_conversion(random, transaction_id, instant, people, offers))
        transaction_id += random.randint(1, 9)
    return Story(people, offers, tuple(conversions))


def _id(random: Random, length: int) -> str:
    return "".join(random.choices(string.ascii_letters + string.digits, k=length))


def _player(random: Random) -> Player:
    dashed = random.random() < 0.2
    user_id = f"{_id(random, 5).lower()}-{_id(random, 7).lower()}" if dashed else _id(random, 15)
    return Player(user_id, random.choice(COUNTRIES), random.choice(("iOS", "Android", "Android")))


def _money(random: Random, low: int, high: int) -> Decimal:
    """A whole number of dollars one time in three, dollars and cents otherwise."""
    if random.random() < 1 / 3:
        return Decimal(random.randint(max(low, 1), max(high, 1)))
    return Decimal(random.randint(low * 100, high * 100)) * CENT


def _offers(random: Random, start: datetime, days: int) -> tuple[Offer, ...]:
    """Games, deals and surveys; one game in four and one deal in four end on some day of the story."""
    offers = []
    for number, name in enumerate(GAMES):
        ends = start + timedelta(days=random.uniform(days * 0.3, days * 0.95)) if number % 4 == 2 else None
        offers.append(_offer(random, "offer", _id(random, 12), name, ends))
    for number, name in enumerate(DEALS):
        ends = start + timedelta(days=random.uniform(days * 0.3, days * 0.95)) if number % 4 == 1 else None
        offers.append(_offer(random, "deal", f"tv{random.randint(1600000000, 1699999999)}", name, ends))
    offers.extend(_offer(random, "survey", _id(random, 10), name, None) for name in SURVEYS)
    return tuple(offers)


def _offer(random: Random, kind: Kind, offer_id: str, name: str, ends: datetime | None) -> Offer:
    """A game pays for the install and rewards its levels; a deal and a survey have one goal."""
    if kind != "offer":
        word = "Deal Completed" if kind == "deal" else "Survey Completed"
        goal = Goal(f"{offer_id}_0", word, _money(random, 2, 40), _money(random, 1, 9))
        return Offer(offer_id, name, kind, (goal,), ends)
    install = Goal(f"{offer_id}_0", "Successfully Installed the App", _money(random, 2, 15), Decimal(0))
    levels = [
        Goal(
            f"{offer_id}_{level}",
            f"Level {level} Reached",
            _money(random, 1, 25) if random.random() < 0.6 else Decimal(0),
            _money(random, 1, 40),
        )
        for level in sorted(random.sample(range(3, 200), 5))
    ]
    return Offer(offer_id, name, kind, (install, *levels), ends)


def _instants(random: Random, start: datetime, days: int, a_day: int) -> list[datetime]:
    """When events occur, in order: two days of seven are busier, some share a second or a day's edge."""
    instants: list[datetime] = []
    for number in range(days):
        midnight = start + timedelta(days=number)
        busy = 1.3 if number % 7 >= 5 else 0.9
        for _ in range(round(a_day * busy * random.uniform(0.8, 1.2))):
            instant = midnight + timedelta(seconds=random.randrange(86400))
            if random.random() < DAY_EDGE:
                instant = midnight + timedelta(seconds=random.choice(EDGES))
            instants.append(instant)
            if random.random() < 0.02:
                instants.append(instant)
    return sorted(instants)


def _conversion(
    random: Random, number: int, instant: datetime, people: Sequence[Player], offers: Sequence[Offer]
) -> Conversion:
    player = people[min(int(random.expovariate(4 / len(people))), len(people) - 1)]
    offer = random.choice([offer for offer in offers if offer.is_current(instant)])
    goal = offer.goals[0] if random.random() < 0.3 else random.choice(offer.goals)
    is_survey = offer.kind == "survey"
    amounts = _amounts(random, goal, varies=is_survey)
    return Conversion(
        transaction_id=number,
        click_id=_id(random, 20).lower(),
        player=player,
        user_id=player.id.swapcase() if random.random() < OTHER_SPELLING else player.id,
        offer=offer,
        goal=goal,
        survey_id=_id(random, 6).lower() if is_survey else None,
        occurred_at=instant,
        tellings=_tellings(random, _known(random, instant), amounts),
        reversal=_reversal(random, instant, amounts) if random.random() < REVERSED else None,
    )


def _amounts(random: Random, goal: Goal, *, varies: bool) -> Amounts:
    """The goal's usual amounts; every survey has its own."""
    if not varies:
        return Amounts(goal.payout, goal.reward, _points(goal.reward))
    payout = _money(random, 1, 6)
    reward = (payout * Decimal("0.4")).quantize(CENT, ROUND_HALF_UP)
    return Amounts(payout, reward, _points(reward))


def _points(reward: Decimal) -> Decimal:
    return Decimal(int(reward * POINTS_PER_DOLLAR))


def _known(random: Random, instant: datetime) -> datetime:
    """When an event of `instant` becomes visible: within minutes, or late by one hour to six days."""
    if random.random() < LATE:
        longest = random.choice((86400, 518400))
        return instant + timedelta(seconds=random.randint(3600, longest))
    return instant + REFRESH * random.random()


def _tellings(random: Random, known: datetime, amounts: Amounts) -> tuple[Telling, ...]:
    """What is told of an original: once, sometimes anew with another payout, sometimes then as at first."""
    first = Telling(known, amounts)
    if random.random() >= RESTATED:
        return (first,)
    later = known + timedelta(seconds=random.randint(3600, 20 * 86400))
    reward = amounts.reward + 1 if random.random() < 0.2 else amounts.reward
    second = Telling(later, Amounts(amounts.payout + _money(random, 1, 3), reward, _points(reward)))
    if random.random() >= TOLD_BACK:
        return (first, second)
    return (first, second, Telling(later + timedelta(seconds=random.randint(3600, 10 * 86400)), amounts))


def _reversal(random: Random, instant: datetime, amounts: Amounts) -> Reversal:
    """Hours, days or many weeks later; all of the amounts, or a part that may become all of it later."""
    shortest, longest = random.choices(((0.05, 6), (24, 14 * 24), (15 * 24, 100 * 24)), (20, 45, 35))[0]
    occurred = instant + timedelta(seconds=int(random.uniform(shortest, longest) * 3600))
    known = _known(random, occurred)
    if random.random() < FULL:
        return Reversal(occurred, full=True, tellings=(Telling(known, amounts),))
    tellings: tuple[Telling, ...] = (Telling(known, _part(amounts, random.choice((25, 50, 75)))),)
    if random.random() < REVERSAL_RESTATED:
        tellings += (Telling(known + timedelta(days=random.uniform(0.1, 9)), amounts),)
    return Reversal(occurred, full=False, tellings=tellings)


def _part(amounts: Amounts, percent: int) -> Amounts:
    reward = (amounts.reward * percent / 100).quantize(CENT, ROUND_HALF_UP)
    return Amounts((amounts.payout * percent / 100).quantize(CENT, ROUND_HALF_UP), reward, _points(reward))
