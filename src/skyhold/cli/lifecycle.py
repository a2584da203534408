"""``comp lifecycle``: what the service does by itself with a library's objects as they grow old."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.components import Flag
from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.components.bucket import library_rules
from skyhold.storage.bucket_care import LifecycleRule, open_bucket

__all__ = ["lifecycle"]

_DEFAULT = Common()


def lifecycle(
    library: str,
    /,
    *,
    put: Annotated[Flag, Parameter(name="--set")] = False,
    days: int = 90,
    storage_class: Annotated[str, Parameter(name="--class")] = "",
    common: Common = _DEFAULT,
) -> int:
    """Show what the service does by itself with a library's objects as they grow old.

    With --set, unfinished uploads are ended after a week, and contents move to a cheaper class that is read at once.
    Nothing is deleted, and rules of others stay.

    Args:
        library: URI of the library.
        put: Set the rules.
        days: After how many days contents move.
        storage_class: Where they move, in the service's own words.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    bucket = open_bucket(library, **common.options_for(library))
    others: Sequence[str] = ()
    if put:
        rules: Sequence[LifecycleRule] = library_rules(library, history_after_days=days, storage_class=storage_class)
        if common.dry_run:
            bucket.check_lifecycle(rules)
        else:
            bucket.set_lifecycle(rules)
    else:
        rules, others = bucket.lifecycle()
    verb = ("would set " if common.dry_run else "set ") if put else ""
    for rule in rules:
        printer.item(f"{verb}{rule}", rule=rule.name, action=rule.action, days=rule.days, prefix=rule.prefix)
    for name in others:
        printer.item(f"{name}: a rule of somebody else", rule=name)
    printer.summary(f"{len(rules) + len(others):,} rules", rules=len(rules), others=len(others))
    return 0
