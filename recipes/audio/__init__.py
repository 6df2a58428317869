"""Audio: reading recordings, log-mel features in the graph, concatenation and augmentation."""

from __future__ import annotations

from recipes.audio.recordings import RATE, VOICES, read_recording, resampled

__all__ = ["RATE", "VOICES", "read_recording", "resampled"]
