"""The story holds what a connector must survive, and tells it the same way every time."""

from __future__ import annotations

import time
from datetime import date, timedelta

import pytest

from conversync.sandbox import World
from conversync.sandbox.story import Conversion, Reversal, told


def reversals(world: World) -> list[tuple[Conversion, Reversal]]:
    return [(one, one.reversal) for one in world.conversions if one.reversal is not None]


def test_the_same_seed_tells_the_same_story() -> None:
    """Two worlds of one seed are equal; another seed's differs."""
    assert World(3, days=20).conversions == World(3, days=20).conversions
    assert World(3, days=20).conversions != World(4, days=20).conversions


def test_another_start_shifts_the_story_whole() -> None:
    """Nothing but the dates depends on the first day."""
    early, late = World(3, date(2025, 3, 1), 20), World(3, date(2026, 3, 1), 20)
    assert [one.transaction_id for one in early.conversions] == [
        one.transaction_id for one in late.conversions
    ]
    assert {
        b.occurred_at - a.occurred_at for a, b in zip(early.conversions, late.conversions, strict=True)
    } == {timedelta(days=365)}


def test_a_world_is_made_in_a_moment() -> None:
    """The default size is about 3,000 conversions, quick enough for every test to have its own."""
    begun = time.process_time()
    world = World()
    assert time.process_time() - begun < 0.5
    assert 2500 < len(world.conversions) < 3500


def test_transaction_ids_grow_with_time() -> None:
    """In the order of their ids, events never go back in time."""
    pairs = [(one.transaction_id, one.occurred_at) for one in World().conversions]
    assert pairs == sorted(pairs)
    assert len({number for number, _ in pairs}) == len(pairs)


def test_the_story_has_every_hard_case() -> None:
    """Each of these happens at least five times in a default world."""
    world = World()
    taken = reversals(world)
    ages = [(reversal.occurred_at - one.occurred_at, one, reversal) for one, reversal in taken]
    story = world.conversions
    counts = {
        "full reversal": sum(reversal.full for _, reversal in taken),
        "partial reversal": sum(not reversal.full for _, reversal in taken),
        "reversed within hours": sum(age < timedelta(hours=7) for age, *_ in ages),
        "reversed after many weeks": sum(age > timedelta(weeks=6) for age, *_ in ages),
        "restated": sum(len(one.tellings) == 2 for one in story),
        "restated and back": sum(len(one.tellings) == 3 for one in story),
        "late by hours": sum(one.tellings[0].at - one.occurred_at > timedelta(hours=1) for one in story),
        "late by days": sum(one.tellings[0].at - one.occurred_at > timedelta(days=2) for one in story),
        "survey": sum(one.survey_id is not None for one in story),
        "deal": sum(one.offer.id.startswith("tv") for one in story),
        "other spelling": sum(one.user_id != one.player.id for one in story),
        "whole dollars": sum(one.tellings[0].amounts.payout % 1 == 0 for one in story),
        "cents": sum(one.tellings[0].amounts.payout % 1 != 0 for one in story),
        "first second of a day in UTC-5": sum(f"{one.occurred_at:%T}" == "05:00:00" for one in story),
        "last second of a day in UTC-5": sum(f"{one.occurred_at:%T}" == "04:59:59" for one in story),
    }
    assert {name: count for name, count in counts.items() if count < 5} == {}


def test_what_was_restated_and_restored_is_told_as_at_first() -> None:
    """A, then B, then A: by the clock."""
    one = next(one for one in World().conversions if len(one.tellings) == 3)
    first, second, third = one.tellings
    moment = timedelta(seconds=1)
    assert told(one.tellings, first.at - moment) is None
    assert told(one.tellings, first.at) == first.amounts == told(one.tellings, third.at)
    assert told(one.tellings, third.at - moment) == second.amounts != first.amounts


def test_the_clock_is_moved_by_hand_alone() -> None:
    """It stands at the last day's end until it is set or advanced; an instant without a zone is refused."""
    world = World(days=10)
    assert world.now == world.day(10)
    world.now = world.day(3)
    assert world.advance(hours=36) == world.now == world.day(4) + timedelta(hours=12)
    with pytest.raises(ValueError, match="zone"):
        world.now = world.now.replace(tzinfo=None)


def test_after_the_last_change_nothing_more_is_told() -> None:
    """Reversals and restatements go on for weeks after the last conversion, and then end."""
    world = World(days=30)
    assert world.last_change() > world.day(60)
    assert all(telling.at <= world.last_change() for event in world.events() for telling in event.tellings)
