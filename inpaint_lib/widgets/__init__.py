"""Knobs for the chapters: each widget is at home in one of them."""

from .pair_browser import PairBrowser

__all__ = ["PairBrowser"]
