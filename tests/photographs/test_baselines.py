"""What a user would pick instead of a network, of packages that need not be there."""

import re
import sys
import tomllib

import numpy as np
import pytest

from inpaint_lib.paths import default_path
from inpaint_lib.photographs.baselines import PEERS, Method, installed_peers

MODULES = {  # what is imported from each package
    "opencv-contrib-python-headless": "cv2.xphoto",
    "gmic": "gmic",
    "PyPatchMatch": "patchmatch",
}
PROJECT = tomllib.loads(default_path("pyproject.toml").read_text())["project"]


@pytest.fixture(params=[(n, option) for n, p in PEERS.items() for option in p.options], ids=str)
def method(request) -> Method:
    name, option = request.param
    if name not in installed_peers():
        pytest.skip(f"{PEERS[name].package} is not installed: pip install -e '.[peers]'")
    return PEERS[name].make(option)


@pytest.fixture
def picture() -> np.ndarray:
    """(60, 80, 3): stripes that slant, in other colours than grey."""
    y, x = np.mgrid[:60, :80]
    stripes = 128 + 60 * np.sin((x + y) / 4)
    return np.stack([stripes, 255 - stripes, stripes / 2 + x], axis=-1).astype(np.uint8)


@pytest.fixture
def hole() -> np.ndarray:
    hole = np.zeros((60, 80), dtype=bool)
    hole[20:32, 30:46] = True
    hole[40:44, 10:60] = True
    return hole


def occluded(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None], 0, picture).astype(np.uint8)


def test_a_peer_fills_the_hole_and_nothing_else(method, picture, hole):
    shown = occluded(picture, hole)
    before = shown.copy()
    filled = method(shown, hole)
    assert filled.shape == picture.shape
    assert filled.dtype == np.uint8
    assert np.array_equal(shown, before)
    assert np.array_equal(filled[~hole], picture[~hole])
    if method.__qualname__.startswith("shift_map"):
        return  # 80 px are too few for copies that neither turn nor fade
    error = np.abs(filled[hole].astype(float) - picture[hole]).mean()
    mean = np.abs(picture[~hole].mean(axis=0) - picture[hole]).mean()
    assert error < 0.5 * mean, "no better than one colour for the whole hole"


def test_a_peer_sees_nothing_of_what_is_hidden_and_fills_it_the_same_way_twice(
    method, picture, hole
):
    filled = method(occluded(picture, hole), hole)
    assert np.array_equal(filled, method(occluded(picture, hole), hole))
    other = picture.copy()
    other[hole] = 255 - other[hole]
    assert np.array_equal(filled, method(other, hole))


@pytest.mark.parametrize("package", MODULES)
def test_the_peers_of_a_missing_package_are_left_out(package, monkeypatch):
    before = installed_peers()
    monkeypatch.setitem(sys.modules, MODULES[package], None)
    assert installed_peers() == {n: p for n, p in before.items() if p.package != package}
    for peer in PEERS.values():
        if peer.package == package:
            with pytest.raises(ImportError):
                peer.make(peer.options[0])


def test_the_project_asks_for_the_peers_packages_and_for_one_opencv_only():
    """All of OpenCV's packages write to the same folder: two of them break each other."""
    extras = PROJECT["optional-dependencies"]
    named = {
        re.split(r"[<>=;\[]", package)[0]
        for packages in (PROJECT["dependencies"], *extras.values())
        for package in packages
    }
    assert named >= {peer.package for peer in PEERS.values()}
    assert [name for name in named if name.startswith("opencv")] == [
        "opencv-contrib-python-headless"
    ]
