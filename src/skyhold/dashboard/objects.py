"""The pages of one object: what is known of it, its content, and how it comes and goes."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from skyhold.components.object_scenes import load_object_scene
from skyhold.dashboard.bodies import length_of, read_body
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.looking import PICTURES, look_at
from skyhold.dashboard.rendering import drawing_limiter, show, tell_script
from skyhold.dashboard.trail import trail_of
from skyhold.dashboard.uploading import receive_object
from skyhold.errors import InvalidRangeError, SkyholdError
from skyhold.storage.reader import ObjectReader

__all__ = ["object_routes"]

_BLOCK_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_MOST_PICTURE_BYTES = 32 * 1024 * 1024


def object_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/storage/{place}/object", _show_object),
        Route("/storage/{place}/content", _download),
        Route("/storage/{place}/picture", _show_picture),
        Route("/storage/{place}/scene", _send_scene),
        Route("/storage/{place}/upload", _upload, methods=["POST"]),
    ]


def _show_object(request: Request) -> Response:
    place, key = place_of(request), request.query_params.get("key", "")
    store = place.open()
    info = store.info(key)
    seen = look_at(place, store, info)
    return show(request, "object.html", place=place, store=store, info=info, seen=seen, trail=trail_of(place, key))


async def _download(request: Request) -> Response:
    place, key = place_of(request), request.query_params.get("key", "")
    reader = await anyio.to_thread.run_sync(
        lambda: place.open(hasty=False).open_reader(key, block_bytes=_BLOCK_BYTES, read_ahead=2)
    )
    name = quote(key.rpartition("/")[2])
    headers = {
        "Content-Length": str(reader.size_bytes),
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
    }
    return StreamingResponse(_pieces(reader), media_type="application/octet-stream", headers=headers)


def _show_picture(request: Request) -> Response:
    place, key = place_of(request), request.query_params.get("key", "")
    media_type = PICTURES.get(key.rpartition(".")[2].lower())
    store = place.open()
    info = store.info(key)
    if media_type is None or info.size_bytes > _MOST_PICTURE_BYTES:
        raise InvalidRangeError("it is no picture, or too big to be shown", operation="show", uri=store.uri_of(key))
    # A drawing may hold scripts: alone in a tab it may do nothing, and as a picture it never can.
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(store.read(key), media_type=media_type, headers=headers)


async def _send_scene(request: Request) -> Response:
    """Send the triangles of a mesh for the viewer, which is a script: so are errors."""
    place, key = place_of(request), request.query_params.get("key", "")
    try:
        content = await anyio.to_thread.run_sync(
            lambda: load_object_scene(place.open(), key).to_bytes(), limiter=drawing_limiter
        )
    except SkyholdError as error:
        return tell_script(error)
    return Response(content, media_type="application/octet-stream")


async def _upload(request: Request) -> Response:
    """Take the body of the request as an object; the answer is for a script, which shows the error."""
    place = place_of(request)
    asked = request.query_params
    try:
        info = await anyio.to_thread.run_sync(
            lambda: receive_object(
                place,
                asked.get("key", ""),
                read_body(request),
                size_bytes=length_of(request),
                replace=asked.get("replace") == "yes",
                journal=desk_of(request).journal,
            )
        )
    except SkyholdError as error:
        return tell_script(error)
    return JSONResponse({"key": info.key, "size_bytes": info.size_bytes}, 201)


async def _pieces(reader: ObjectReader) -> AsyncGenerator[bytes]:
    try:
        while piece := await anyio.to_thread.run_sync(reader.read, _PIECE_BYTES):
            yield piece
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(reader.close, abandon_on_cancel=True)
