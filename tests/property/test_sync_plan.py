"""Whatever two sides have become: a plan that is carried out makes them agree, and loses nothing."""

from hypothesis import given
from hypothesis import strategies as st

from skyhold.storage.sync import Agreed, LocalFile, RemoteFile, SyncPlan, SyncRules, plan_sync

_PATHS = st.sampled_from(["a", "b", "c", "d/e", "d/f"])
_SIDE = st.dictionaries(_PATHS, st.sampled_from(["1", "2", "3"]))


def _plan(local: dict[str, str], remote: dict[str, str], base: dict[str, str], rules: SyncRules) -> SyncPlan:
    return plan_sync(
        {path: LocalFile(1, content) for path, content in local.items()},
        {path: RemoteFile(1, content, content) for path, content in remote.items()},
        {path: Agreed(content, 1, content) for path, content in base.items()},
        rules,
    )


def _keep_both(path: str, direction: str, local: dict[str, str], remote: dict[str, str]) -> None:
    local[f"{path}.conflict"] = local.pop(path)
    if direction != "download":
        remote[f"{path}.conflict"] = local[f"{path}.conflict"]
    if direction != "upload":
        local[path] = remote[path]


def _carry_out(
    plan: SyncPlan, direction: str, local: dict[str, str], remote: dict[str, str], base: dict[str, str]
) -> None:
    for action in plan.actions:
        path = action.path
        match action.kind:
            case "upload":
                remote[path] = local[path]
            case "download":
                local[path] = remote[path]
            case "delete_local":
                del local[path]
            case "delete_remote":
                del remote[path]
            case "rename_local":
                local[action.to] = local.pop(path)
            case "rename_remote":
                remote[action.to] = remote.pop(path)
            case "keep_both":
                base.pop(path, None)
                _keep_both(path, direction, local, remote)
            case _:
                pass
        _note(base, local, remote, path, action.to or path, f"{path}.conflict")


def _note(base: dict[str, str], local: dict[str, str], remote: dict[str, str], *paths: str) -> None:
    for path in paths:
        if path in local and local[path] == remote.get(path):
            base[path] = local[path]
        elif path not in local and path not in remote:
            base.pop(path, None)


@given(
    _SIDE,
    _SIDE,
    _SIDE,
    st.builds(
        SyncRules,
        direction=st.sampled_from(["both", "upload", "download"]),
        delete_files=st.booleans(),
        overwrite=st.booleans(),
        conflict=st.sampled_from(["keep-both", "local", "remote", "newest", "ask"]),
    ),
)
def test_a_second_plan_does_nothing_and_no_content_is_lost_that_nobody_gave_up(local, remote, base, rules):
    before = {"local": dict(local), "remote": dict(remote), "base": dict(base)}
    _carry_out(_plan(local, remote, base, rules), rules.direction, local, remote, base)
    assert _plan(local, remote, base, rules).work == ()
    if rules.direction == "both" and rules.overwrite and rules.conflict == "keep-both":
        assert local == remote == base
    if rules.direction == "upload":
        assert set(local.values()) == set(before["local"].values())
    if rules.direction == "download":
        assert remote == before["remote"]
    for side, left in (("local", local), ("remote", remote)):
        for path, content in before[side].items():
            agreed_there = before["base"].get(path) == content
            if not agreed_there and rules.conflict in {"keep-both", "ask"}:
                assert content in left.values(), (side, path)
