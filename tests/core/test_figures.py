"""Figures: what they show, and that they say what it is."""

import io
import re
import subprocess
import sys
from base64 import b64decode
from html import unescape

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from inpaint_lib.figures import FRAME, Figure, learning_curve, picture_grid, sample_grid


def picture(seed: int, side: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def log(epochs: int, validation: bool) -> list[dict[str, float]]:
    lines = []
    for epoch in range(1, epochs + 1):
        line = {"epoch": epoch, "LR": 1e-3, "L1": 0.1, "SSIM": 0.5, "total loss": 1 / epoch}
        if validation:
            line |= {"val L1": 0.1, "val SSIM": 0.5, "val total loss": 2 / epoch}
            line |= {"val hole PSNR [dB]": 20.0 + epoch}
        lines.append(line)
    return lines


def test_the_grid_shows_each_picture_under_its_title_and_beside_its_name():
    rows = {
        "occluded": [picture(i) for i in range(3)],
        "ours": [picture(10 + i) for i in range(3)],
    }
    figure = sample_grid(rows, ["small", "medium", "large"])
    assert isinstance(figure, Figure)
    axes = np.array(figure.axes).reshape(2, 3)
    assert [ax.get_title() for ax in axes[0]] == ["small", "medium", "large"]
    assert [line[0].get_ylabel() for line in axes] == ["occluded", "ours"]
    for line, pictures in zip(axes, rows.values(), strict=True):
        for ax, shown in zip(line, pictures, strict=True):
            [image] = ax.get_images()
            assert np.array_equal(image.get_array(), shown)
            assert len(ax.get_xticks()) == len(ax.get_yticks()) == 0


def test_the_grid_does_not_smooth_pixels():
    [ax] = sample_grid({"one": [picture(0)]}).axes
    assert ax.get_images()[0].get_interpolation() in ("none", "nearest")


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        sample_grid({"a": [picture(0)], "b": [picture(0), picture(1)]})


def test_columns_of_the_grid_are_as_wide_as_their_pictures():
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    figure = picture_grid({"": [picture(0), wide]}, side=2, room=(1, 0.5))
    assert figure.get_size_inches().tolist() == [1 + 2 * (1 + 3), 2.5]
    figure.canvas.draw()
    square, broad = (ax.get_window_extent().width for ax in figure.axes)
    assert broad == pytest.approx(3 * square, rel=0.1)


def test_a_frame_has_its_colour_or_is_not_there():
    [framed] = picture_grid({"": [picture(0)]}).axes
    [bare] = picture_grid({"": [picture(0)]}, frame=None).axes
    assert {to_hex(spine.get_edgecolor()) for spine in framed.spines.values()} == {FRAME}
    assert not any(spine.get_visible() for spine in bare.spines.values())


def test_the_learning_curve_has_titles_and_labelled_axes():
    for validation in (True, False):
        figure = learning_curve(log(4, validation))
        assert isinstance(figure, Figure)
        assert len(figure.axes) == 2
        for ax in figure.axes:
            assert ax.get_title()
            assert ax.get_xlabel() == "epoch"
            assert ax.get_ylabel()
        assert "dB" in figure.axes[1].get_ylabel()


def test_the_learning_curve_shows_training_validation_and_psnr():
    left, right = learning_curve(log(4, validation=True)).axes
    curves = {line.get_label(): line.get_xydata() for line in left.get_lines()}
    assert set(curves) == {"training", "validation"}
    assert curves["training"].tolist() == [[e, 1 / e] for e in (1, 2, 3, 4)]
    assert curves["validation"].tolist() == [[e, 2 / e] for e in (1, 2, 3, 4)]
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["training", "validation"]
    [psnr] = right.get_lines()
    assert psnr.get_xydata().tolist() == [[e, 20.0 + e] for e in (1, 2, 3, 4)]


def test_without_validation_only_the_training_loss_is_drawn():
    left, right = learning_curve(log(4, validation=False)).axes
    assert [line.get_label() for line in left.get_lines()] == ["training"]
    assert len(right.get_lines()) == 0


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_are_marked_with_whole_numbers(epochs):
    figure = learning_curve(log(epochs, validation=True))
    figure.canvas.draw()
    for ax in figure.axes:
        assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_figures_can_be_saved():
    for figure in (learning_curve(log(2, True)), sample_grid({"one": [picture(0)]}, ["title"])):
        file = io.BytesIO()
        figure.savefig(file, format="png")
        assert file.getvalue().startswith(b"\x89PNG")


def test_drawing_needs_no_window_and_leaves_no_open_figure_behind():
    code = (
        "import sys, numpy as np; from inpaint_lib import figures; "
        "figures.sample_grid({'a': [np.zeros((4, 4, 3), np.uint8)]}); "
        "figures.learning_curve([{'epoch': 1, 'total loss': 1.0}]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def kept_image(figure: Figure) -> tuple[str, Image.Image]:
    """The alternative text and the picture that a saved notebook has of a figure."""
    html = figure._repr_mimebundle_()["text/html"]
    [(alt, data)] = re.findall(r'<img alt="([^"]*)".*? src="data:image/\w+;base64,([^"]*)">', html)
    return unescape(alt), Image.open(io.BytesIO(b64decode(data)))


def test_a_figure_shows_itself_with_its_text_and_says_it_where_nothing_can_be_shown():
    text = 'A "line" & <two> dots'
    figure = Figure(text, figsize=(3, 2), dpi=80)
    figure.subplots().plot([0, 1], [0, 1])
    assert kept_image(figure)[0] == text
    assert figure._repr_mimebundle_()["text/plain"] == text
    assert f'width="{3 * 80}"' in figure.html()


def test_a_figure_is_kept_at_twice_its_resolution_and_stays_as_it_is():
    figure = Figure("a line", figsize=(3, 2), dpi=80)
    figure.subplots().plot([0, 1], [0, 1])
    assert kept_image(figure)[1].size == (2 * 240, 2 * 160)
    assert figure.dpi == 80


def gradient(channels: tuple[int, ...]) -> np.ndarray:
    """Smooth colours, (128, 128, 3) uint8, that differ in these channels."""
    shades = np.zeros((128, 128, 3), dtype=np.uint8)
    across = np.linspace(0, 255, 128).astype(np.uint8)
    for channel, values in zip(channels, (across[None], across[:, None]), strict=False):
        shades[..., channel] = values
    return shades


@pytest.mark.parametrize("channels", [(0,), (0, 1)], ids=["few colours", "many colours"])
def test_what_is_kept_of_a_photograph_is_smaller_and_looks_the_same(channels):
    figure = picture_grid({"": [gradient(channels)]}, side=2)
    drawn = figure.drawn()
    _, kept = kept_image(figure)
    assert len(figure.html(small=True)) < len(figure.html())
    lost = np.abs(np.asarray(kept.convert("RGB")).astype(int) - np.asarray(drawn))
    assert lost.mean() < 1.5
    assert np.percentile(lost[100:-100, 100:-100], 99) < 8  # inside, no step is seen


def test_a_grid_tells_how_many_pictures_it_has_and_their_names():
    rows = {"occluded": [picture(0), picture(1)], "ours": [picture(2), picture(3)]}
    figure = picture_grid(rows, ["small\n30 dB", "large"], alt="Ours is sharp.")
    expected = "Pictures in 2 rows (occluded, ours) and 2 columns (small 30 dB, large)."
    assert figure.alt == f"{expected} Ours is sharp."
    assert picture_grid({"": [picture(0)]}).alt == "Pictures in 1 row and 1 column."
