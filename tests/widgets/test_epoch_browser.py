"""The epoch browser: what it finds in a run's folder, and what its slider does."""

import numpy as np
import pytest
import torch
from factories import config_for
from PIL import Image
from torchvision.utils import save_image

from inpaint_lib.training import Trainer
from inpaint_lib.widgets import EpochBrowser
from inpaint_lib.widgets.epoch_browser import cut_sheet, find_sheets, read_log


@pytest.fixture
def run(tmp_path):
    """A run's folder as it looks after ten epochs: three sheets of two pictures, and a log."""
    (tmp_path / "samples").mkdir()
    for epoch in (10, 1, 5):
        pictures = torch.full((6, 3, 16, 16), epoch / 255)
        save_image(pictures, tmp_path / "samples" / f"sample_epoch{epoch}.png", nrow=2)
    lines = ["epoch\tLR\tval hole PSNR [dB]", "1\t0.1\t14.5", "2\t0.1\t", "5\t0.1\t17.25"]
    (tmp_path / "training_log.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_sheets_are_found_in_the_order_of_their_epochs(run):
    assert list(find_sheets(run)) == [1, 5, 10]
    (run / "epoch7.jpg").write_bytes(b"")
    (run / "model_epoch9.pth").write_bytes(b"")
    assert list(find_sheets(run)) == [1, 5, 7, 10]


def test_a_folder_without_sheets_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path.name}.*no sample sheets"):
        EpochBrowser(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        EpochBrowser(tmp_path / "nowhere")


def test_a_sheet_is_cut_as_it_was_put_together(tmp_path):
    pictures = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    save_image(pictures, tmp_path / "sheet.png", nrow=2)
    cut = cut_sheet(np.asarray(Image.open(tmp_path / "sheet.png")))
    expected = (255 * pictures).round().byte().unflatten(0, (3, 2)).movedim(2, -1)
    assert np.abs(cut.astype(int) - expected.numpy()).max() <= 1


def test_the_log_is_read_where_it_was_validated(run):
    assert read_log(run) == {1: 14.5, 5: 17.25}
    (run / "training_log.txt").unlink()
    assert read_log(run) == {}


def test_begins_with_the_last_epoch_and_the_slider_changes_words_and_picture(run):
    browser = EpochBrowser(run)
    assert browser.epoch.value == 10
    assert "epoch 10" in browser.numbers.value
    assert "dB" not in browser.numbers.value  # not validated
    last = browser.picture.value
    browser.epoch.value = 5
    assert "epoch 5: PSNR in the hole 17.25 dB" in browser.numbers.value
    assert browser.picture.value != last
    assert "epoch 5: PSNR in the hole 17.25 dB" in browser.picture.value


def test_shows_what_a_run_of_this_library_leaves(pairs, tmp_path):
    trainer = Trainer(config_for(pairs, tmp_path / "run", epochs=1))
    list(trainer.steps())
    browser = EpochBrowser(tmp_path / "run")
    assert list(browser.sheets) == [1]
    assert "epoch 1" in browser.numbers.value
