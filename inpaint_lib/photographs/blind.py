"""Blind comparison: which of two completions do people prefer, when they do not know whose it is?

`write_sheets` draws pairs, the sides at random, and writes the key apart; `count` holds the
answers against it.
"""

import csv
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import stats

from ..checkpoints import load_model
from ..holes import bounding_box
from ..paths import default_path, written_whole
from .baselines import Method, named, network
from .evaluation import HeldOut, held_out_from, read_held_out

MAGNIFIED = 2  # times
ACROSS, DOWN = 2, 4  # pairs on a sheet
FRAME = 14  # px around a picture, for its letter and for bars that show where the hole was
BUCKETS = ("medium", "large")  # boxes of 24 px and more; in smaller ones little is to be seen
ANSWERS = ("A", "B", "=")


def compare(
    folder: Path,
    other: str = "PatchMatch",
    pairs: int = 60,
    seed: int = 0,
    split: Literal["test", "val"] = "test",
    photos: Path | None = None,
    checkpoint: str = "photographs",
    answers: Path | None = None,
) -> None:
    """Blind comparison: which of two completions is preferred by one who does not know whose it is?

    Writes sheets of pairs, the sides at random, into FOLDER, and the key beside it. Fill in
    FOLDER/answers.csv, then call it again with --answers: it counts.

    Args:
        folder: Where the sheets are, or will be.
        other: What `complete --sharp` is compared with: "network" (itself, plain), "Telea",
            "Navier-Stokes", or one of the peers of `evaluate --peers` that is installed.
        pairs: How many, of boxes of 24 to 64 px.
        seed: Of the choice of pairs and of their sides.
        split: Of the large set of photographs (`prepare --large`).
        photos: A folder of photographs to cut crops from instead.
        checkpoint: A file; by default the shipped weights.
        answers: The answers; with them it counts, and draws nothing.
    """
    if answers is not None:
        result, preferred = count(folder, "sharp", answers)
        lost = [picture for picture, name in preferred.items() if name == result.other]
        print(f"{result}\nLost: {', '.join(lost) or 'none'}")
        return
    model = load_model(checkpoint)
    if photos is None:
        held_out = read_held_out(default_path("dataset", "large", split))
    else:
        held_out = held_out_from(photos, seed)
    both = {other: named(other, model), "sharp": network(model, sharp=True)}
    sheets, key = write_sheets(folder, choose(held_out, pairs, seed), both, seed)
    print(f"{len(sheets)} sheets in {folder}; look at them, write A, B or = into")
    print(f"{folder / 'answers.csv'}, then: compare {folder} --answers {folder / 'answers.csv'}")
    print(f"The key is {key}; do not open it before.")


def choose(pairs: list[HeldOut], count: int, seed: int) -> list[HeldOut]:
    """`count` pairs of BUCKETS, drawn at random, in a random order.

    Raises ValueError where there are fewer.
    """
    fitting = [pair for pair in pairs if pair.bucket in BUCKETS]
    if len(fitting) < count:
        raise ValueError(f"{count} pairs are asked for, and {len(fitting)} are there")
    order = np.random.default_rng(seed).permutation(len(fitting))[:count]
    return [fitting[i] for i in order]


def write_sheets(
    folder: Path, pairs: list[HeldOut], methods: dict[str, Method], seed: int
) -> tuple[list[Path], Path]:
    """Draw each pair as two methods complete it, A and B; returns the sheets, and the key.

    methods: two, by name. The folder gets sheet_00.png, ... and answers.csv to fill in: A, B, or
    = where none is better. The key, FOLDER_key.csv, lies beside the folder, not in it.
    """
    if len(methods) != 2:
        raise ValueError(f"{', '.join(methods)}: a comparison is between two methods")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 1])
    key = []
    drawn = []
    for number, pair in enumerate(pairs, start=1):
        names = list(methods)
        if rng.random() < 0.5:
            names.reverse()
        sides = [methods[name](pair.occluded, pair.hole) for name in names]
        drawn.append(_draw_pair(number, sides, pair.hole))
        key.append([number, pair.name, pair.bucket, *names])
    sheets = []
    per_sheet = ACROSS * DOWN
    for start in range(0, len(drawn), per_sheet):
        sheets.append(folder / f"sheet_{start // per_sheet:02d}.png")
        with written_whole(sheets[-1]) as part:
            _on_one_sheet(drawn[start : start + per_sheet]).save(part, "PNG")
    _write_rows(folder / "answers.csv", ["pair", "answer"], [[row[0], ""] for row in key])
    _write_rows(key_of(folder), ["pair", "picture", "bucket", "A", "B"], key)
    return sheets, key_of(folder)


