"""Every setting, its range, its sentence; and that whatever is accepted can be saved and read back equal."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import DIGITS, one_sentence, tiny

from evenodds.config import Config, PlayerConfig, config_from, differences, load_config, override
from evenodds.errors import ConfigError
from evenodds.recipes import recipe, recipe_names


def refused(*assignments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        tiny(*assignments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "nearest"),
    [
        ("batchsize=8", "'batch_size'"),
        ("exemples=8", "'examples'"),
        ("generater.network=mlp", "'generator'"),
        ("generator.netwrk=mlp", "'network'"),
        ("discriminator.optimiser=adam", "'optimizer'"),
        ("penalty.r1={}", "'penalties'"),
        ("name=gan", "choose one of: augment, batch_size, "),
        ("generator.name=mlp", "choose one of: network, optimizer"),
    ],
)
def test_unknown_settings_name_the_nearest(assignment, nearest):
    said = refused(assignment)
    assert "unknown setting" in said
    assert nearest in said


COUNTS = [
    *("packing", "critic_steps", "batch_size", "micro_batch", "examples"),
    *("threads", "held_out", "sample_count", "keep_every"),
]
EVERY = ("report_every", "samples_every", "checkpoint_every", "metrics_every")


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    for wrong in ("0", "-1", "1.5", "abc", "true", "[1]", "{a: 1}", ".inf", ".nan", "''"):
        assert f"{name} = " in refused(f"{name}={wrong}")
    for right, number in (("8", 8), ("8.0", 8), ("8e0", 8), ("+8", 8)):
        value = getattr(tiny(f"{name}={right}"), name)
        assert value == number
        assert type(value) is int


@pytest.mark.parametrize("name", EVERY)
def test_durations(name):
    for wrong in ("0", "-8", "1.5", "weekly", "true", "[1]", ".inf", "null"):
        said = refused(f"{name}={wrong}")
        assert f"{name} = " in said
    for right, value in (("8", 8), ("8e3", 8000), ("epoch", "epoch"), ("never", "never")):
        assert getattr(tiny(f"{name}={right}"), name) == value


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("seed", ("-1", "4294967296", "1.5", "abc", "yes", "null"), ("0", "4294967295")),
        ("ema_half_life", ("-1", "abc", ".inf", ".nan", "true"), ("0", "0.5", "1e4")),
        ("threads", ("1025", "1e9"), ("1", "1024", "null")),
        ("micro_batch", ("3", "16"), ("1", "8", "null")),
        ("packing", ("3", "16"), ("1", "4")),
        ("precision", ("half", "16", "null"), ("float32", "bfloat16")),
        ("conditional", ("maybe", "2", "null"), ("true", "false")),
        ("simultaneous", ("maybe", "2", "null"), ("true", "false")),
        ("device", ("1", "null", "[cpu]"), ("cpu", "auto", "cuda:1")),
        ("referee", ("maybe", "2", "null"), ("true", "false")),
        ("on_trouble", ("panic", "null", "true"), ("warn", "stop", "rollback")),
        ("until", ("odd", "null", "true"), ("examples", "even")),
        (
            "start",
            ("5", "run", "{}", "{file: 5}", "{fil: x}"),
            ("null", "{file: x}", "{file: x, optimizers: true}"),
        ),
        ("mirror", ("maybe", "2", "null"), ("true", "false")),
        ("augment", ("5", "[ada]", "{nme: ada}", "{name: 5}"), ("null", "ada", "{name: ada, target: 0.6}")),
        ("recipe", ("1", "null", "2001-01-01"), ("mine", "'1'", "ü")),
        ("metrics", ("parzen", "5", "[5]"), ("[]",)),
        ("data", ("5", "[digits]", "{nme: x}", "{name: 5}", "{name: x, 5: 1}"), ("digits", "{name: digits}")),
        ("penalties", ("r1", "[r1]", "{r1: 5}", "{r1: {weight: 2001-01-01}}"), ("{}", "{r1: {weight: 1}}")),
        ("generator", ("mlp", "{network: mlp}", "{}"), ("{network: mlp, optimizer: adam}",)),
    ],
)
def test_ranges(name, wrong, right):
    for value in wrong:
        assert name in refused(f"{name}={value}")
    for value in right:
        tiny(f"{name}={value}")


def test_every_setting_was_tried():
    tried = {*COUNTS, *EVERY, "seed", "ema_half_life", "precision", "conditional", "simultaneous", "device"}
    tried |= {"referee", "on_trouble", "until", "start", "mirror", "augment"}
    tried |= {"recipe", "metrics", "data", "penalties", "generator"}
    alike = {"discriminator", "prior", "loss"}
    assert tried | alike == set(Config.model_fields)
    assert set(PlayerConfig.model_fields) == {"network", "optimizer"}


@pytest.mark.parametrize(
    ("assignments", "parts"),
    [
        (["packing=2", "conditional=true"], ("packing", "conditional", "exclude each other")),
        (["packing=4", "micro_batch=2"], ("micro_batch 2", "packing 4")),
        (["metrics=[parzen]"], ("metrics_every",)),
        (["referee=false", "on_trouble=stop"], ("on_trouble=stop", "referee=true")),
        (["referee=false", "until=even"], ("until=even", "referee=true")),
    ],
)
def test_settings_that_exclude_each_other(assignments, parts):
    said = refused(*assignments)
    assert all(part in said for part in parts)


def test_missing_settings_are_named():
    for name in ("data", "examples", "loss"):
        with pytest.raises(ConfigError) as caught:
            config_from({key: value for key, value in DIGITS.items() if key != name})
        assert one_sentence(caught.value, f"setting {name!r} is missing")


def test_a_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        tiny().seed = 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E-4", 1e-4),
        ("-2.5e+3", -2500.0),
        ("1.e4", 1e4),
        ("5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("", None),
        ("abc", "abc"),
        ("'1e-4'", "1e-4"),
        ('"a b"', "a b"),
        ("[1e-4, 2, a]", [1e-4, 2, "a"]),
        ("{a: 1e3}", {"a": 1000.0}),
        ("[broken", "[broken"),
        ("a: b: c", "a: b: c"),
        ("a=b", "a=b"),
        ("=", "="),
        ("._", "._"),
        ("2001-13-01", "2001-13-01"),
        ("!!bool 2", "!!bool 2"),
        ("!!python/object/apply:os.system [ls]", "!!python/object/apply:os.system [ls]"),
        ("&a [*a]", "&a [*a]"),
        ("e5", "e5"),
        ("1e", "1e"),
    ],
)
def test_values_of_assignments(text, value):
    assert override({}, [f"key={text}"]) == {"key": value}


def test_assignments_reach_down():
    values = override(DIGITS, ["generator.network.widths=[3, 4]", "loss.generator_scale=2", " seed =3"])
    assert values["generator"]["network"] == {"name": "mlp", "widths": [3, 4], "output": "tanh"}
    assert values["loss"] == {"name": "non_saturating", "generator_scale": 2}
    assert values["seed"] == 3
    assert DIGITS["generator"]["network"]["widths"] == [12]  # the original is left alone


def test_another_name_drops_the_options_of_the_old_one():
    dropped = override(DIGITS, ["generator.network.name=goodfellow2014"])["generator"]
    assert dropped["network"] == {"name": "goodfellow2014"}
    assert dropped["optimizer"] == DIGITS["generator"]["optimizer"]
    assert override(DIGITS, ["generator.network.name=mlp"]) == override(DIGITS, [])
    assert override(DIGITS, ["generator.network=mlp"])["generator"]["network"] == "mlp"
    later = override(DIGITS, ["prior.name=uniform", "prior.dim=3"])["prior"]
    assert later == {"name": "uniform", "dim": 3}
    assert override({"loss": {"name": "hinge", "x": 1}}, ["loss=hinge"]) == {"loss": "hinge"}


@pytest.mark.parametrize("assignment", ["seed", "=5", " =5", "", "seed.x=5", "generator.network.widths.0=5"])
def test_what_is_no_assignment(assignment):
    with pytest.raises(ConfigError) as caught:
        override({**DIGITS, "seed": 0}, [assignment])
    assert one_sentence(caught.value, "--set", "write --set")


@pytest.mark.parametrize("word", ["int", "str", "literal", "function-x"])
def test_a_setting_that_is_called_as_a_type(word):
    with pytest.raises(ConfigError, match=f"unknown setting '{word}'"):
        tiny(f"{word}=1")
    with pytest.raises(ConfigError, match=f"unknown setting 'generator.{word}'"):
        tiny(f"generator.{word}=1")


WORDS = st.one_of(
    st.sampled_from([*Config.model_fields, "network", "optimizer", "name", "widths", "r1", "", "x"]),
    st.text(string.printable, max_size=5),
)
VALUES = st.one_of(
    st.text(string.printable + "ü−…", max_size=12),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(string.printable, max_size=5)
        ),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abn", max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    ).map(str),
    st.sampled_from(
        ["hinge", "{name: mlp, 1: 2}", "!!binary x", "0x_", "1:60", "<<", "!!set {a}", "2001-01-01", "~"]
    ),
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.builds(lambda path, text: f"{'.'.join(path)}={text}", st.lists(WORDS, max_size=4), VALUES),
        max_size=3,
    )
)
def test_arbitrary_assignments_give_a_config_or_a_sentence(tmp_path_factory, assignments):
    try:
        config = tiny(*assignments)
    except ConfigError:
        return
    path = tmp_path_factory.getbasetemp() / "arbitrary.yaml"
    config.save(path)
    assert load_config(path) == config
    assert differences(config, load_config(path)) == []


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_survive_yaml(name, tmp_path):
    config = recipe(name)
    config.save(tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


def test_options_of_python_become_those_of_yaml(tmp_path):
    config = config_from(
        {**DIGITS, "data": {"name": "array", "path": tmp_path / "a.npy", "value_range": (0, 1)}}
    )
    assert config.data == {"name": "array", "path": str(tmp_path / "a.npy"), "value_range": [0, 1]}


@pytest.mark.parametrize("value", [object(), {1}, b"x", float("nan"), float("inf"), {1: 2}])
def test_options_that_yaml_cannot_hold_are_refused(value):
    with pytest.raises(ConfigError) as caught:
        config_from({**DIGITS, "data": {"name": "digits", "option": value}})
    assert one_sentence(caught.value, "an option is", "give ")


@pytest.mark.parametrize(
    "text", ["1e-4", "-2.5E+3", "1.e5", "true", "null", "5", "", "ä: [", "2001-01-01", "\n"]
)
def test_a_text_that_looks_like_something_else_stays_a_text(text, tmp_path):
    config = config_from({**DIGITS, "recipe": text})
    config.save(tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml").recipe == text


def test_a_value_that_contains_itself():
    options: dict[str, object] = {"name": "digits"}
    options["x"] = options
    with pytest.raises(ConfigError):
        config_from({**DIGITS, "data": options})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"5",
        b"- a",
        b"a: [",
        b"\xff\xfe\x00",
        b"\x00",
        b"data: !!python/name:os.system",
        b"a: &a [*a]",
        b"[" * 5000,
    ],
)
def test_files_that_hold_no_settings(content, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.yaml")
    assert one_sentence(caught.value, "none.yaml", "No such file")


def test_a_file_may_write_numbers_as_everyone_does(tmp_path):
    path = tmp_path / "config.yaml"
    tiny().save(path)
    assert path.read_text().count("learning_rate: 0.001") == 2
    path.write_text(path.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3"))
    assert load_config(path) == tiny()


def test_differences_see_everything():
    assert differences(tiny(), tiny()) == []
    assert differences(tiny(), tiny("seed=1")) == ["seed: 0 -> 1"]
    assert differences(tiny(), tiny("seed=1"), ignoring=frozenset({"seed"})) == []
    assert differences(tiny(), tiny("penalties.r1={}")) == ["penalties.r1: absent -> {}"]
    assert differences(tiny("penalties.r1={}"), tiny("penalties.r1.weight=2")) == [
        "penalties.r1: {} -> absent",
        "penalties.r1.weight: absent -> 2",
    ]
    assert differences(tiny(), tiny("metrics=[modes]", "metrics_every=8")) == [
        "metrics: [] -> ['modes']",
        "metrics_every: never -> 8",
    ]
