"""Options of `zoo generate` that all recipes of music have."""

from zoo.recipe import Option

SOUNDFONT = Option("soundfont", "Play the WAV by fluidsynth with this SF2 or SF3 file.", "FILE")