def key_of(folder: Path) -> Path:
    """Where the key to the sheets of a folder lies."""
    return folder.with_name(f"{folder.name}_key.csv")


def _draw_pair(number: int, sides: list[np.ndarray], hole: np.ndarray) -> Image.Image:
    """Two pictures (H, W, 3) uint8 side by side; bars above and beside them show the hole."""
    height, width = (MAGNIFIED * side for side in hole.shape)
    canvas = Image.new("RGB", (2 * (width + FRAME), height + FRAME), "white")
    draw = ImageDraw.Draw(canvas)
    rows, columns = (
        (MAGNIFIED * span.start, MAGNIFIED * span.stop - 1) for span in bounding_box(hole)
    )
    for i, picture in enumerate(sides):
        left = i * (width + FRAME) + FRAME
        large = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(large, (left, FRAME))
        draw.rectangle((left + columns[0], FRAME - 3, left + columns[1], FRAME - 2), "black")
        draw.rectangle((left - 3, FRAME + rows[0], left - 2, FRAME + rows[1]), "black")
        draw.text((left, 0), f"{number} {ANSWERS[i]}", "black")
    return canvas


def _on_one_sheet(pairs: list[Image.Image]) -> Image.Image:
    width, height = pairs[0].size
    sheet = Image.new("RGB", (ACROSS * (width + FRAME), -(-len(pairs) // ACROSS) * height), "white")
    for i, pair in enumerate(pairs):
        sheet.paste(pair, (i % ACROSS * (width + FRAME), i // ACROSS * height))
    return sheet


def _write_rows(path: Path, columns: list[str], rows: list[list[object]]) -> None:
    with written_whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; `compare` writes it") from None


class Count(NamedTuple):
    """How often a method was preferred; `low` to `high`: the 95 % interval of the share among
    decided pairs (Wilson 1927).
    """

    method: str
    other: str
    wins: int
    losses: int
    ties: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Preferred, of the decided pairs; nan where none is."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else float("nan")

    def __str__(self) -> str:
        return (
            f"{self.method} preferred to {self.other} in {self.wins} pairs, the other in "
            f"{self.losses}, none in {self.ties}: {self.share:.0%} of the decided, "
            f"95 % interval {self.low:.0%} to {self.high:.0%}"
        )


def count(folder: Path, method: str, answers: Path) -> tuple[Count, dict[str, str]]:
    """Hold the answers against the key of a folder, and count them for `method`.

    Returns the count, and by picture which method was preferred ("" in a tie).

    Raises ValueError where an answer is missing, or is not one of ANSWERS.
    """
    given = {row["pair"]: (row["answer"] or "").strip().upper() for row in _read_rows(answers)}
    key = _read_rows(key_of(folder))
    preferred = {}
    for row in key:
        answer = given.get(row["pair"], "")
        if answer not in ANSWERS:
            raise ValueError(
                f"{answers}: pair {row['pair']} is answered {answer!r}; write A, B, or = for none"
            )
        preferred[row["picture"]] = row.get(answer, "")
    (other,) = {key[0]["A"], key[0]["B"]} - {method}
    won = list(preferred.values())
    wins, losses = won.count(method), won.count(other)
    low, high = 0.0, 1.0
    if decided := wins + losses:
        interval = stats.binomtest(wins, decided).proportion_ci(0.95, method="wilson")
        low, high = float(interval.low), float(interval.high)
    return Count(method, other, wins, losses, won.count(""), low, high), preferred
