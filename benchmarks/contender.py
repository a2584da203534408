"""One contender in a process of its own: MODULE:FUNCTION ARGUMENTS-AS-JSON; prints what it measured as JSON."""

import json
import sys
from importlib import import_module

from measuring.stopwatch import Stopwatch, own_peak_mb


def main() -> None:
    name, arguments = sys.argv[1:]
    module, function = name.split(":")
    watch = Stopwatch()
    told = getattr(import_module(module), function)(watch, **json.loads(arguments))
    measured = {"seconds": watch.seconds, "cpu_seconds": watch.cpu_seconds, "peak_mb": own_peak_mb()}
    print(json.dumps({**measured, "told": told or {}}))


if __name__ == "__main__":
    main()
