"""`binance-dust`, which also takes lengths of time in seconds: `--every 60s`, `--cooldown 45s`.

Nobody should sweep every minute at the real exchange. This hour does, to live many days in one.
"""

from __future__ import annotations

import re
import sys
from datetime import timedelta

from binance_dust.cli import _arguments, main

if __name__ == "__main__":
    _arguments._LENGTH = re.compile(r"([0-9]{1,5})([shdw])")  # type: ignore[misc]
    _arguments._UNITS["s"] = timedelta(seconds=1)
    sys.exit(main())
