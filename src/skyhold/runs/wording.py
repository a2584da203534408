"""Numbers in words, for people, and texts on one line."""

__all__ = ["human_size", "human_time", "visible"]

_UNIT = 1024
_MINUTE_S = 60
_HOUR_S = 3600


def human_size(size_bytes: float) -> str:
    """Return a size in words.

    Example:
        >>> human_size(1536), human_size(5)
        ('1.5 KiB', '5 B')
    """
    if size_bytes < _UNIT:
        return f"{size_bytes:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size_bytes /= _UNIT
        if size_bytes < _UNIT:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes:.1f} PiB"


def human_time(seconds: float) -> str:
    """Return a time span in words.

    Example:
        >>> human_time(0.25), human_time(12.34), human_time(75), human_time(4000)
        ('0.25 s', '12.3 s', '1:15 min', '1:06:40 h')
    """
    if seconds < _MINUTE_S:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    if seconds < _HOUR_S:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def visible(text: str, width: int | None = None) -> str:
    r"""Return a text as one line that a terminal shows and does not obey, cut to a width if one is given.

    Example:
        >>> visible("two" + chr(10) + "lines", 20), visible("a" * 30, 5)
        ('two\\nlines', 'aaaa…')
    """
    if text.isprintable() and (width is None or len(text) <= width):
        return text
    cut = text if width is None else text[: width + 1]
    shown = "".join(each if each.isprintable() else _escaped(each) for each in cut)
    return shown if width is None or len(shown) <= width else f"{shown[: width - 1]}…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
