"""Files of pieces: the tests measure their content."""

import hashlib
import io
import itertools
import math
import os
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.io import wavfile

from recipes.music import notation, roll, sound, voice
from recipes.music.piece import assign_voices, from_frames
from recipes.music.read import read_score
from recipes.music.write import write_abc, write_frames
from zoo import ZooError

for library in ("music21", "pretty_midi", "mido"):
    pytest.importorskip(library)

# Old releases of matplotlib call what pyparsing deprecates.
WARNINGS = ("-W", "error", "-W", "ignore::DeprecationWarning")

# No note is an octave, a twelfth or two octaves above another: overtones are not taken for notes.
CHORALE = [(43, 54, 63, 70), (45, 54, 63, 70), (45, 55, 63, 70), (50, 57, 66, 73)]
JIG = """X:1
T:Haste to the Test
M:6/8
L:1/8
Q:3/8=100
K:Edor
d|:"Em"E2B GFE|[Ac]2d {g}(3fed c|E2B GFE|G3 z2:|
"""


def notes(*arguments, **options):
    piece = from_frames(*arguments, **options)
    return [(note.start, note.end, note.pitch, note.voice) for note in piece.notes]


def test_a_repeated_note_is_held_within_a_beat_and_repeated_on_each():
    frames = [(60,)] * 5 + [(62,), (62,), ()]
    assert notes(frames, quarter_length=0.5) == [
        (0.0, 1.0, 60, 0),
        (1.0, 2.0, 60, 0),
        (2.0, 2.5, 60, 0),
        (2.5, 3.0, 62, 0),
        (3.0, 3.5, 62, 0),
    ]
    held = [(0.0, 2.5, 60, 0), (2.5, 3.5, 62, 0)]
    assert notes(frames, quarter_length=0.5, strike=math.inf) == held
    assert len(notes(frames, quarter_length=0.5, strike=0.5)) == 7
    # Thirds of a quarter note do not add up exactly, and are held all the same.
    thirds = notes([(60,)] * 30, quarter_length=1 / 3)
    assert [start for start, *_ in thirds] == pytest.approx(range(10))


def test_voices_by_hand():
    assert assign_voices([(43, 55, 64, 72)]) == [(72, 64, 55, 43)]
    # Alto and tenor meet: every other unison would move a voice further.
    assert assign_voices([(43, 55, 64, 72), (43, 60, 72)])[1] == (72, 60, 60, 43)
    assert assign_voices([(43, 55, 64, 72), (42, 56, 70)])[1] in {
        (70, 70, 56, 42),
        (70, 56, 56, 42),
    }
    assert assign_voices([(60,), ()], 4) == [(60,) * 4, (None,) * 4]
    # More than four voices rest instead: who sang goes on.
    frames = [(40, 50, 60, 70, 80), (51, 71), (41, 51)]
    assert assign_voices(frames)[1:] == [(None, 71, None, 51, None), (None, None, None, 51, 41)]
    assert assign_voices([]) == []


def test_voices_move_least():
    """Against all ways to give the notes to the voices."""
    draw = np.random.default_rng(0)
    for unison, voices in itertools.product((True, False), (2, 3, 4, 5, 6)):
        if unison != (voices <= 4):
            continue
        for _ in range(20):
            first = sorted(draw.choice(range(40, 80), voices, replace=False).tolist())
            count = draw.integers(1, voices)
            second = sorted(draw.choice(range(40, 80), count, replace=False).tolist())
            before, after = assign_voices([first, second])
            assert [pitch for pitch, _ in itertools.groupby(p for p in after if p)] == second[::-1]
            options = itertools.product(second if unison else [None, *second], repeat=voices)
            costs = [
                sum(abs(new - old) for new, old in zip(option, before, strict=True) if new)
                for option in options
                if [p for p, _ in itertools.groupby(p for p in option if p)] == second[::-1]
                and (unison or sum(p is not None for p in option) == count)
            ]
            moved = sum(abs(new - old) for new, old in zip(after, before, strict=True) if new)
            assert moved == min(costs)


