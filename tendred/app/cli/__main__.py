"""`python -m tendred.app.cli`: the same as `tendre`, where its script isn't on the path."""

from __future__ import annotations

import sys

from tendred.app.cli import main

sys.exit(main())
