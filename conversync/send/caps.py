"""How much may go at once: SettingsError, and nothing is sent, where an outbox asks for more."""

from __future__ import annotations

from conversync.errors import SettingsError
from conversync.send.options import FEW_CHANGES, MAX_CHANGE_PCT, Options
from conversync.send.plan import Plan


def check(plan: Plan, options: Options, changed: int) -> None:
    """Looks at a plan of which `changed` rows say something else than what was sent of them."""
    _refuse_many(plan, options)
    _refuse_an_empty_outbox(plan)
    _refuse_many_changes(plan, options, changed)


def _refuse_many(plan: Plan, options: Options) -> None:
    if len(plan.rows) > options.max_rows:
        raise SettingsError(
            f"{plan.target} would be sent {sum(plan.pending.values()):,} rows, and {options.max_rows:,} is the "
            "most that may go at once. Nothing was sent. If the outbox is right, allow more with --max-rows, or "
            "send a part of it with --limit."
        )


def _refuse_an_empty_outbox(plan: Plan) -> None:
    """An outbox that lost all its rows is more likely a mistake than all sales taken back."""
    if plan.pending["withdrawn"] and not plan.outbox:
        raise SettingsError(
            f'The outbox of {plan.target} is empty, and send_missing = "take_back" would take back '
            f"{plan.pending['withdrawn']:,} rows that were sent. Nothing was sent. See whether what it reads was "
            'loaded; if it is right, send with send_missing = "ignore" until there are rows in it.'
        )


def _refuse_many_changes(plan: Plan, options: Options, changed: int) -> None:
    """Without a setting, a few may change in any case."""
    pct = options.max_change_pct
    if pct is None:
        if changed <= FEW_CHANGES:
            return
        pct = MAX_CHANGE_PCT
    sent = plan.already + changed
    if changed * 100 > pct * sent:
        raise SettingsError(
            f"{plan.target} would be sent other content for {changed:,} of the {sent:,} rows that were sent "
            f"before, which is more than {pct:g} %. Nothing was sent. If the outbox is right, allow it with "
            "--max-change-pct."
        )
