import os

import pytest

from asyncstore import Config, InvalidArgumentError, UnsupportedError, open_store
from asyncstore.config import Durability, LogFormat, Switch


def load(source=None, **environment):
    return Config.load(source, environment=environment)


def test_nothing_given_means_the_defaults():
    assert load() == Config()
    assert load({}) == Config()
    assert load({"storage": None}) == Config()  # "storage:" with nothing below it
    assert load(Config()) == Config()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, Switch.TRUE),
        (False, Switch.FALSE),
        ("true", Switch.TRUE),
        ("False", Switch.FALSE),
        ("auto", Switch.AUTO),
    ],
)
def test_switches_are_taken_as_booleans_and_as_words(given, expected):
    config = load({"storage": {"async_scorer": given, "performance": {"direct_io": given}}})
    assert config.storage.async_scorer is expected
    assert config.storage.performance.direct_io is expected


def test_a_yaml_file_is_read(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        """
storage:
  async_scorer: true
  durability: flush
  performance:
    workers: 3
  optimizers:
    indexing_threshold: 0
service:
  http_port: 6334
"""
    )
    for source in (path, str(path)):
        config = load(source)
        assert config.storage.async_scorer is Switch.TRUE
        assert config.storage.durability is Durability.FLUSH
        assert config.storage.performance.workers == 3
        assert config.storage.optimizers.indexing_threshold == 0
        assert config.service.http_port == 6334


def test_an_empty_yaml_file_means_the_defaults(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("# nothing yet\n")
    assert load(path) == Config()


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text", "a: [1", "\t: x"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InvalidArgumentError, match=r"config\.yaml"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("tree", "key", "nearest"),
    [
        ({"storge": {}}, "storge", "storage"),
        ({"storage": {"async_scorrer": True}}, "storage.async_scorrer", "storage.async_scorer"),
        (
            {"storage": {"performance": {"worker": 1}}},
            "storage.performance.worker",
            "storage.performance.workers",
        ),
        ({"workers": 1}, "workers", "storage.performance.workers"),
        ({"storage": {"http_port": 1}}, "storage.http_port", "service.http_port"),
        ({3: 1}, "3", ""),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(tree, key, nearest):
    with pytest.raises(InvalidArgumentError) as caught:
        load(tree)
    assert f"unknown configuration key '{key}'" in str(caught.value)
    assert f"nearest known key is '{nearest}" in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {"storage": {"performance": {"workers": -1}}},
            "storage.performance.workers: value -1 invalid, must be from 0 to 256",
        ),
        (
            {"storage": {"performance": {"io_depth": 0}}},
            "storage.performance.io_depth: value 0 invalid, must be from 1 to 4096",
        ),
        (
            {"storage": {"optimizers": {"deleted_threshold": 1.5}}},
            "storage.optimizers.deleted_threshold: value 1.5 invalid, must be from 0.0 to 1.0",
        ),
        ({"service": {"max_request_size_mb": 0}}, "value 0 invalid, must be 1 or larger"),
        ({"storage": {"performance": {"workers": "3"}}}, "storage.performance.workers: expected"),
        ({"storage": {"performance": {"prewarm": 1}}}, "storage.performance.prewarm: expected"),
        ({"storage": {"durability": "ever"}}, "must be one of fsync, flush, none"),
        ({"storage": {"async_scorer": "maybe"}}, "must be one of auto, true, false"),
        ({"storage": 3}, "storage: expected keys and values, got 3"),
    ],
)
def test_a_wrong_value_is_named_with_its_limit(tree, sentence):
    with pytest.raises(InvalidArgumentError) as caught:
        load(tree)
    assert sentence in str(caught.value)


def test_all_values_out_of_bounds_are_listed():
    with pytest.raises(InvalidArgumentError) as caught:
        load({"storage": {"performance": {"workers": 999, "io_depth": 0}}})
    assert "workers: value 999" in str(caught.value)
    assert "io_depth: value 0" in str(caught.value)


def test_the_environment_overrides_everything(monkeypatch):
    config = load(
        {"storage": {"async_scorer": True, "durability": "none"}},
        ASYNCSTORE__STORAGE__ASYNC_SCORER="false",
        ASYNCSTORE__STORAGE__PERFORMANCE__WORKERS="2",
        ASYNCSTORE__STORAGE__PERFORMANCE__PREWARM="false",
        ASYNCSTORE__STORAGE__OPTIMIZERS__MAX_SEGMENT_SIZE="null",
        ASYNCSTORE__SERVICE__API_KEY="secret",
        ASYNCSTOREX="ignored",
    )
    assert config.storage.async_scorer is Switch.FALSE
    assert config.storage.durability is Durability.NONE
    assert config.storage.performance.workers == 2
    assert config.storage.performance.prewarm is False
    assert config.storage.optimizers.max_segment_size is None
    assert config.service.api_key == "secret"
    monkeypatch.setitem(os.environ, "ASYNCSTORE__STORAGE__DURABILITY", "flush")
    assert Config.load().storage.durability is Durability.FLUSH


def test_mistakes_in_the_environment_are_named():
    with pytest.raises(InvalidArgumentError, match=r"storage\.performance\.workers.*'many'"):
        load(ASYNCSTORE__STORAGE__PERFORMANCE__WORKERS="many")
    with pytest.raises(InvalidArgumentError, match=r"'storage\.asynk'"):
        load(ASYNCSTORE__STORAGE__ASYNK="true")
    with pytest.raises(InvalidArgumentError, match="set by another variable"):
        load(ASYNCSTORE__STORAGE="x", ASYNCSTORE__STORAGE__DURABILITY="none")


@pytest.mark.parametrize(
    "tree",
    [
        {"storage": {"optimizers": {"memmap_threshold": 1}}},
        {"storage": {"optimizers": {"max_optimization_threads": "auto"}}},
        {"storage": {"on_disk_payload": False}},
    ],
)
def test_a_setting_without_effect_is_refused_at_open(tree, tmp_path):
    with pytest.raises(UnsupportedError, match="not supported yet"):
        open_store(tmp_path, config=tree)


def test_logs_are_text_or_json():
    assert load({"log_format": "json"}).log_format is LogFormat.JSON
    assert load(ASYNCSTORE__LOG_FORMAT="text").log_format is LogFormat.TEXT
    with pytest.raises(InvalidArgumentError, match="log_format"):
        load({"log_format": "xml"})
