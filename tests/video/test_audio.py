"""Sound: chirps at known times come back there, whatever the codec, the container, the cut and the damage."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from vcut.video.audio import Sound
from vcut.video.formats import FORMATS

RATE = 48_000
# A format for each container, by suffix.
VIDEO = {FORMATS[name].suffix: FORMATS[name] for name in ("prores", "overlay", "webm", "ffv1")}


def chirp(rate: int) -> np.ndarray:
    """50 ms that rise from 500 to 4000 Hz: found again to the sample by correlation."""
    time = np.arange(rate // 20) / rate
    return 0.6 * np.sin(2 * np.pi * (500 * time + 35_000 * time**2)) * np.hanning(len(time))


def tone(seconds: float, at: Sequence[float], rate: int = RATE, hum: float = 0.0) -> np.ndarray:
    """float32 samples: chirps that begin at given times, over a hum."""
    samples = hum * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)
    one = chirp(rate)
    for start in at:
        first = round(start * rate)
        room = samples[first : first + len(one)]
        room += one[: len(room)]
    return samples.astype(np.float32)


@dataclass
class Track:
    """A sound track to make: its samples begin at ``start`` seconds."""

    codec: str
    samples: np.ndarray
    rate: int = RATE
    layout: str = "stereo"
    start: float = 0.0
    language: str = ""
    title: str = ""
    options: dict[str, str] | None = None


def make(path: Path, *tracks: Track, seconds: float = 2.0, start: float = 0.0, container: str | None = None) -> Path:
    """Write a clip of 25 frames a second whose pictures begin at ``start``."""
    with av.open(str(path), "w", format=container) as out:
        video = out.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 25)
        streams = []
        for track in tracks:
            stream = out.add_stream(track.codec, rate=track.rate, options=track.options or {})
            stream.layout = track.layout
            stream.metadata.update({"language": track.language, "title": track.title})
            streams.append(stream)
        packets = []
        for index in range(round(seconds * 25)):
            picture = np.full((48, 64, 3), 5 * index % 255, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index + round(start * 25), Fraction(1, 25)
            packets += video.encode(frame)
        packets += video.encode()
        for track, stream in zip(tracks, streams, strict=True):
            channels = av.AudioLayout(track.layout).nb_channels
            for first in range(0, len(track.samples), 1000):
                block = np.tile(track.samples[first : first + 1000], (channels, 1))
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=track.layout)
                frame.sample_rate, frame.time_base = track.rate, Fraction(1, track.rate)
                frame.pts = first + round(track.start * track.rate)
                packets += stream.encode(frame)
            packets += stream.encode()
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path


def carry(
    source: Path, out: Path, begin: Fraction | None = None, end: Fraction | None = None, *, end_known: bool = False
) -> Sound:
    """A coloured video in the time stamps of the source's, with its sound, as VideoWriter makes it; the used Sound."""
    fmt = VIDEO[out.suffix]
    with (
        av.open(str(source)) as clip,
        Sound(source, end if end_known else None) as sound,
        av.open(str(out), "w", container_options=dict(fmt.container_options)) as container,
    ):
        video = clip.streams.video[0]
        stream = container.add_stream(fmt.codec, rate=25, options=dict(fmt.options))
        stream.width, stream.height, stream.pix_fmt = 64, 48, fmt.pixel_format
        stream.codec_context.time_base = video.time_base
        sound.attach(container)

        def mux(packets: Sequence[av.Packet]) -> None:
            for packet in packets:
                sound.advance(packet.pts * packet.time_base)
                container.mux(packet)

        first, last = None, Fraction(0)
        for picture in clip.decode(video):
            time = picture.pts * video.time_base
            if (begin is not None and time < begin) or (end is not None and time >= end):
                continue
            if first is None:
                first = picture.pts
                sound.begin(time)
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 4), 99, np.uint8), format="rgba")
            frame = frame.reformat(format=fmt.pixel_format)
            frame.pts, frame.time_base = picture.pts - first, video.time_base
            last = frame.pts * frame.time_base + Fraction(1, 25)
            mux(stream.encode(frame))
        mux(stream.encode())
        sound.finish(None if end is None or end_known else last)
    return sound


