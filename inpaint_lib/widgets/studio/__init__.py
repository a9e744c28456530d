"""The completion studio of chapter 6: paint a hole on a photograph, and complete it."""

from .studio import CompletionStudio

__all__ = ["CompletionStudio"]
