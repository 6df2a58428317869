"""Sound: recordings as arrays, log-mel frames in the graph, recordings joined and disturbed."""

from __future__ import annotations

from recipes.audio.recordings import RATE, VOICES, read_recording, resampled

__all__ = ["RATE", "VOICES", "read_recording", "resampled"]
