"""The completion studio of chapter 5: paint a hole on a photograph, and complete it."""

from .studio import CompletionStudio

__all__ = ["CompletionStudio"]
