"""`python -m binance_dust` is the command `binance-dust`."""

from __future__ import annotations

import sys

from binance_dust.cli import main

sys.exit(main())