@pytest.mark.parametrize("ending", ["mid", "musicxml"])
@pytest.mark.parametrize("quarter_length", [1.0, 0.25, 1 / 3, 4.0])
def test_frames_come_back_as_they_were_written(tmp_path, quarter_length, ending):
    draw = np.random.default_rng(2)
    frames = [
        tuple(sorted(draw.choice(range(40, 80), draw.integers(5), replace=False).tolist()))
        for _ in range(20)
    ]
    frames += [frames[0]] * 3 + [(21, 108), (21, 22, 23, 107, 108)]
    frames = list(itertools.dropwhile(lambda frame: not frame, frames))
    for strike in (1.0, math.inf):
        piece = from_frames(frames, quarter_length=quarter_length, strike=strike)
        content = sound.midi(piece) if ending == "mid" else notation.musicxml(notation.score(piece))
        (tmp_path / f"piece.{ending}").write_bytes(content)
        assert read_score(tmp_path / f"piece.{ending}", quarter_length) == frames


def test_the_files_and_nothing_else(tmp_path):
    paths = write_frames(CHORALE, tmp_path / "new" / "chorale.1", quarter_length=1.0)
    names = [
        "chorale.1.mid",
        "chorale.1.musicxml",
        "chorale.1.wav",
        "chorale.1.png",
        "chorale.1.svg",
    ]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)


def test_midi_holds_voices_tempo_and_key(tmp_path):
    import mido
    import pretty_midi

    write_frames(CHORALE, tmp_path / "x", quarter_length=1.0, key="Bb minor", bpm=90, beats=3)
    music = pretty_midi.PrettyMIDI(str(tmp_path / "x.mid"))
    assert [track.name for track in music.instruments] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert [note.pitch for note in music.instruments[3].notes] == [43, 45, 45, 50]
    assert music.get_tempo_changes()[1] == pytest.approx([90], abs=1e-3)
    assert music.get_end_time() == pytest.approx(4 * 60 / 90, abs=1e-3)
    (signature,) = music.time_signature_changes
    assert (signature.numerator, signature.denominator) == (3, 4)
    messages = itertools.chain(*mido.MidiFile(tmp_path / "x.mid").tracks)
    assert [each.key for each in messages if each.type == "key_signature"] == ["Bbm"]


def test_musicxml_holds_voices_and_bars(tmp_path):
    write_frames([*CHORALE, ()] * 2, tmp_path / "x", quarter_length=1.0, key="Bb major", bpm=90)
    score = ElementTree.parse(tmp_path / "x.musicxml").getroot()
    names = [name.text for name in score.iterfind("part-list/score-part/part-name")]
    assert names == ["Soprano", "Alto", "Tenor", "Bass"]
    assert [len(part.findall("measure")) for part in score.iterfind("part")] == [3] * 4
    assert score.find(".//fifths").text == "-2"
    assert score.find(".//sound").get("tempo") == "90"
    assert [clef.text for clef in score.iterfind(".//clef/sign")] == ["G", "G", "F", "F"]
    spelt = {
        (note.findtext("pitch/step"), int(note.findtext("pitch/alter") or 0))
        for note in score.iterfind(".//note")
        if note.find("pitch") is not None
    }
    assert spelt == {*((step, 0) for step in "GAD"), *((step, -1) for step in "GEBD")}
    text = (tmp_path / "x.musicxml").read_text()
    for default in ("encoding-date", "Music21<", "Fragment"):
        assert default not in text


def samples(path):
    rate, data = wavfile.read(path)
    assert data.dtype == np.int16
    assert data.ndim == 1
    return rate, data / np.iinfo(np.int16).max


def level(wave):
    """Returns the root mean square in dB of full scale."""
    return 20 * np.log10(np.sqrt(np.mean(np.square(wave))) + 1e-9)


