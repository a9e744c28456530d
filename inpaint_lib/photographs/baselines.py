"""What a user would pick instead of a network, and the network, behind one signature.

Networks that others have trained are not among them: LaMa (Suvorov et al. 2022) and its kind
download 200 MB at their first run, and no package carries such weights.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from ..pictures import to_pixels, to_tensor
from .completion import complete

# (H, W, 3) uint8, (H, W) bool -> (H, W, 3) uint8
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean_colour(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The hole in the mean colour of the known pixels."""
    result = picture.copy()
    result[hole] = picture[~hole].mean(axis=0).round()
    return result


def telea(radius: int) -> Method:
    """OpenCV's fast marching method (Telea 2004)."""
    return _opencv("INPAINT_TELEA", radius)


def navier_stokes(radius: int) -> Method:
    """OpenCV's method after Bertalmio, Bertozzi & Sapiro (2001)."""
    return _opencv("INPAINT_NS", radius)


def _opencv(flag: str, radius: int) -> Method:
    import cv2

    return lambda picture, hole: cv2.inpaint(
        picture, hole.astype(np.uint8), radius, getattr(cv2, flag)
    )


def biharmonic(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """scikit-image's biharmonic equation (Damelin & Hoang 2018)."""
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(picture / 255, hole, channel_axis=-1)
    return np.asarray(filled.clip(0, 1) * 255).round().astype(np.uint8)


def smooth(fill: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Method:
    """`push_pull` or `thin_plate` on a picture of 8 bits."""
    return lambda picture, hole: to_pixels(
        fill(to_tensor(picture), torch.from_numpy(hole)[None, None].float())
    )


def network(model: nn.Module, sharp: bool = False) -> Method:
    """A trained network as it is used: through `complete`."""
    return lambda picture, hole: np.asarray(complete(model, picture, hole, sharp=sharp))


def fsr(quality: Literal["FAST", "BEST"]) -> Method:
    """OpenCV's frequency selective reconstruction (Seiler et al. 2015; Genser et al. 2018).

    quality: FAST, or BEST, which takes ten seconds and more for a large hole.

    Raises ImportError where OpenCV has no `xphoto`, which only its contrib packages have.
    """
    return _xphoto(f"FSR_{quality}")


def shift_map(colours: Literal["Lab"] = "Lab") -> Method:
    """OpenCV's shift map: copies of a few offsets (He & Sun 2012), compared in CIE Lab.

    Raises ImportError where OpenCV has no `xphoto`, which only its contrib packages have.
    """
    import cv2

    copy = _xphoto("SHIFTMAP")

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        cv2.setRNGSeed(0)
        lab = copy(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), hole)
        return np.where(hole[..., None], cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), picture)

    return fill


def _xphoto(name: str) -> Method:
    """One of OpenCV's contributed methods; ImportError where they are not there."""
    import cv2.xphoto as xphoto

    algorithm = getattr(xphoto, f"INPAINT_{name}")

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        filled = np.zeros_like(picture)
        known = np.where(hole, 0, 255).astype(np.uint8)  # the reverse of cv2.inpaint's mask
        xphoto.inpaint(picture, known, filled, algorithm)
        return np.where(hole[..., None], filled, picture)  # it changes known pixels, too

    return fill


def gmic_pde(diffusion: int) -> Method:
    """G'MIC's `inpaint_pde`: transport and diffusion, from coarse scales to fine ones.

    diffusion: 0 isotropic, 1 along the edges of a Delaunay triangulation, 2 along those of the
    picture.

    Raises ImportError without the package gmic.
    """
    return _gmic(f"inpaint_pde[0] [1],75%,{diffusion}")


def gmic_patches(patch_size: int) -> Method:
    """G'MIC's `inpaint_matchpatch`: copies found by PatchMatch, blended; patch_size in pixels.

    It writes its progress to stderr, whatever its verbosity.

    Raises ImportError without the package gmic.
    """
    return _gmic(f"srand 0 inpaint_matchpatch[0] [1],0,{patch_size}")


def _gmic(command: str) -> Method:
    """A command of G'MIC for a picture [0] and a mask [1]; ImportError without it."""
    import gmic

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        images = gmic.ImageList(
            [
                gmic.Image.from_yxc(np.ascontiguousarray(array, dtype=np.float32))
                for array in (picture, hole[..., None])
            ]
        )
        filled, *_ = gmic.run(f"v - {command} keep[0]", images)
        pixels = filled.to_numpy()[:, :, 0].transpose(1, 0, 2)  # (W, H, depth, 3) -> (H, W, 3)
        pixels = pixels.clip(0, 255).round().astype(np.uint8)
        return np.where(hole[..., None], pixels, picture)

    return fill


def patchmatch(patch_size: int) -> Method:
    """PyPatchMatch: copies of what is known, found by PatchMatch (Barnes et al. 2009).

    Copies are sharp, and where they are wrong far from the original: a low PSNR is their price.

    Raises ImportError without the package PyPatchMatch, or where its library does not load.
    """
    from patchmatch import patch_match

    if not patch_match.patchmatch_available:
        raise ImportError("the library inside PyPatchMatch does not load")

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        patch_match.set_random_seed(0)
        return np.asarray(patch_match.inpaint(picture, hole, patch_size=patch_size))

    return fill


class Peer(NamedTuple):
    """A method of a package that need not be there, and the options to choose from on val."""

    package: str
    make: Callable[[Any], Method]  # raises ImportError where the package is not there
    options: tuple[Any, ...]


PEERS = {
    "OpenCV FSR": Peer("opencv-contrib-python-headless", fsr, ("FAST",)),
    "G'MIC PDE 75%,1": Peer("gmic", gmic_pde, (1,)),
    "G'MIC PDE 75%,2": Peer("gmic", gmic_pde, (2,)),
    "OpenCV shift map": Peer("opencv-contrib-python-headless", shift_map, ("Lab",)),
    "G'MIC patches": Peer("gmic", gmic_patches, (9,)),
    "PatchMatch": Peer("PyPatchMatch", patchmatch, (1, 2, 3, 5)),
}


def installed_peers() -> dict[str, Peer]:
    """Those of PEERS whose packages are there: `pip install -e '.[peers]'` brings the others."""

    def is_there(peer: Peer) -> bool:
        try:
            peer.make(peer.options[0])
        except ImportError:
            return False
        return True

    return {name: peer for name, peer in PEERS.items() if is_there(peer)}


RADIUS = 5  # px, of the methods below where none is tuned


def named(name: str, model: nn.Module) -> Method:
    """A method by its name: "network" (the model), "Telea", "Navier-Stokes", or one of PEERS.

    With the last of its options. Raises ValueError for another name, or where the package of a
    peer is not there.
    """
    classics = {"Telea": telea, "Navier-Stokes": navier_stokes}
    if name == "network":
        return network(model)
    if name in classics:
        return classics[name](RADIUS)
    if name not in PEERS:
        known = ", ".join(("network", *classics, *PEERS))
        raise ValueError(f"the method {name!r}: choose one of {known}")
    if name not in installed_peers():
        raise ValueError(f"{name}: needs {PEERS[name].package}: pip install -e '.[peers]'")
    return PEERS[name].make(PEERS[name].options[-1])
