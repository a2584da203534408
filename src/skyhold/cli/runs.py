"""``runs ls``, ``runs show``, ``verify``: what happened, and whether it is still so."""

from pathlib import Path
from typing import Any

from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.errors import VerificationError
from skyhold.runs.journal import default_journal
from skyhold.runs.receipt import Receipt
from skyhold.runs.verification import verify_receipt
from skyhold.runs.wording import human_size
from skyhold.storage.opening import open_object

__all__ = ["list_runs", "show_run", "verify"]

_DEFAULT = Common()
_MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


def list_runs(*, limit: int = 20, common: Common = _DEFAULT) -> int:
    """List the newest runs of this machine's user.

    Args:
        limit: How many.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    entries = default_journal().list_runs(limit)
    for entry in entries:
        words = f"{entry.run_id}  {entry.outcome:<10}  {entry.kind:<8}  {entry.name}"
        printer.item(
            words, run_id=entry.run_id, state=entry.state, outcome=entry.outcome, kind=entry.kind, name=entry.name
        )
    printer.summary("" if entries else "no runs yet; try: skyhold demo", runs=len(entries))
    return 0


def show_run(run_id: str, /, *, common: Common = _DEFAULT) -> int:
    """Show one run.

    Args:
        run_id: Its id, or the beginning of it.
        common: Options of every command.
    """
    entry = default_journal().read_run(run_id)
    if entry.receipt is None:
        words = f"{entry.run_id} {entry.state}: {entry.name}, begun {entry.started:%Y-%m-%d %H:%M:%S %z}"
        Printer(as_json=common.json).item(words, run_id=entry.run_id, state=entry.state, name=entry.name)
        return 0
    if common.json:
        print(entry.receipt.to_json(), end="")
        return 0
    print(describe(entry.receipt))
    return 0


def verify(receipt: str, /, *, common: Common = _DEFAULT) -> int:
    """Check a receipt against the store: every output is read again.

    Args:
        receipt: Its URI or path, a dataset's folder ending in '/', or a run's id.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)

    def reopen(uri: str) -> Any:
        return open_object(uri, **common.options_for(uri))

    verification = verify_receipt(_receipt_of(receipt, common), reopen)
    for line in verification.lines:
        words = f"{_MARKS[line.state]} {line.check} of {line.subject}: {line.found}"
        if line.state != "ok":
            words += f"\n    expected {line.expected}; {line.remedy}"
        printer.item(
            words,
            subject=line.subject,
            check=line.check,
            state=line.state,
            expected=line.expected,
            found=line.found,
            remedy=line.remedy,
        )
    if not verification.ok:
        raise VerificationError(
            f"the store is not what {receipt!r} says", remedy="Run the work again, or restore the outputs"
        )
    printer.summary("everything the receipt promises holds", ok=True)
    return 0


def _receipt_of(text: str, common: Common) -> Receipt:
    if "/" not in text and not Path(text).exists():
        entry = default_journal().read_run(text)
        if entry.receipt is None:
            raise VerificationError(f"the run {entry.run_id} has left no receipt: it is {entry.state}")
        return entry.receipt
    if text.endswith("/"):
        from skyhold.records.formats.dataset_parts import RECEIPT_KEY  # noqa: PLC0415 - pyarrow, for folders alone

        text += RECEIPT_KEY
    store, key = open_object(text, **common.options_for(text))
    return Receipt.from_json(store.read(key))


def describe(receipt: Receipt) -> str:
    """Return a receipt as text for a terminal."""
    lines = [
        f"{receipt.run_id}  {receipt.kind}  {receipt.outcome}",
        f"  {receipt.name}",
        f"  {receipt.started:%Y-%m-%d %H:%M:%S %z}, {receipt.seconds:.1f} s, on {receipt.host}",
    ]
    lines += [f"  {name.replace('_', ' '):<16} {count:>12,}" for name, count in receipt.counts.items()]
    lines += [f"  rejected {group.count:>8,}  {group.field} {group.message}" for group in receipt.rejects]
    lines += [f"  read     {each.uri} ({human_size(each.size_bytes or 0)})" for each in receipt.inputs]
    lines += [f"  wrote    {each.uri} ({human_size(each.size_bytes or 0)})" for each in receipt.outputs]
    if any(receipt.requests.values()):
        requests = ", ".join(f"{count} {kind}" for kind, count in receipt.requests.items() if count)
        moved = f"{human_size(receipt.bytes_in)} in, {human_size(receipt.bytes_out)} out"
        lines.append(f"  requests {requests}; {moved}")
    if receipt.cost:
        lines.append(f"  cost     {receipt.cost['requests']} {receipt.cost['currency']} for requests")
    if receipt.failure:
        lines += [f"  failed   {receipt.failure.message}", f"  remedy   {receipt.failure.remedy}"]
    return "\n".join(lines)
