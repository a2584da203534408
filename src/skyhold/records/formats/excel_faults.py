"""Cells of an xlsx sheet that are read as empty and are not: errors, and formulas that nobody has calculated."""

import html
import io
import re
import zipfile
from collections.abc import Iterator

from skyhold.errors import MalformedInputError

__all__ = ["cell_name", "find_faults"]

_CHUNK_BYTES = 1024 * 1024
_TAIL_BYTES = 256 * 1024  # more than a cell takes
_WORKBOOK = "xl/workbook.xml"
_TAG = r"<(?:\w+:)?{0}\b[^>]*"
_END = r"</(?:\w+:)?{0}>"
_SHEET = re.compile(_TAG.format("sheet") + ">")
_RELATION = re.compile(_TAG.format("Relationship") + ">")
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_ERROR = re.compile(
    rf"""({_TAG.format("c")}\bt\s*=\s*["']e["'][^>]*(?<!/)>)(.*?){_END.format("c")}""".encode(), re.DOTALL
)
_UNCALCULATED = re.compile(
    rf"({_TAG.format('c')}>)\s*{_TAG.format('f')}(?:(?<=/)>|>[^<]*{_END.format('f')})\s*"
    rf"(?:{_TAG.format('v')}(?:(?<=/)>|>\s*{_END.format('v')})\s*)?{_END.format('c')}".encode()
)
_CELL_END = re.compile(_END.format("c").encode())
_VALUE = re.compile(rf"{_TAG.format('v')}>([^<]*)<".encode())
_REFERENCE = re.compile(r"([A-Z]+)([0-9]+)")


def cell_name(row: int, column: int) -> str:
    """Return a cell's name, counting both from 0.

    Example:
        >>> cell_name(0, 0), cell_name(9, 27)
        ('A1', 'AB10')
    """
    letters, left = "", column + 1
    while left:
        left, digit = divmod(left - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{letters}{row + 1}"


def find_faults(data: bytes, sheet: str, uri: str) -> dict[tuple[int, int], str]:
    """Return what is wrong with which cells of a sheet, by row and column from 0; nothing for other formats than xlsx.

    The library that reads the values gives empty text for both kinds.

    Args:
        data: The file.
        sheet: The sheet's name.
        uri: Where it is, for errors.

    Raises:
        MalformedInputError: A faulty cell does not say where it is.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        path = _path_of(archive, sheet)
        if path is None:
            return {}
        faults: dict[tuple[int, int], str] = {}
        for part in _whole_cells(archive, path):
            # The cheap look first: most sheets have neither.
            for found in _ERROR.finditer(part) if b'"e"' in part or b"'e'" in part else ():
                value = _VALUE.search(found[2])
                shown = value[1].decode(errors="replace") if value else "an error"
                faults[_place_of(found[1], uri)] = f"holds {html.unescape(shown)}"
            for found in _UNCALCULATED.finditer(part) if b"<f" in part or b":f" in part else ():
                if _attributes(found[1].decode(errors="replace")).get("t") != "str":  # "" is what it gave
                    faults.setdefault(_place_of(found[1], uri), "holds a formula without its value: save it in Excel")
    return faults


def _whole_cells(archive: zipfile.ZipFile, path: str) -> Iterator[bytes]:
    """Yield a sheet's XML in parts that do not cut a cell."""
    with archive.open(path) as source:
        held = b""
        while chunk := source.read(_CHUNK_BYTES):
            held += chunk
            ends = [found.end() for found in _CELL_END.finditer(held, max(0, len(held) - _TAIL_BYTES))]
            if ends:
                yield held[: ends[-1]]
                held = held[ends[-1] :]


def _path_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    names = set(archive.namelist())
    relations = "xl/_rels/workbook.xml.rels"
    if _WORKBOOK not in names or relations not in names:
        return None
    targets = {
        each.get("Id"): each.get("Target", "")
        for each in map(_attributes, _RELATION.findall(archive.read(relations).decode(errors="replace")))
    }
    for each in map(_attributes, _SHEET.findall(archive.read(_WORKBOOK).decode(errors="replace"))):
        if each.get("name") == sheet:
            key = next((value for name, value in each.items() if name.endswith(":id")), None)
            target = targets.get(key, "")
            path = target[1:] if target.startswith("/") else f"xl/{target}"
            return path if path in names else None
    return None


def _attributes(tag: str) -> dict[str, str]:
    return {name: html.unescape(double or single) for name, double, single in _ATTRIBUTE.findall(tag)}


def _place_of(tag: bytes, uri: str) -> tuple[int, int]:
    reference = _REFERENCE.fullmatch(_attributes(tag.decode(errors="replace")).get("r", ""))
    if reference is None:
        raise MalformedInputError(
            f"a cell of {uri!r} holds an error and does not say where it is", remedy="Save it again in Excel"
        )
    column = 0
    for letter in reference[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(reference[2]) - 1, column - 1
