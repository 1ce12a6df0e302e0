"""A grid of pictures with texts below them."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK = (250, 248, 242), (52, 48, 46)
GAP, LINES, LETTER = 10, 3, 13  # gap in px; lines of text per picture; letter height in px


def labelled(pictures: list[np.ndarray], texts: list[str], columns: int) -> Image.Image:
    """Cells have the size of the largest picture plus three lines of text."""
    height, width = (max(picture.shape[side] for picture in pictures) for side in (0, 1))
    step_x, step_y = width + GAP, height + GAP + LINES * (LETTER + 3)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (GAP + columns * step_x, GAP + rows * step_y), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTER)
    letters = int(width / font.getlength("abcdefghijklmnopqrstuvwxyz ") * 27)
    for i, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        x, y = GAP + i % columns * step_x, GAP + i // columns * step_y
        sheet.paste(Image.fromarray(picture), (x, y))
        lines = textwrap.wrap(text, letters, max_lines=LINES, placeholder=" ...")
        pen.multiline_text((x, y + picture.shape[0] + 2), "\n".join(lines), INK, font, spacing=2)
    return sheet
