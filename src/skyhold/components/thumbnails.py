"""Small pictures of components: meshes are drawn, ``.blend`` files have one, images are made smaller."""

import io
from pathlib import Path

from skyhold.components.blend_pictures import is_blend, read_blend_picture
from skyhold.components.meshes.drawing import draw_mesh
from skyhold.components.meshes.mesh import Mesh
from skyhold.components.meshes.reading import read_mesh
from skyhold.components.meshes.source import Siblings, Source, open_source
from skyhold.errors import BadOptionError, MissingExtraError, PreviewError

try:
    from PIL import Image, ImageOps
except ImportError as error:
    raise MissingExtraError.of("preview", "making pictures") from error

__all__ = ["LARGEST_PX", "draw_thumbnail", "make_thumbnail"]

LARGEST_PX = 1024
_SMALLEST_PX = 16
_MOST_PIXELS = 50_000_000
_IMAGES = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".tga": "TGA",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}


def make_thumbnail(
    content: Path | bytes, name: str = "", size_px: int = 512, *, siblings: Siblings | None = None
) -> bytes:
    r"""Return a small picture as PNG.

    Meshes (STL, glTF, GLB, OBJ, binary FBX) are drawn from a corner, shaded, in a square. Of a ``.blend`` file it is
    the picture that Blender saved in it. Images keep their proportions, and none is made larger.

    Args:
        content: What it is a picture of.
        name: What it is called; its ending tells the format. A path's own name if not given.
        size_px: The longer side, 16 to 1024.
        siblings: Gives the files that a glTF file names, where it is not a path.

    Raises:
        PreviewError: It is damaged or too large, has nothing to be seen, or its format is not read.
        BadOptionError: No such size.
        MissingExtraError: The extra ``preview`` is not installed.

    Example:
        >>> make_thumbnail(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "triangle.obj", 64)[:4]
        b'\x89PNG'
    """
    _check_size(size_px)
    shown = name or (content.name if isinstance(content, Path) else "")
    if is_blend(content, shown):
        picture = read_blend_picture(content, shown)
        return _encode(_smaller(Image.frombytes("RGBA", (picture.width, picture.height), picture.rgba), size_px))
    source = open_source(content, shown, siblings=siblings)
    if source.suffix in _IMAGES:
        return _encode(_open_image(source, size_px))
    return draw_thumbnail(read_mesh(source), shown, size_px)


def draw_thumbnail(mesh: Mesh, name: str, size_px: int = 512) -> bytes:
    """Return a picture of a mesh that was read, as PNG.

    Raises:
        PreviewError: It has no triangles.
        BadOptionError: No such size.
    """
    _check_size(size_px)
    if not len(mesh.faces):
        raise PreviewError(f"no preview of {name!r}: it has no triangles")
    return _encode(Image.fromarray(draw_mesh(mesh, size_px)))


def _check_size(size_px: int) -> None:
    if not _SMALLEST_PX <= size_px <= LARGEST_PX:
        raise BadOptionError(f"size_px is {size_px}", remedy=f"Choose {_SMALLEST_PX} to {LARGEST_PX}")


def _open_image(source: Source, size_px: int) -> Image.Image:
    """Return an image made smaller; one that claims to have too many pixels is not decompressed."""
    try:
        with Image.open(io.BytesIO(source.data), formats=[_IMAGES[source.suffix]]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise source.unsupported(
                    f"it has {image.width:,} by {image.height:,} pixels, and at most {_MOST_PIXELS:,} are read"
                )
            image.draft("RGB", (2 * size_px, 2 * size_px))  # JPEG can be read at a fraction of its size
            return _smaller(ImageOps.exif_transpose(image), size_px)
    except PreviewError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise source.unsupported(str(error)) from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:  # all of which Pillow raises
        raise source.damaged(str(error)) from error


def _smaller(image: Image.Image, size_px: int) -> Image.Image:
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    plain.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    return plain


def _encode(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()
