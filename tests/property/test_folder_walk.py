"""The keys of a folder come as if all were listed, sorted and then chosen from, however little of it is looked at."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from skyhold.storage.backends.folder_walk import list_one_level, walk_keys

_PARTS = st.sampled_from(["a", "a-b", "a.b", "b", "ab", "ä", "hidden"])
_KEYS = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)
_TEXTS = st.one_of(st.just(""), _KEYS, _KEYS.map(lambda key: f"{key}/"), _KEYS.map(lambda key: key[:-1]))


def _hidden(key: str) -> bool:
    return "hidden" in key.split("/")


@settings(max_examples=40)
@given(keys=st.sets(_KEYS, max_size=12), prefix=_TEXTS, after=st.none() | _TEXTS)
def test_keys_come_in_order_from_where_was_asked(keys: set[str], prefix: str, after: str | None):
    with TemporaryDirectory() as name:
        root = Path(name)
        made: set[str] = set()
        for key in sorted(keys):
            if not any(f"{other}/".startswith(f"{key}/") or f"{key}/".startswith(f"{other}/") for other in made):
                made.add(key)
                (root / key).parent.mkdir(parents=True, exist_ok=True)
                (root / key).touch()
        (root / "empty" / "folder").mkdir(parents=True)
        (root / "link").symlink_to(root, target_is_directory=True)
        wanted = [key for key in sorted(made) if not _hidden(key) and key.startswith(prefix) and key > (after or "")]
        assert list(walk_keys(f"{root}/", prefix, after, _hidden)) == wanted
        ends = [(key, key.find("/", len(prefix))) for key in wanted]
        objects, folders = list_one_level(f"{root}/", prefix, after, _hidden)
        assert list(objects) == [key for key, end in ends if end < 0]
        assert list(folders) == sorted({key[: end + 1] for key, end in ends if end >= 0})
