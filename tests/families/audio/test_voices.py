"""The voices that come with the package, as the packed networks hear them."""

import wave

import numpy as np

import zoo
from recipes.audio import VOICES, read_recording

SAID = {"7_jackson_0.wav": "7", "314_jackson.wav": "3 1 4"}


def test_a_constant_changes_no_answer_of_the_packed_networks():
    writer, classifier = zoo.load("digits-ctc"), zoo.load("digits-gru")
    for offset in np.float32([0.0, -0.2]):
        for name, text in SAID.items():
            sound = read_recording(VOICES[name]) + offset
            assert writer.predict([sound])[0]["text"] == text
        sound = read_recording(VOICES["7_jackson_0.wav"]) + offset
        assert classifier.predict([sound])[0]["label"] == "7"


def test_a_voice_is_named_without_a_path_and_where_it_comes_from_is_said(cli, tmp_path):
    assert SAID.keys() == VOICES.keys()
    result = cli("predict", "digits-ctc", "314_jackson.wav")
    assert result.out.split()[1:] == ["3", "1", "4", "314_jackson.wav"]
    assert "314_jackson.wav comes with this package: a recording of FSDD, CC BY-SA" in result.err
    with wave.open(str(tmp_path / "7_jackson_0.wav"), "wb") as file:  # a file of that name is read
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    result = cli("predict", "digits-gru", "7_jackson_0.wav")
    assert result.out.split()[0] == "(silence)"
    assert "comes with" not in result.err


def test_the_licence_of_the_voices_lies_beside_them():
    text = VOICES["7_jackson_0.wav"].with_name("README.md").read_text(encoding="utf-8")
    assert "Attribution-ShareAlike 4.0" in text
    assert all(name in text for name in VOICES)