def test_audio_is_as_long_and_as_loud_as_it_should_be(tmp_path):
    write_frames([*CHORALE, ()], tmp_path / "x", quarter_length=1.0, bpm=80)
    rate, wave = samples(tmp_path / "x.wav")
    assert len(wave) / rate == pytest.approx(5 * 0.75 + voice.TAIL, abs=0.01)
    assert -1.01 < 20 * np.log10(np.abs(wave).max()) <= -1
    frames = [wave[int(rate * 0.75 * i) : int(rate * 0.75 * (i + 1))] for i in range(5)]
    assert all(-22 < level(frame) < -8 for frame in frames[:4])
    # In the rest the strings are damped, and the room fades.
    assert level(frames[4][rate // 10 : rate // 5]) < -25
    assert np.abs(frames[4][int(0.6 * rate) :]).max() == 0


def test_nothing_clicks(tmp_path):
    write_frames(CHORALE * 2, tmp_path / "x", quarter_length=1.0, bpm=60)
    rate, wave = samples(tmp_path / "x.wav")
    assert wave[0] == wave[-1] == 0
    assert np.abs(wave[:20]).max() < 0.02  # the first millisecond
    assert np.abs(wave[-20:]).max() < 0.001
    assert np.abs(np.diff(wave)).max() < 0.5
    # A jump would have energy at all frequencies; partials end at 10 kHz.
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    frequencies = np.fft.rfftfreq(len(wave), 1 / rate)
    assert spectrum[frequencies > 10_500].sum() < 1e-5 * spectrum.sum()
    # A note that is cut off in full sound fades within a tenth of a second, and not at once.
    write_frames([(48,), ()], tmp_path / "y", quarter_length=1.0, bpm=60)
    _, wave = samples(tmp_path / "y.wav")
    before, after, end = (wave[int(t * rate) :][:500] for t in (0.97, 1.005, 1.15))
    assert level(before) - 6 < level(after) < level(before) + 1
    assert level(end) < level(before) - 12


@pytest.mark.parametrize("pitch", [36, 48, 60, 72, 84])
def test_a_tone_is_struck_and_has_overtones(pitch):
    wave = sound.audio(from_frames([(pitch,)], quarter_length=2.0, bpm=60)) / 32767
    rate = voice.RATE
    window = max(round(rate * 0.002), round(rate / (440 * 2 ** ((pitch - 69) / 12))))
    envelope = np.array([np.abs(wave[i : i + window]).max() for i in range(rate // 4)])
    low, high = (np.argmax(envelope > part * envelope.max()) / rate for part in (0.1, 0.9))
    assert 0 <= high - low < 0.03  # seconds of attack
    assert envelope[: rate // 1000].max() < 1.0
    assert level(wave[: rate // 2]) > level(wave[rate : 3 * rate // 2]) + 0.5  # it fades
    spectrum = np.abs(np.fft.rfft(wave)) ** 2
    frequencies = np.fft.rfftfreq(len(wave), 1 / rate)
    first = 440 * 2 ** ((pitch - 69) / 12)
    centroid = (spectrum * frequencies).sum() / spectrum.sum()
    assert 1.5 * first < centroid < 6 * first
    loudest = frequencies[spectrum.argmax()] / first
    assert abs(loudest - round(loudest)) < 0.03


def test_a_chorale_is_no_beep(tmp_path):
    """It was one of sines: a centroid of 370 Hz, and less than 0.1 % of energy above 2 kHz."""
    wave = sound.audio(from_frames(CHORALE * 4, quarter_length=1.0, bpm=80)) / 32767
    spectrum = np.abs(np.fft.rfft(wave)) ** 2
    frequencies = np.fft.rfftfreq(len(wave), 1 / voice.RATE)
    assert 600 < (spectrum * frequencies).sum() / spectrum.sum() < 1500
    assert spectrum[frequencies > 2000].sum() > 0.03 * spectrum.sum()


FLUIDSYNTH = """#!{python}
import sys
import numpy as np
from scipy.io import wavfile
rate, out, font, score = (sys.argv[index] for index in (3, 5, 6, 7))
if open(font, "rb").read(4) != b"sfbk":
    sys.exit("parameter 'font' is not a SoundFont")
assert open(score, "rb").read(4) == b"MThd"
tone = np.sin(np.arange(30000) / 10)
wavfile.write(out, int(rate), np.stack([tone, tone], 1).astype(np.float32))
"""


def test_a_soundfont_is_played_by_fluidsynth_where_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    font = tmp_path / "font.sf2"
    with pytest.raises(ZooError, match="fluidsynth, which is not installed"):
        write_frames(CHORALE, tmp_path / "x", quarter_length=1.0, soundfont=font)
    program = tmp_path / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text(FLUIDSYNTH.format(python=sys.executable))
    program.chmod(0o755)
    with pytest.raises(ZooError, match=r"There is no soundfont .*font\.sf2"):
        write_frames(CHORALE, tmp_path / "x", quarter_length=1.0, soundfont=font)
    font.write_bytes(b"nothing")
    with pytest.raises(ZooError, match=r"cannot play with .* is not a SoundFont"):
        write_abc(JIG, tmp_path / "x", soundfont=font)
    assert not list(tmp_path.glob("x.*"))
    font.write_bytes(b"sfbk")
    monkeypatch.setenv("ZOO_SOUNDFONT", str(font))
    write_frames(CHORALE, tmp_path / "x", quarter_length=1.0)
    rate, wave = samples(tmp_path / "x.wav")
    assert (rate, len(wave)) == (voice.RATE, 30_000)
    assert -1.01 < 20 * np.log10(np.abs(wave).max()) <= -1
    assert wave[0] == wave[-1] == 0


def detect_pitches(sound, rate):
    """The pitches of a chord: strong in its spectrum, and not an overtone of a lower one."""
    size = 1 << 17
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    pitches = []
    for pitch in range(21, 109):
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        center = round(frequency * size / rate)
        # A maximum within a third of a semitone of where it should be.
        near = max(2, round(center * 0.02))
        around = spectrum[center - 2 * near : center + 2 * near + 1]
        at_maximum = abs(int(around.argmax()) - 2 * near) <= near
        if at_maximum and around.max() > 0.15 * spectrum.max():
            pitches.append(pitch)
    overtones = (12, 19, 24, 28, 31, 34, 36, 38, 40)
    return tuple(p for p in pitches if not {p - each for each in overtones} & set(pitches))


def test_the_detected_pitches_are_the_notes(tmp_path):
    frames = [*CHORALE, (69,), (48, 53, 57, 71)]
    write_frames(frames, tmp_path / "x", quarter_length=1.0, bpm=60)
    rate, wave = samples(tmp_path / "x.wav")
    chords = [detect_pitches(wave[i * rate : (i + 1) * rate], rate) for i in range(len(frames))]
    assert chords == frames


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_piece_gives_the_same_bytes(tmp_path):
    code = (
        "import sys; from recipes.music.write import write_abc, write_frames;"
        f"write_frames({CHORALE!r}, sys.argv[1] + '/a', quarter_length=0.5, key='G major');"
        f"write_abc({JIG!r}, sys.argv[1] + '/b')"
    )
    results = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, *WARNINGS, "-c", code, str(folder)],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        results.append(digests(folder))
    assert len(results[0]) == 11
    assert results[0] == results[1]


def test_the_picture_shows_each_note_at_its_position(tmp_path, figures):
    frames = [*CHORALE, (60, 64, 67), *CHORALE]
    write_frames(frames, tmp_path / "x", quarter_length=1.0, key="Bb major")
    (axes,) = figures[0].axes
    (boxes,) = axes.collections
    extents = [path.get_extents() for path in boxes.get_paths()]
    assert sorted((box.x0, round((box.y0 + box.y1) / 2)) for box in extents) == sorted(
        (float(start), pitch)
        for start, frame in enumerate(frames)
        for pitch in (frame if len(frame) == 4 else (*frame, 60))  # one is sung in unison
    )
    # Of a unison the lower voice is the narrower stripe; both can be seen.
    heights = [box.y1 - box.y0 for box in extents if box.x0 == 4 and round(box.y0 + 0.5) == 60]
    assert sorted(heights) == pytest.approx([0.42, 0.84])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "3"]
    assert axes.get_xticks().tolist() == [0, 4, 8]
    names = dict(
        zip((t.get_text() for t in axes.get_yticklabels()), axes.get_yticks(), strict=True)
    )
    assert names["B♭3"] == 58
    assert "B3" not in names
    assert figures[0].get_suptitle() == "B♭ major, 80 quarter notes a minute"
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["Soprano", "Alto", "Tenor", "Bass"]
    picture = imread(tmp_path / "x.png")
    assert picture.shape[0] > 300
    assert picture[..., :3].std() > 0.05


def test_a_long_piece_is_drawn_in_rows_and_cut_where_it_says(tmp_path, figures):
    piece = from_frames([(60,), (64,)] * 500, quarter_length=1.0, bpm=120)
    (tmp_path / "x.png").write_bytes(roll.piano_roll(piece))
    assert len(figures[0].axes) == 12
    assert figures[0].get_suptitle() == "120 quarter notes a minute, bars 1 to 192 of 250"
    assert max(imread(tmp_path / "x.png").shape) < 8000


def test_abc_is_played_with_its_repeats(tmp_path):
    paths = write_abc(JIG, tmp_path / "jig")
    assert [path.suffix for path in paths] == [".abc", ".mid", ".musicxml", ".wav", ".png", ".svg"]
    assert (tmp_path / "jig.abc").read_text() == JIG
    first = [(64,), (64,), (71,), (67,), (66,), (64,)]
    played = read_score(tmp_path / "jig.mid", 0.5)
    # The upbeat, then twice four bars of which the last lacks an eighth and ends in a rest.
    assert played[0] == (74,)
    assert played[1:7] == played[13:19] == first
    assert played[7:10] == [(69, 73), (69, 73), (74,)]  # no chord symbol sounds
    assert played[10] == (79,)  # the grace note
    assert played[24:30] == first
    once = read_score(tmp_path / "jig.musicxml", 0.5)
    assert once == [*played[:10], (78,), *played[11 : len(once)]]
    assert len(once) == 1 + 3 * 6 + 3
    rate, wave = samples(tmp_path / "jig.wav")
    seconds = (1 + 2 * 23) / 2 * 60 / 150  # Q: is 150
    assert len(wave) / rate == pytest.approx(seconds + voice.TAIL, abs=0.01)


def test_the_picture_of_a_tune(tmp_path, figures):
    write_abc(JIG, tmp_path / "jig")
    (axes,) = figures[0].axes
    assert figures[0].get_suptitle() == "Haste to the Test, E dorian, 150 quarter notes a minute"
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert labels == ["", *map(str, range(1, 9))]  # the upbeat has no number
    assert not figures[0].legends


@pytest.mark.parametrize(
    ("abc", "message"),
    [
        ("", "not an ABC tune"),
        ("no tune at all, is it?", "not an ABC tune"),
        ("X:1\nK:G\n", "no note"),
        ("X:1\nM:4/4\nL:1/8\nK:G\nz8|z8|]\n", "no note"),
        ("X:1\nM:4/4\nL:1/0\nK:G\nABcd|\n", "not an ABC tune"),
        ("X:1\nM:fast\nL:1/8\nK:G\nABcd|\n", "not an ABC tune"),
        ("X:1\nM:4/4\nL:1/8\nK:G\nABcd|\n\nX:2\nM:4/4\nL:1/8\nK:D\nABcd|\n", "several tunes"),
        ("X:1\nM:4/4\nL:1/8\nK:G\nA,,,,,,,Bcd|\n", "A-3 of the ABC tune is not on a piano"),
        ("X:1\nM:4/4\nL:1/8\nK:G\na'''''Bcd|\n", "note A10 of the ABC tune"),
        ("X:1\nM:4/4\nL:1/8\nK:G\nA99999|\n", "lasts"),
    ],
)
def test_invalid_abc_gives_one_line(tmp_path, capfd, abc, message):
    with pytest.raises(ZooError, match=message) as caught:
        write_abc(abc, tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_repeats_that_do_not_pair_up_are_played_once(tmp_path, capfd):
    write_abc("X:1\nM:2/4\nL:1/8\nK:G\nABcd|1 efga:|2 gfed|:", tmp_path / "x")
    assert read_score(tmp_path / "x.mid", 0.5)[:4] == [(69,), (71,), (72,), (74,)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ([], {}, "no note"),
        ([(), ()], {}, "no note"),
        ([(60,), (20,)], {}, "Frame 2 has the note 20, which is not on a piano"),
        ([(60,)], {"quarter_length": 0.0}, "quarter_length is 0"),
        ([(60,)], {"bpm": math.nan}, "bpm is nan"),
        ([(60,)], {"beats": 0}, "beats is 0"),
        ([(60,)], {"key": "H major"}, "not a key"),
        ([(60,)] * 100_000, {}, "lasts 1,250 minutes .* the maximum is 15"),
    ],
)
def test_invalid_input_gives_an_error_and_no_file(tmp_path, frames, options, message):
    with pytest.raises(ZooError, match=message) as caught:
        write_frames(frames, tmp_path / "x", **{"quarter_length": 1.0, **options})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match="Cannot write"):
        write_frames(CHORALE, tmp_path / "file" / "x", quarter_length=1.0)


@pytest.mark.parametrize("library", ["music21", "pretty_midi"])
def test_a_missing_library_is_named_with_what_installs_it(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    for write in (
        lambda: write_frames(CHORALE, tmp_path / "x", quarter_length=1.0),
        lambda: write_abc(JIG, tmp_path / "x"),
    ):
        with pytest.raises(ZooError, match=rf"needs {library} .*pip install '\.\[music\]'"):
            write()
    assert not list(tmp_path.iterdir())


def test_numpy_numbers_are_accepted(tmp_path):
    frames = [np.array(frame, np.int32) for frame in CHORALE]
    write_frames(frames, tmp_path / "x", quarter_length=1.0)
    assert read_score(tmp_path / "x.mid", 1.0) == CHORALE


def test_a_file_is_a_standard_midi_file(tmp_path):
    write_frames(CHORALE, tmp_path / "x", quarter_length=1.0)
    data = io.BytesIO((tmp_path / "x.mid").read_bytes())
    assert data.read(14) == b"MThd\0\0\0\6\0\1\0\5\1\xe0"  # format 1, five tracks, 480 ticks


def test_the_picture_of_a_piece_with_an_upbeat_counts_bars_and_beats_from_its_end(
    tmp_path, figures
):
    write_frames([(60,), (64,)] * 5, tmp_path / "x", quarter_length=1.0, beats=3, upbeat=1.0)
    (axes,) = figures[0].axes
    assert axes.get_xticks().tolist() == [0, 1, 4, 7]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["", "1", "2", "3"]
    assert axes.get_xticks(minor=True).tolist() == [2, 3, 5, 6, 8, 9]


def test_beats_of_compound_metres_have_three_notes(tmp_path, figures):
    jig = JIG.replace("d|:", "|:").replace("G3 z2", "G3 G3")
    write_abc(jig, tmp_path / "x")
    (axes,) = figures[0].axes
    assert axes.get_xticks(minor=True).tolist()[:3] == [1.5, 4.5, 7.5]
