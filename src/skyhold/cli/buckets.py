"""``mb``, ``check``, ``storage sweep``: buckets as a whole."""

from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.storage.bucket_settings import bucket_settings, has_settings
from skyhold.storage.buckets import delete_versions, make_bucket
from skyhold.storage.checkup import check_store
from skyhold.storage.libraries import connect, endpoint_of
from skyhold.storage.location import parse_location
from skyhold.storage.opening import open_store
from skyhold.storage.uploads import abort_uploads, ending_by_itself, list_left_uploads

__all__ = ["check", "mb", "sweep"]

_DEFAULT = Common()
_SMALLEST_PART = 5 * 1024 * 1024  # that S3 takes
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
    settings = None
    endpoint = ""
    if has_settings(uri):
        endpoint = endpoint_of(connect(parse_location(uri), options))
        options = {"part_bytes": _SMALLEST_PART, **options}
        settings = partial(bucket_settings, uri, **options)
    purge = partial(_delete_versions, options) if parse_location(uri).scheme == "s3" else None
    store = open_store(uri, **options)
    identity = store.identity or "nobody in particular"
    words = f"  {store.uri} as {identity}{f' at {endpoint}' if endpoint else ''}"
    printer.item(words, uri=store.uri, identity=store.identity, endpoint=endpoint)
    if common.dry_run:
        printer.summary("would write a probe object, try it and delete it", dry_run=True)
        return 0
    counts = dict.fromkeys(_MARKS, 0)
    part_bytes = int(options.get("part_bytes", _SMALLEST_PART))
    with closing(check_store(store, settings, part_bytes=part_bytes, purge=purge)) as lines:
        for line in lines:
            counts[line.state] += 1
            words = f"{_MARKS[line.state]} {line.name}: {line.found}"
            if line.remedy and line.state != "ok":
                words += f"\n    {line.remedy}"
            printer.item(words, name=line.name, state=line.state, found=line.found, remedy=line.remedy)
    printer.summary(", ".join(f"{count} {state}" for state, count in counts.items() if count), **counts)
    return 1 if counts["failed"] else 0


def _delete_versions(options: dict[str, Any], uri: str) -> int:
    return delete_versions(uri, **options)


def sweep(uri: str, /, *, older_than_hours: float = 24.0, common: Common = _DEFAULT) -> int:
    """Abort uploads in parts that a kill left behind; the parts cost money and are seen nowhere.

    On Azure they are shown only: it drops them by itself.

    Args:
        uri: Which bucket, or a prefix in it.
        older_than_hours: Leave younger ones alone: they may be under way.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    options = common.options_for(uri)
    found = list_left_uploads(uri, older_than=timedelta(hours=older_than_hours), **options)
    by_itself = ending_by_itself(uri)
    verb = "left" if by_itself else "would abort" if common.dry_run else "aborted"
    if not (by_itself or common.dry_run):
        abort_uploads(uri, found, **options)
    for upload in found:
        words = f"{verb} {upload.key}{f' of {upload.started:%Y-%m-%d %H:%M}' if upload.started else ''}"
        printer.item(words, action=verb, key=upload.key, upload_id=upload.upload_id, started=upload.started)
    words = f"{len(found):,} uploads{f'; {by_itself}' if by_itself else ''}"
    printer.summary(words, uploads=len(found), dry_run=common.dry_run, by_itself=by_itself)
    return 0
