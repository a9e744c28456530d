"""Folders that are missing, empty or incomplete: one line with the remedy; nothing is made."""

import pytest
from factories import contents, save_picture, training


@pytest.mark.parametrize("option", ["occluded_dir", "original_dir", "mask_dir"])
def test_a_missing_folder_is_told_before_anything_is_made(refused, pairs, tmp_path, option):
    line = refused(*training(pairs, tmp_path / "run", **{option: tmp_path / "nowhere"}))
    assert str(tmp_path / "nowhere") in line
    assert "python -m inpaint_lib prepare" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["occluded_dir", "original_dir", "mask_dir"])
def test_an_empty_folder_is_told_with_what_counts_as_a_picture(refused, pairs, tmp_path, option):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    line = refused(*training(pairs, tmp_path / "run", **{option: tmp_path / "empty"}))
    assert f"{tmp_path / 'empty'}: no pictures" in line
    assert ".png" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_no_photographs_to_prepare_leaves_what_was_prepared(refused, tmp_path, kind):
    if kind == "empty":
        (tmp_path / "own").mkdir()
    earlier = save_picture(tmp_path / "out" / "train" / "original_images" / "0.png")
    before = earlier.read_bytes()
    line = refused("prepare", "--photos", tmp_path / "own", "--out", tmp_path / "out")
    assert str(tmp_path / "own") in line
    assert contents(tmp_path / "out") == {"train/original_images/0.png": before}


def test_an_occluded_picture_without_its_original_is_told_with_both_remedies(
    refused, pairs, tmp_path
):
    (pairs / "original_images" / "3.png").unlink()
    line = refused(*training(pairs, tmp_path / "run"))
    assert str(pairs / "occluded_images" / "occluded_3.png") in line
    assert "3.png" in line
    assert str(pairs / "original_images") in line
    assert "add it" in line
    assert "remove" in line
    assert not (tmp_path / "run").exists()
