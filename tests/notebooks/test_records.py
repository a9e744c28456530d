"""The records of longer runs are complete, and what was recorded together belongs together."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint_lib import load_model
from inpaint_lib.data import ImageCompletionDataset
from inpaint_lib.paths import default_path, pair_folders
from inpaint_lib.photographs.prepare import ensure_prepared
from inpaint_lib.training import sample_rows

RECORDS = default_path("notebooks", "records")
ORIGINAL = RECORDS / "original"
GRIDS = (1, 5, 10, 25, 50, 100, 150, 190, 200)


def rows(path: Path, delimiter: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture(scope="module")
def model():
    return load_model(ORIGINAL / "model_epoch200.pth")


def test_the_original_recipe_ran_to_its_last_epoch_and_learned():
    log = rows(ORIGINAL / "training_log.txt", "\t")
    assert [int(row["epoch"]) for row in log] == list(range(1, 201))
    assert {float(row["LR"]) for row in log} == {1e-4}
    first, last = (float(log[i]["val hole PSNR [dB]"]) for i in (0, -1))
    assert last > first + 6


def test_its_weights_are_those_of_the_network_as_designed(model):
    plain = {"hidden_channels": 48, "num_layers": 3, "patch_size": 1, "norm": "batch"}
    assert model.config.items() >= plain.items()
    assert model.config["prefill"] is None


def test_its_grids_are_eight_pictures_each_and_the_last_is_what_its_weights_paint(model):
    sheets = {n: np.asarray(Image.open(ORIGINAL / f"epoch{n}.jpg"), np.float32) for n in GRIDS}
    assert {sheet.shape for sheet in sheets.values()} == {(3 * 130 + 2, 8 * 130 + 2, 3)}
    ensure_prepared()
    val = pair_folders(default_path("dataset", "val"))
    pairs = ImageCompletionDataset(val.occluded, val.original, mask_dir=val.mask)
    samples = sample_rows(model, pairs, torch.device("cpu"))
    painted = samples[1].clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255
    difference = {
        n: [
            np.abs(sheet[132:260, 2 + 130 * i : 130 + 130 * i] - picture).mean()
            for i, picture in enumerate(painted)
        ]
        for n, sheet in sheets.items()
    }
    assert max(difference[200]) < 4  # of 255; JPEG
    assert min(difference, key=lambda n: sum(difference[n])) == 200


def test_its_table_has_the_shipped_weights_as_their_own_table_has_them():
    table = rows(ORIGINAL / "table.csv", ",")
    shipped = rows(default_path("checkpoints", "photographs.csv"), ",")
    assert {row["method"] for row in table} == {row["method"] for row in shipped} | {
        "original recipe"
    }
    psnr = {(row["method"], row["bucket"]): float(row["hole_psnr"]) for row in table}
    for row in shipped:
        assert psnr[row["method"], row["bucket"]] == pytest.approx(
            float(row["hole_psnr"]), abs=0.01
        )
    for row in rows(ORIGINAL / "differences.csv", ","):
        low, middle, high = (float(row[c]) for c in ("low_db", "difference_db", "high_db"))
        assert low < middle < high
        # As many pictures of each photograph: the mean over photographs is that over pictures.
        means = psnr["original recipe", row["bucket"]] - psnr[row["other"], row["bucket"]]
        assert middle == pytest.approx(means, abs=0.01)


def test_the_walk_says_on_what_it_was_made_and_what_failed():
    assert json.loads((RECORDS / "h200" / "device.json").read_text())["device"] == "NVIDIA H200"
    text = (RECORDS / "h200" / "README.md").read_text(encoding="utf-8")
    for line in (RECORDS / "h200" / "checks.txt").read_text().splitlines():
        name, _, verdict = line.split("\t")
        assert verdict == "ok" or f"`{name}`" in text, line
    for row in rows(RECORDS / "h200" / "speed.tsv", "\t"):
        assert f"| {row['pictures a second']} | {row['peak memory in GB']} |" in text, row


@pytest.mark.parametrize("page", sorted(RECORDS.rglob("*.md")), ids=lambda p: p.parent.name)
def test_links_and_pictures_of_a_record_are_there(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_blind_comparisons_count_as_their_page_says():
    page = (RECORDS / "blind" / "README.md").read_text(encoding="utf-8")
    counts = re.findall(r"^\| [^|]+ \| (\d+) \| (\d+) \| (\d+) \| (\d+) %", page, re.MULTILINE)
    files = ("patchmatch", "gmic_patches", "network", "telea")
    for name, count in zip(files, counts, strict=True):
        answered = rows(RECORDS / "blind" / f"{name}.csv", ",")
        preferred = [row.get(row["answer"], "") for row in answered]
        ties = preferred.count("")
        wins = preferred.count("sharp")
        losses = len(preferred) - wins - ties
        assert len({row["picture"] for row in answered}) == 60
        assert tuple(map(int, count)) == (wins, losses, ties, round(100 * wins / (wins + losses)))
