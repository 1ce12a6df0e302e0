"""Markdown tables and the origin line of a report."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path


def origin() -> str:
    """The date and the command that created a file."""
    program, *arguments = sys.argv
    return f"{time.strftime('%Y-%m-%d')}, `python {' '.join([Path(program).name, *arguments])}`."


def table(head: list[str], rows: list[list], digits: list[int]) -> str:
    """Formats a table with `digits` decimals per column. Text stays unchanged, and NaN becomes a dash. The table
    ends with an empty line."""

    def cell(value, after: int) -> str:
        if isinstance(value, str):
            return value
        return "-" if math.isnan(value) else f"{value:.{after}f}"

    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(cell(v, d) for v, d in zip(row, digits, strict=True)) + " |" for row in rows]
    return "\n".join(lines) + "\n"
