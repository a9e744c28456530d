"""What is done with photographs: found, split, cut into pairs, completed, measured.

The names below are what pairs are made with. The rest is imported by its module: `completion`,
`fitting`, `baselines`, `evaluation`, `recipes`. `prepare` is the module here; the function is
`inpaint_lib.prepare`.
"""

from .pairs import bucket_hole, random_crops, resized
from .prepare import ensure_prepared, read_manifest
from .sources import BUCKETS, TEST, TEXTURES, TRAIN, VAL, brick_source, tutorial_source

__all__ = [
    "BUCKETS",
    "TEST",
    "TEXTURES",
    "TRAIN",
    "VAL",
    "brick_source",
    "bucket_hole",
    "ensure_prepared",
    "random_crops",
    "read_manifest",
    "resized",
    "tutorial_source",
]
