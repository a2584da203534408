"""Every command that a page shows can be run as it stands."""

import re
import shlex
from pathlib import Path

import pytest

import skyhold.dashboard
from skyhold.cli.application import make_app

_TEMPLATES = Path(skyhold.dashboard.__file__).parent / "templates"
_WRITTEN = re.compile(r"""<code>(skyhold [^<{]*)</code>|command\("(skyhold [^"]*)"\)""")
_PUT_TOGETHER = re.compile(r"""\["skyhold", [^\]]*\]""")


def _commands() -> list[str]:
    found: set[str] = set()
    for template in _TEMPLATES.glob("*.html"):
        text = template.read_text()
        found |= {one or other for one, other in _WRITTEN.findall(text)}
        for listed in _PUT_TOGETHER.findall(text):
            parts = [part.strip() for part in listed[1:-1].split(", ")]
            found.add(shlex.join(part.strip('"') if part.startswith('"') else "s3://bucket/x" for part in parts))
    return sorted(found)


@pytest.mark.parametrize("command", _commands())
def test_commands_on_pages_are_commands(command: str):
    words = shlex.split(command)[1:]
    make_app(words[0]).parse_args(words, exit_on_error=False, print_error=False)


def test_the_commands_are_found():
    assert {"skyhold demo", "skyhold ui s3://bucket/study"} <= set(_commands())
