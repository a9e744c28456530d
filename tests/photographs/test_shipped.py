"""The shipped weights: small, readable, of the preset, and better than what they start from."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from inpaint_lib import complete, load_model, thin_plate
from inpaint_lib.holes import boxes_mask, strokes_mask
from inpaint_lib.photographs import BUCKETS, tutorial_source
from inpaint_lib.photographs.recipes import PRESET
from inpaint_lib.pictures import to_pixels, to_tensor

ROOT = Path(__file__).resolve().parent.parent.parent
WORLDS = ("photographs", "bricks")


@pytest.mark.parametrize("world", WORLDS)
def test_the_weights_are_small_and_those_of_the_preset(world):
    assert (ROOT / "checkpoints" / f"{world}.pth").stat().st_size < 10e6
    model = load_model(world, "cpu")
    assert {name: PRESET[name] for name in model.config if name in PRESET} == {
        name: value for name, value in model.config.items() if name in PRESET
    }
    assert all(p.isfinite().all() for p in model.parameters())


def rows(world: str) -> dict[tuple[str, str], dict[str, str]]:
    with open(ROOT / "checkpoints" / f"{world}.csv", newline="", encoding="utf-8") as file:
        return {(row["method"], row["bucket"]): row for row in csv.DictReader(file)}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("bucket", BUCKETS)
def test_the_recorded_table_has_ours_ahead_in_psnr_and_ssim(world, bucket):
    table = rows(world)
    others = {m for m, _ in table} - {"ours"}
    assert others >= {"mean colour", "Telea", "Navier-Stokes", "biharmonic", "push-pull"}
    for metric in ("hole_psnr", "hole_ssim"):
        ours = float(table["ours", bucket][metric])
        assert ours > max(float(table[method, bucket][metric]) for method in others)


def test_readme_shows_the_recorded_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = rows("photographs")
    for method in {m for m, _ in table}:
        shown = [f"{float(table[method, bucket]['hole_psnr']):.2f}" for bucket in BUCKETS]
        assert any(
            line.startswith(method) and [v.rstrip("*") for v in line.split()[-4:]] == shown
            for line in text.splitlines()
        ), method


def db(a: np.ndarray, b: np.ndarray, hole: np.ndarray) -> float:
    return float(-10 * np.log10(((a[hole] / 255 - b[hole] / 255) ** 2).mean()))


@pytest.mark.parametrize("kind", ["several boxes", "strokes"])
def test_a_photograph_of_512_px_with_many_holes_gains_over_the_start(kind):
    torch.manual_seed(0)
    photo = tutorial_source("drum_and_wine.jpg").read()
    scale = 512 / min(photo.size)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)))
    picture = np.asarray(small)[:512, :512]
    rng = np.random.default_rng(0)
    if kind == "strokes":
        hole = strokes_mask((512, 512), rng, strokes=60)
    else:
        corners = [(40, 60), (300, 90), (120, 330), (400, 400), (250, 250)]
        hole = boxes_mask((512, 512), [(x, y, 26, 30) for x, y in corners])
    occluded = np.where(hole[..., None], 0, picture).astype(np.uint8)
    done = np.asarray(complete(load_model(device="cpu"), occluded, hole))
    start = to_pixels(thin_plate(to_tensor(occluded), torch.from_numpy(hole)[None, None].float()))
    assert np.array_equal(done[~hole], picture[~hole])
    assert db(done, picture, hole) > db(start, picture, hole)
