"""What components hold, coming and going: uploads that become versions, downloads, pictures, triangles."""

from collections.abc import Generator, Mapping
from typing import Literal
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from skyhold.components.archiving import stream_archive, stream_component
from skyhold.components.library import Library
from skyhold.components.previews import load_preview
from skyhold.components.publication import ANY
from skyhold.components.scenes import load_scene
from skyhold.components.shown_files import ending_of
from skyhold.dashboard.bodies import length_of, read_body
from skyhold.dashboard.libraries import Shelf, shelf_of
from skyhold.dashboard.publishing import publish_parcel, publish_pieces
from skyhold.dashboard.rendering import drawing_limiter, render, tell_script
from skyhold.dashboard.versions import read_count, read_version
from skyhold.errors import DeleteGuardError, MissingExtraError, SkyholdError

__all__ = ["content_routes"]

_MOST_AT_ONCE = 1000
_KEPT = {"Cache-Control": "private, max-age=86400"}


def content_routes() -> list[Route]:
    """Return the routes of these answers."""
    page = "/components/{place}/"
    return [
        Route(page + "content", _download),
        Route(page + "picture", _show_picture),
        Route(page + "scene", _send_scene),
        Route(page + "upload", _upload, methods=["POST"]),
    ]


def _download(request: Request) -> Response:
    """Send components, verified before they go out: one file as it is, more as a ZIP file."""
    ids = list(dict.fromkeys(request.query_params.getlist("id")))
    library = shelf_of(request).library(hasty=False)
    if not 0 < len(ids) <= _MOST_AT_ONCE:
        raise DeleteGuardError(
            f"{len(ids):,} components were chosen" if ids else "nothing was chosen",
            operation="download",
            uri=library.uri,
            remedy=f"Go back and choose one to {_MOST_AT_ONCE:,} components",
        )
    name, size, pieces = _begin(library, ids, request.query_params.get("version", ""))
    first = next(pieces, b"")  # what fails before anything was sent becomes a page that says why
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, errors='replace')}", **size}
    return StreamingResponse(_going_on(first, pieces), media_type="application/octet-stream", headers=headers)


def _begin(library: Library, ids: list[str], version: str) -> tuple[str, Mapping[str, str], Generator[bytes]]:
    if len(ids) > 1:
        wanted: dict[str, int | str] = {each: library.info(each).number for each in ids}
        return "components.zip", {}, stream_archive(library, wanted)
    found = library.info(ids[0], read_version(version))
    name = ids[0].rpartition("/")[2]
    if [entry.name for entry in found.files] == [""]:
        pieces = stream_component(library, found.component, found.number)
        return name, {"Content-Length": str(found.size_bytes)}, pieces
    return f"{name}.zip", {}, stream_archive(library, {found.component: found.number})


def _going_on(first: bytes, pieces: Generator[bytes]) -> Generator[bytes]:
    try:
        yield first
        yield from pieces
    finally:
        pieces.close()


async def _show_picture(request: Request) -> Response:
    """Show a small picture; where there is none, the ending of the name."""
    shelf, asked = shelf_of(request), request.query_params
    return await anyio.to_thread.run_sync(
        _picture,
        shelf,
        asked.get("id", ""),
        read_version(asked.get("version", "")),
        512 if asked.get("size") == "512" else 256,
        limiter=drawing_limiter,
    )


def _picture(shelf: Shelf, component_id: str, version: int | str, size_px: Literal[256, 512]) -> Response:
    headers = _KEPT if isinstance(version, int) else {}
    try:
        preview = load_preview(shelf.library(), component_id, version=version, size_px=size_px)
    except MissingExtraError:
        preview = None
    if preview is not None and preview.picture is not None:
        return Response(preview.picture, media_type="image/png", headers=headers)
    words = render("no_picture.svg", ending=ending_of(component_id)[1:7] or "file")
    return Response(words, media_type="image/svg+xml", headers=headers if preview else {})


async def _send_scene(request: Request) -> Response:
    """Send triangles for the viewer, which is a script: so are errors."""
    shelf, asked = shelf_of(request), request.query_params
    against = asked.get("against", "")

    def load() -> bytes:
        scene = load_scene(
            shelf.library(),
            asked.get("id", ""),
            file=asked.get("file"),
            version=read_version(asked.get("version", "")),
            against=read_version(against) if against else None,
        )
        return scene.to_bytes()

    try:
        content = await anyio.to_thread.run_sync(load, limiter=drawing_limiter)
    except SkyholdError as error:
        return tell_script(error)
    return Response(content, media_type="application/octet-stream")


async def _upload(request: Request) -> Response:
    """Take the body of the request as a component's next version; the answer is for a script, which shows the error."""
    shelf, asked = shelf_of(request), request.query_params
    seen = read_count(asked.get("expected", ""))

    def publish() -> JSONResponse:
        library, key, body = shelf.library(hasty=False), asked.get("key", ""), read_body(request)
        message, after = asked.get("message", ""), ANY if seen is None or asked.get("replace") == "yes" else seen
        if asked.get("files") == "many":
            version = publish_parcel(library, key, body, message=message, expected=after)
        else:
            size = length_of(request)
            version = publish_pieces(library, key, body, size_bytes=size, message=message, expected=after)
        return JSONResponse({"key": version.component, "version": version.number}, 201)

    try:
        return await anyio.to_thread.run_sync(publish)
    except SkyholdError as error:
        return tell_script(error)
