"""Blind comparison: sheets, their key, and the count."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint_lib.photographs.blind import choose, count, key_of, write_sheets
from inpaint_lib.photographs.evaluation import HeldOut


def pairs(number: int = 12) -> list[HeldOut]:
    hole = np.zeros((24, 32), dtype=bool)
    hole[6:18, 8:20] = True
    grey = np.full((24, 32, 3), 128, dtype=np.uint8)
    buckets = ("small", "medium", "large", "strokes")
    return [HeldOut(f"{i}.png", f"p{i}", buckets[i % 4], grey, hole) for i in range(4 * number)]


def painted(value: int):
    return lambda picture, hole: np.where(hole[..., None], value, picture).astype(np.uint8)


METHODS = {"black": painted(0), "white": painted(255)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sheets(tmp_path / "sheets", choose(pairs(), 20, seed=3), METHODS, seed=3)
    return tmp_path / "sheets"


def key(folder: Path) -> list[dict[str, str]]:
    with open(key_of(folder), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def answer(folder: Path, answers: list[str]) -> Path:
    path = folder / "answers.csv"
    lines = [f"{i},{a}" for i, a in enumerate(answers, start=1)]
    path.write_text("\n".join(["pair,answer", *lines]), encoding="utf-8")
    return path


def test_only_boxes_of_24_px_and_more_are_chosen_by_the_seed():
    chosen = choose(pairs(), 20, seed=0)
    names = [pair.name for pair in chosen]
    assert len(set(names)) == 20
    assert {pair.bucket for pair in chosen} == {"medium", "large"}
    assert [pair.name for pair in choose(pairs(), 20, seed=0)] == names
    assert [pair.name for pair in choose(pairs(), 20, seed=1)] != names
    with pytest.raises(ValueError, match="25 pairs are asked for, and 24 are there"):
        choose(pairs(), 25, seed=0)


def test_the_key_says_what_is_where_on_the_sheets(folder):
    with Image.open(folder / "sheet_00.png") as sheet:
        pixels = np.asarray(sheet)
    width = 2 * (2 * 32 + 14) + 14  # of a pair, magnified twice, and its frames
    for i, row in enumerate(key(folder)[:8]):
        top, left = i // 2 * (2 * 24 + 14) + 14, i % 2 * width + 14
        for side, start in (("A", left), ("B", left + 2 * 32 + 14)):
            middle = pixels[top + 24, start + 28]
            assert (middle == (0 if row[side] == "black" else 255)).all(), row


def test_sides_are_at_random_and_the_key_lies_apart(folder, tmp_path):
    rows = key(folder)
    assert len(rows) == 20
    assert 4 <= sum(row["A"] == "black" for row in rows) <= 16
    assert all({row["A"], row["B"]} == set(METHODS) for row in rows)
    assert {path.name for path in folder.iterdir()} == {
        "answers.csv",
        *(f"sheet_{i:02d}.png" for i in range(3)),
    }
    write_sheets(tmp_path / "again", choose(pairs(), 20, seed=3), METHODS, seed=3)
    assert key(tmp_path / "again") == rows


def test_answers_are_counted_with_wilsons_interval(folder):
    """10 of 16: 38.6 % to 81.5 %, by the formula of Wilson (1927) worked out by hand."""
    sides = [{row[side]: side for side in "AB"} for row in key(folder)]
    given = [side["white" if i < 10 else "black"] for i, side in enumerate(sides)]
    given[16:] = ["="] * 4
    result, preferred = count(folder, "white", answer(folder, [a.lower() for a in given]))
    assert (result.wins, result.losses, result.ties) == (10, 6, 4)
    assert result.other == "black"
    assert result.share == 10 / 16
    z = 1.959964
    centre = (10 + z**2 / 2) / (16 + z**2)
    half = z / (16 + z**2) * (10 * 6 / 16 + z**2 / 4) ** 0.5
    assert (result.low, result.high) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert "62%" in str(result)
    assert list(preferred.values()) == ["white"] * 10 + ["black"] * 6 + [""] * 4


@pytest.mark.parametrize("wrong", ["", "C", "AB"])
def test_a_missing_or_unknown_answer_is_refused_by_its_number(folder, wrong):
    answers = answer(folder, ["A"] * 6 + [wrong] + ["B"] * 13)
    with pytest.raises(ValueError, match="pair 7"):
        count(folder, "white", answers)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        count(folder, "white", tmp_path / "nothing.csv")
    with pytest.raises(FileNotFoundError, match=r"elsewhere_key\.csv"):
        count(tmp_path / "elsewhere", "white", answer(folder, ["="] * 20))


def test_a_comparison_is_between_two(tmp_path):
    with pytest.raises(ValueError, match="between two"):
        write_sheets(tmp_path / "x", pairs()[:1], {"black": painted(0)}, seed=0)
