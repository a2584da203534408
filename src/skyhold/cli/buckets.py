"""``mb``, ``check``, ``storage sweep``: buckets as a whole."""

from contextlib import closing
from datetime import timedelta

from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.records.left_pieces import delete_left_pieces, list_left_pieces
from skyhold.runs.wording import human_size
from skyhold.storage.buckets import make_bucket
from skyhold.storage.diagnosis import open_diagnosis
from skyhold.storage.location import parse_location
from skyhold.storage.opening import open_store
from skyhold.storage.uploads import abort_uploads, ending_by_itself, knows_uploads, list_left_uploads

__all__ = ["check", "mb", "sweep"]

_DEFAULT = Common()
_MARKS = {"ok": "✓", "warning": "!", "failed": "✗", "unknown": "?"}


def mb(uri: str, /, *, region: str | None = None, common: Common = _DEFAULT) -> int:
    """Make a bucket, a container or a folder.

    Args:
        uri: Which.
        region: Where, on S3.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    options = common.options_for(uri)
    if region and parse_location(uri).scheme == "s3":
        options["region"] = region
    if not common.dry_run:
        make_bucket(uri, **options)
    printer.item(f"{'would make' if common.dry_run else 'made'} {uri}", uri=uri, made=not common.dry_run)
    return 0


def check(uri: str, /, *, common: Common = _DEFAULT) -> int:
    """Try line by line what works in a store with this identity; the probe object is taken away again.

    Args:
        uri: Which bucket, or a prefix in it.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    options = common.options_for(uri)
    diagnosis = open_diagnosis(uri, **options)
    identity, endpoint = diagnosis.identity or "nobody in particular", diagnosis.endpoint
    words = f"  {diagnosis.uri} as {identity}{f' at {endpoint}' if endpoint else ''}"
    printer.item(words, uri=diagnosis.uri, identity=diagnosis.identity, endpoint=endpoint)
    if common.dry_run:
        printer.summary("would write a probe object, try it and delete it", dry_run=True)
        return 0
    counts = dict.fromkeys(_MARKS, 0)
    with closing(diagnosis.lines()) as lines:
        for line in lines:
            counts[line.state] += 1
            words = f"{_MARKS[line.state]} {line.name}: {line.found}"
            if line.remedy and line.state != "ok":
                words += f"\n    {line.remedy}"
            printer.item(words, name=line.name, state=line.state, found=line.found, remedy=line.remedy)
    printer.summary(", ".join(f"{count} {state}" for state, count in counts.items() if count), **counts)
    return 1 if counts["failed"] else 0


def sweep(uri: str, /, *, older_than_hours: float = 24.0, common: Common = _DEFAULT) -> int:
    """Take away what a kill left behind and nobody sees: uploads in parts, and pieces of outputs made in shards.

    Uploads cost money and are in no listing; on Azure they are shown only, since it drops them by itself. Pieces lie in
    folders called as the output with ``.pieces`` added; while they are there, a run with the same words goes on from
    them. To find them, everything below the URI is listed.

    Args:
        uri: Which bucket or folder, or a prefix in it.
        older_than_hours: Leave younger ones alone: they may be under way.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    options, older_than = common.options_for(uri), timedelta(hours=older_than_hours)
    by_itself = ending_by_itself(uri)
    uploads = list_left_uploads(uri, older_than=older_than, **options) if knows_uploads(uri) else []
    if uploads and not (by_itself or common.dry_run):
        abort_uploads(uri, uploads, **options)
    verb = "left" if by_itself else "would abort" if common.dry_run else "aborted"
    for upload in uploads:
        words = f"{verb} {upload.key}{f' of {upload.started:%Y-%m-%d %H:%M}' if upload.started else ''}"
        printer.item(words, action=verb, key=upload.key, upload_id=upload.upload_id, started=upload.started)
    store = open_store(uri, **options)
    pieces = list_left_pieces(store, older_than=older_than)
    if not common.dry_run:
        delete_left_pieces(store, pieces)
    verb = "would remove" if common.dry_run else "removed"
    for left in pieces:
        size = f"{len(left.keys):,} objects, {human_size(left.size_bytes)}"
        words = f"{verb} {left.uri} of {left.modified:%Y-%m-%d %H:%M}: {size}"
        printer.item(words, action=verb, uri=left.uri, objects=len(left.keys), size_bytes=left.size_bytes)
    words = f"{len(uploads):,} uploads{f'; {by_itself}' if by_itself else ''}; {len(pieces):,} folders of pieces"
    printer.summary(words, uploads=len(uploads), pieces=len(pieces), dry_run=common.dry_run, by_itself=by_itself)
    return 0
