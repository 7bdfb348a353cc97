"""A clip with known truth, made from real pictures; servers of cloud storage, and a cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from tools import RABBIT, Scene, example, write_video

from vcut.masks.palette import save_indexed
from vcut.video.reader import open_source

if TYPE_CHECKING:
    from stored_gs import GSBucket
    from stored_s3 import S3Bucket

pytest.register_assert_rewrite("stored")


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> Scene:
    """The rabbit of Big Buck Bunny (id 1) and a man of another clip (id 3) move over a wall, 240 x 320, 10 frames."""
    folder = tmp_path_factory.mktemp("scene")
    with open_source(example("bigbuckbunny.mp4")) as source:
        rabbit = Image.fromarray(next(frame.rgb for frame in source if frame.index == 56))
    rabbit_mask = Image.fromarray(np.array(Image.open(RABBIT)) * 255)
    with open_source(example("carphone_pristine.mp4")) as source:
        man = Image.fromarray(next(iter(source)).rgb).crop((50, 10, 130, 110))
    oval = Image.fromarray(
        (np.hypot(*np.meshgrid(np.linspace(-1, 1, 80), np.linspace(-1, 1, 100))) < 1).astype(np.uint8) * 255
    )
    with open_source(example("bikes.mp4")) as source:
        wall = next(frame.rgb for frame in source if frame.index == 130)
    wall = Image.fromarray(wall).crop((0, 16, 320, 256))
    box = rabbit_mask.getbbox()
    size = (160, int(160 * (box[3] - box[1]) / (box[2] - box[0])))
    rabbit, rabbit_mask = rabbit.crop(box).resize(size), rabbit_mask.crop(box).resize(size, Image.Resampling.NEAREST)
    frames, truth = [], []
    for t in range(10):
        picture, labels = wall.copy(), Image.new("L", wall.size)
        for cut, mask, place, label in (
            (rabbit, rabbit_mask, (10 + 6 * t, 90 - 2 * t), 1),
            (man, oval, (220 - 3 * t, 20 + 4 * t), 3),
        ):
            picture.paste(cut, place, mask)
            labels.paste(label, place, mask)
        frames.append(np.array(picture))
        truth.append(np.array(labels))
    save_indexed(folder / "mask.png", truth[0])
    clip = write_video(folder / "clip.mp4", np.stack(frames))
    return Scene(clip, folder / "mask.png", np.stack(truth), np.stack(frames))


@pytest.fixture
def shots(scene, tmp_path) -> Path:
    """Two clips with their masks, by names that storages and shells take for more than names."""
    folder = tmp_path / "shots"
    for name in ("a [1].mp4", "день/кот.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scene.clip, folder / name)
        shutil.copy(scene.mask, (folder / name).with_suffix(".png"))
    (folder / "a [1].json").write_text('{"1": "rabbit"}')
    return folder


@pytest.fixture
def s3(monkeypatch) -> Iterator[S3Bucket]:
    """A bucket of S3, and the environment of who may use it."""
    import s3fs
    from stored_s3 import S3Bucket, S3Server

    server = S3Server()
    account = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**account, "AWS_ENDPOINT_URL_S3": server.address}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    # moto keeps what lies in buckets for as long as the process lives, whatever server it was
    yield S3Bucket(server, f"films-{uuid4()}")
    s3fs.S3FileSystem.clear_instance_cache()
    server.close()


@pytest.fixture
def gs(monkeypatch) -> Iterator[GSBucket]:
    """A bucket of Google's storage, open to everybody."""
    # by default gcsfs asks for the kind of a bucket over gRPC, which the server does not speak; read at its import
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    monkeypatch.setenv("FSSPEC_GS_TOKEN", "anon")  # for other processes; here fsspec has read it already
    import fsspec
    import gcsfs
    from stored_gs import GSBucket, GSServer

    assert gcsfs.GCSFileSystem is gcsfs.core.GCSFileSystem, "gcsfs was imported before it could be told"
    server = GSServer()
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
    gcsfs.GCSFileSystem.clear_instance_cache()
    yield GSBucket(server, "films")
    gcsfs.GCSFileSystem.clear_instance_cache()
    server.close()


@pytest.fixture
def machines():
    """Two machines of two cores, and one that only keeps house; they have the environment of now."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=2) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()