@dataclass
class Heard:
    """What a reader hears in a track: samples from time 0 on, and where its first one was."""

    samples: np.ndarray
    rate: int
    first: float

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def chirps(self, number: int) -> list[float]:
        """The times of the loudest chirps, in order."""
        one = chirp(self.rate)
        size = 2 * (len(self.samples) + len(one))
        spectrum = np.fft.rfft(self.samples, size) * np.conj(np.fft.rfft(one, size))
        likeness = np.abs(np.fft.irfft(spectrum, size)[: len(self.samples)]) / (one @ one)
        found = []
        for _ in range(number):
            place = int(likeness.argmax())
            if likeness[place] > 0.4:
                found.append(place / self.rate)
            likeness[max(0, place - self.rate // 20) : place + self.rate // 20] = 0
        return sorted(found)


def by_pyav(path: Path, track: int = 0) -> Heard:
    """Decoded by PyAV, each frame where its time stamp says; what overlaps by rounding is laid end to end."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        rate = stream.codec_context.sample_rate
        scale = {"s16": 2**15, "s32": 2**31}
        samples, first = np.zeros(0, np.float32), None
        for frame in container.decode(stream):
            values = frame.to_ndarray().astype(np.float32)
            if frame.format.is_packed:
                values = values.reshape(-1, frame.layout.nb_channels).T
            values = values[0] / scale.get(frame.format.name.removesuffix("p"), 1)
            at = round(frame.pts * frame.time_base * rate)
            if first is None:
                first = at
                samples = np.zeros(max(0, at), np.float32)
                values = values[max(0, -at) :]
            elif at - len(samples) > rate / 200:
                samples = np.pad(samples, (0, at - len(samples)))
            samples = np.concatenate([samples, values])
        return Heard(samples, rate, (first or 0) / rate)


def by_ffmpeg(path: Path, track: int = 0, rate: int = RATE) -> Heard:
    """Decoded by the ffmpeg binary, on one clock with the pictures."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-map", f"0:a:{track}"]
    command += ["-af", "pan=mono|c0=c0,aresample=async=1:first_pts=0", "-ar", str(rate), "-f", "f32le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return Heard(np.frombuffer(raw, np.float32), rate, 0.0)


READERS = [by_pyav, by_ffmpeg]


def video_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def codec_of(path: Path, track: int = 0) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[track].codec_context.codec.canonical_name


EXPERIMENTAL = {"strict": "experimental"}
# Encoder, file: and what becomes of it in .mov, .mp4, .webm, .mkv.
SOURCES = [
    ("aac", "clip.mp4", ["aac", "aac", "opus", "aac"]),
    ("aac", "clip.mkv", ["aac", "aac", "opus", "aac"]),
    ("aac", "clip.ts", ["aac", "aac", "opus", "aac"]),
    ("libmp3lame", "clip.mp4", ["mp3", "mp3", "opus", "mp3"]),
    ("pcm_s16le", "clip.mov", ["pcm_s16le", "aac", "opus", "pcm_s16le"]),
    ("pcm_s16le", "clip.avi", ["pcm_s16le", "aac", "opus", "pcm_s16le"]),
    ("libopus", "clip.webm", ["pcm_s16le", "aac", "opus", "opus"]),
    ("vorbis", "clip.webm", ["pcm_s16le", "aac", "vorbis", "vorbis"]),
    ("flac", "clip.mkv", ["pcm_s16le", "aac", "opus", "flac"]),
    ("ac3", "clip.mkv", ["ac3", "ac3", "opus", "ac3"]),
    ("alac", "clip.mov", ["alac", "alac", "opus", "alac"]),
    ("mp2", "clip.ts", ["pcm_s16le", "aac", "opus", "mp2"]),
]
CASES = [
    pytest.param(codec, name, suffix, became, id=f"{codec}-{name[5:]}-{suffix[1:]}")
    for codec, name, results in SOURCES
    for suffix, became in zip(VIDEO, results, strict=True)
]
# Copied packets keep their place within the time stamps of source and result: a millisecond in Matroska.
STEP = 0.0011
# Longest packet of a codec: so much later copied sound may begin and end.
PACKET = {"flac": 0.097, "alac": 0.086, "ac3": 0.033}


@pytest.mark.parametrize(("codec", "name", "suffix", "became"), CASES)
def test_chirps_stay_in_step_whole_and_cut(tmp_path: Path, codec: str, name: str, suffix: str, became: str) -> None:
    options = EXPERIMENTAL if codec == "vorbis" else None
    source = make(tmp_path / name, Track(codec, tone(2, [0.5, 1.2]), options=options))
    pictures = video_times(source)
    truth = [time - float(pictures[0]) for time in by_ffmpeg(source).chirps(2)]
    out = tmp_path / f"out{suffix}"

    sound = carry(source, out)
    assert codec_of(out) == became
    assert sound.warnings == []
    assert bool(sound.notices) == (codec.removeprefix("lib") not in became and became != "mp3")
    assert video_times(out)[0] == 0
    for reader in READERS:
        heard = reader(out)
        assert heard.chirps(2) == pytest.approx(truth, abs=STEP)
        assert heard.seconds == pytest.approx(2, abs=0.045)

    begin, end = pictures[6], pictures[35]
    carry(source, out, begin, end)
    assert len(video_times(out)) == 29
    assert video_times(out)[0] == 0
    late = PACKET.get(became, 0.027)
    for reader in READERS:
        heard = reader(out)
        assert heard.chirps(2) == pytest.approx([time - float(begin - pictures[0]) for time in truth], abs=STEP)
        assert 0 <= heard.first <= late
        assert float(end - begin) - STEP <= heard.seconds <= float(end - begin) + late


@pytest.mark.parametrize("suffix", VIDEO)
@pytest.mark.parametrize("codec", ["aac", "flac"])
@pytest.mark.parametrize(
    ("start", "length", "pictures"),
    [(0.4, 1.2, 0.0), (0.0, 1.7, 0.6), (0.0, 3.5, 0.0), (5.3, 1.0, 5.0)],
    ids=["late", "early", "long", "both-late"],
)
def test_sound_that_begins_and_ends_elsewhere_than_the_pictures(
    tmp_path: Path, suffix: str, codec: str, start: float, length: float, pictures: float
) -> None:
    source = make(tmp_path / "clip.mkv", Track(codec, tone(length, [0.8]), start=start), start=pictures)
    out = tmp_path / f"out{suffix}"
    carry(source, out)
    assert video_times(out)[0] == 0
    assert len(video_times(out)) == 50
    for reader in READERS:
        heard = reader(out)
        assert heard.chirps(1) == pytest.approx([start + 0.8 - pictures], abs=0.0015)
        assert heard.seconds == pytest.approx(start + length - pictures, abs=0.1)


@pytest.mark.parametrize("end_known", [True, False], ids=["by-time", "by-frame"])
@pytest.mark.parametrize("suffix", VIDEO)
def test_cut_to_the_sample(tmp_path: Path, suffix: str, end_known: bool) -> None:
    """Converted sound and PCM begin at the sample: a hum that would show is there up to the cut and not beyond."""
    source = make(tmp_path / "clip.mov", Track("pcm_s16le", tone(2, [], hum=0.5)))
    out = tmp_path / f"out{suffix}"
    carry(source, out, Fraction(20, 100), Fraction(120, 100), end_known=end_known)
    heard = by_ffmpeg(out)
    assert len(heard.samples) == RATE
    assert np.abs(heard.samples[-480:]).max() > 0.3
    expected = tone(2, [], hum=0.5)[round(0.2 * RATE) :][:RATE]
    error = np.abs(heard.samples - expected)[480:-480]
    assert error.max() < (0.001 if suffix in (".mov", ".mkv") else 0.1)


def test_copied_mov_sound_is_cut_at_the_sample_by_an_edit(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Track("aac", tone(2, [], hum=0.5)))
    out = tmp_path / "out.mov"
    carry(source, out, Fraction(52, 100))
    expected = tone(2, [], hum=0.5)[round(0.52 * RATE) :]
    for reader in READERS:
        heard = reader(out)
        assert heard.first == 0
        assert np.abs(heard.samples[: RATE // 2] - expected[: RATE // 2]).max() < 0.05


@pytest.mark.parametrize(("codec", "sample_bits"), [("flac", 16), ("pcm_s24le", 24)])
def test_lossless_sound_stays_lossless_in_a_master(tmp_path: Path, codec: str, sample_bits: int) -> None:
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, RATE).astype(np.float32)
    source = make(tmp_path / "clip.mkv", Track(codec, samples), seconds=1)
    for suffix in (".mov", ".mkv"):
        out = tmp_path / f"out{suffix}"
        carry(source, out)
        before, after = by_pyav(source).samples, by_pyav(out).samples
        assert np.array_equal(before, after)
        assert np.unique(after).size > (2**sample_bits if sample_bits < 16 else 30_000)


def test_deep_flac_becomes_deep_pcm(tmp_path: Path) -> None:
    samples = np.random.default_rng(2).uniform(-0.9, 0.9, RATE).astype(np.float32)
    deep = make(tmp_path / "deep.mkv", Track("pcm_s24le", samples), seconds=1)
    source = tmp_path / "clip.mkv"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(deep), "-c:v", "copy", "-c:a", "flac"]
    subprocess.run([*command, str(source)], check=True)
    out = tmp_path / "out.mov"
    carry(source, out)
    assert codec_of(out) == "pcm_s24le"
    assert np.array_equal(by_pyav(deep).samples, by_pyav(out).samples)


@pytest.mark.parametrize(("rate", "layout"), [(44_100, "stereo"), (8_000, "mono"), (48_000, "5.1(side)")])
@pytest.mark.parametrize("suffix", VIDEO)
def test_rates_and_layouts(tmp_path: Path, suffix: str, rate: int, layout: str) -> None:
    source = make(tmp_path / "clip.mkv", Track("flac", tone(2, [0.5, 1.2], rate), rate, layout))
    out = tmp_path / f"out{suffix}"
    carry(source, out, Fraction(20, 100))
    with av.open(str(out)) as container:
        context = container.streams.audio[0].codec_context
        assert context.layout.nb_channels == av.AudioLayout(layout).nb_channels
        assert context.sample_rate == (48_000 if suffix == ".webm" else rate)
    for reader in READERS:
        assert reader(out).chirps(2) == pytest.approx([0.3, 1.0], abs=0.002)


@pytest.mark.parametrize("suffix", VIDEO)
def test_all_tracks_with_their_languages_and_titles(tmp_path: Path, suffix: str) -> None:
    source = make(
        tmp_path / "clip.mkv",
        Track("aac", tone(2, [0.5]), language="ger", title="Ton"),
        Track("ac3", tone(2, [0.9]), language="fre", title="Bruit"),
    )
    with av.open(str(source)) as clip:
        given = [stream.disposition for stream in clip.streams.audio]
    out = tmp_path / f"out{suffix}"
    carry(source, out)
    for reader in READERS:
        assert reader(out, 0).chirps(1) == pytest.approx([0.5], abs=STEP)
        assert reader(out, 1).chirps(1) == pytest.approx([0.9], abs=STEP)
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio"]
        languages = [stream.metadata.get("language") for stream in container.streams.audio]
        names = [stream.metadata.get("title") or stream.metadata.get("name") for stream in container.streams.audio]
        assert names == ["Ton", "Bruit"]
        assert languages == ["ger", "fre"] or suffix == ".mov"  # QuickTime has its own list of languages
        if suffix == ".mkv":
            assert [stream.disposition for stream in container.streams.audio] == given


def test_sound_lies_beside_its_pictures_in_the_file(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Track("aac", tone(6, [0.5])), seconds=6)
    for suffix in VIDEO:
        out = tmp_path / f"out{suffix}"
        carry(source, out)
        ahead = {"video": Fraction(0), "audio": Fraction(0)}
        with av.open(str(out)) as container:
            packets = [(p.pos, p.stream.type, p.pts * p.time_base) for p in container.demux() if p.size]
        for _, kind, time in sorted(packets):
            ahead[kind] = time
            assert abs(ahead["video"] - ahead["audio"]) < 1.1


def test_a_pause_of_the_sound_stays_as_long(tmp_path: Path) -> None:
    """Two takes in one Matroska track, with half a second of no packets between."""
    source = tmp_path / "clip.mkv"
    make(source, Track("pcm_s16le", tone(1, [0.5])), seconds=3)
    paused = tmp_path / "paused.mkv"
    with av.open(str(source)) as clip, av.open(str(paused), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in clip.streams}
        for packet in list(clip.demux()):
            if not packet.size:
                continue
            if packet.stream.type == "audio" and packet.pts >= 400:
                packet.pts = packet.dts = packet.pts + 500
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    for suffix in VIDEO:
        out = tmp_path / f"out{suffix}"
        carry(paused, out)
        for reader in READERS:
            heard = reader(out)
            assert heard.chirps(1) == pytest.approx([1.0], abs=0.0015)
            assert np.abs(heard.samples[round(0.45 * heard.rate) : round(0.85 * heard.rate)]).max() < 0.01


def spoil(path: Path, first: float, last: float) -> int:
    """Overwrite the sound packets of a time span with noise; how many."""
    with av.open(str(path)) as clip:
        stream = clip.streams.audio[0]
        hit = [(p.pos, p.size) for p in clip.demux(stream) if p.size and first <= p.pts * p.time_base < last]
    noise = np.random.default_rng(0)
    with path.open("r+b") as file:
        for position, size in hit:
            file.seek(position)
            file.write(noise.integers(0, 256, size, np.uint8).tobytes())
    return len(hit)


@pytest.mark.parametrize("suffix", VIDEO)
def test_damaged_packets_cost_no_more_than_themselves(tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / "clip.mp4", Track("aac", tone(3, [0.5, 2.5], hum=0.05)), seconds=3)
    assert spoil(source, 1.0, 1.5) > 20
    out = tmp_path / f"out{suffix}"
    sound = carry(source, out)
    assert len(video_times(out)) == 75
    if suffix == ".webm":
        (line,) = sound.warnings
        assert line.startswith("the sound of clip.mp4 is damaged: ")
        heard = by_pyav(out)
        quiet = heard.samples[: round(0.9 * heard.rate)], heard.samples[round(1.6 * heard.rate) :]
        for part, time in zip(quiet, (0.5, 0.9), strict=True):
            assert Heard(part, heard.rate, 0).chirps(1) == pytest.approx([time], abs=STEP)
    else:
        assert codec_of(out) == "aac"  # carried as it is


def test_a_file_that_is_cut_off_keeps_the_sound_up_to_there(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Track("flac", tone(4, [0.5], hum=0.3)), seconds=4)
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    for suffix in VIDEO:
        out = tmp_path / f"out{suffix}"
        carry(source, out)
        heard = by_pyav(out)
        assert heard.chirps(1) == pytest.approx([0.5], abs=STEP)
        assert 1 < heard.seconds < 3


def test_a_time_stamp_out_of_this_world_is_one_lost_packet(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mov", Track("pcm_s16le", tone(2, [0.5, 1.2])))
    wild = tmp_path / "wild.nut"
    with av.open(str(source)) as clip, av.open(str(wild), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in clip.streams}
        packets = [packet for packet in clip.demux() if packet.size]
        last = max(p.pts for p in packets if p.stream.type == "audio")
        for packet in packets:
            if packet.stream.type == "audio" and packet.pts == last:
                packet.pts = packet.dts = 48_000 * 3600 * 24 * 30
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    out = tmp_path / "out.mov"
    sound = carry(wild, out)
    heard = by_pyav(out)
    assert heard.chirps(2) == pytest.approx([0.5, 1.2], abs=STEP)
    assert heard.seconds < 2
    assert sound.warnings == ["the sound of wild.nut is damaged: 1 packet lost"]


def test_an_unknown_codec_is_left_out_with_a_word(tmp_path: Path) -> None:
    """As the spatial sound of newer phones: a track that nothing here can decode, beside one that is fine."""
    source = make(tmp_path / "clip.mov", Track("aac", tone(2, [0.5])), Track("pcm_s16le", tone(2, [0.9])))
    raw = source.read_bytes()
    assert raw.count(b"sowt") == 1
    source.write_bytes(raw.replace(b"sowt", b"zzzz"))
    out = tmp_path / "out.mov"
    sound = carry(source, out)
    (line,) = sound.notices
    assert "left out" in line
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == 1
    assert by_pyav(out).chirps(1) == pytest.approx([0.5], abs=STEP)


def test_a_clip_without_sound(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4")
    for suffix in VIDEO:
        out = tmp_path / f"out{suffix}"
        sound = carry(source, out)
        assert (sound.notices, sound.warnings) == ([], [])
        with av.open(str(out)) as container:
            assert [stream.type for stream in container.streams] == ["video"]


def test_a_folder_has_no_sound(tmp_path: Path) -> None:
    with Sound(tmp_path) as sound, av.open(str(tmp_path / "out.mov"), "w") as container:
        sound.attach(container)
        assert list(container.streams) == []


def test_a_format_that_holds_no_sound_says_so(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Track("aac", tone(1, [0.5])), seconds=1)
    with Sound(source) as sound, av.open(str(tmp_path / "out.gif"), "w") as container:
        sound.attach(container)
        assert list(container.streams) == []
        assert sound.notices == ["the sound is left out: gif holds none"]


def test_every_format_with_sound_takes_what_it_cannot_copy(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.ts", Track("mp2", tone(0.5, [])), seconds=0.5)
    for fmt in FORMATS.values():
        if not fmt.sound:
            continue
        with Sound(source) as sound, av.open(str(tmp_path / f"{fmt.name}{fmt.suffix}"), "w") as container:
            sound.attach(container)
            assert len(container.streams.audio) == 1


def test_the_source_is_let_go(tmp_path: Path, open_files: Callable[[], set[str]]) -> None:
    source = make(tmp_path / "clip.mp4", Track("aac", tone(1, [0.5])), seconds=1)
    carry(source, tmp_path / "out.webm")
    assert str(source) not in open_files()


@pytest.fixture
def open_files() -> Callable[[], set[str]]:
    """The names of all files this process has open (Linux)."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    return lambda: {str(entry.resolve()) for entry in folder.iterdir()}
