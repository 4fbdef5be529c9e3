import tomllib

import pytest

from trailcam_core.errors import TrainError
from trailcam_core.records import parse_toml
from trailcam_train.recipe.toml import check_values, override, recipe_from_table, recipe_to_toml
from trailcam_train.recipes.find import find_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_survives_its_toml(name: str) -> None:
    recipe = find_recipe(name)

    assert recipe.name == name
    assert recipe_from_table(*parse_toml(recipe_to_toml(recipe).decode(), "recipe.toml", TrainError)) == recipe


def test_toml_has_the_seed_and_the_input_that_an_export_reads() -> None:
    table = tomllib.loads(recipe_to_toml(override(find_recipe("cnn"), ["seed=7"])).decode())

    assert table["seed"] == 7
    assert table["input"] == {"height": 128, "width": 128, "fit": "stretch"}


def test_a_path_with_quotes_and_backslashes_survives_toml() -> None:
    recipe = override(find_recipe("xception"), [r'weights=C:\my "weights"/ä.keras'])

    assert tomllib.loads(recipe_to_toml(recipe).decode())["weights"] == r'C:\my "weights"/ä.keras'


def test_settings_reach_every_level_and_keep_their_type() -> None:
    recipe = override(find_recipe("cnn"), ["batch_size=8", "phases.all.epochs=3", "augmentation.zoom=0.5", "ema=0"])

    assert (recipe.batch_size, recipe.phases[0].epochs, recipe.augmentation.zoom) == (8, 3, 0.5)
    assert isinstance(recipe.ema, float)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("batch_size", "KEY=VALUE"),
        ("batchsize=8", "unknown.*batch_size"),
        ("phases.all=8", r"unknown.*phases\.all\.epochs"),
        ("name=other", "unknown"),
        ("batch_size=many", "'many'.*int"),
        ("batch_size=0", "batch_size is 0.*1"),
        ("input.height=8", "input.height is 8.*32 to 1,024"),
        ("input.fit=squash", "'squash'.*letterbox"),
        ("optimizer=sgd", "'sgd'.*adamw"),
        ("phases.all.schedule=steps", "'steps'.*cosine"),
        ("phases.all.epochs=0", "no phase has an epoch"),
        ("validation=0.9", "leave nothing to train on"),
        ("augmentation.flip=2", "flip is 2"),
        ("batch_norm=inference", "trained statistics"),
        ("sampling=fair", "'fair'.*balanced"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(setting: str, message: str) -> None:
    with pytest.raises(TrainError, match=message):
        override(find_recipe("cnn"), [setting])


def test_a_recipe_of_another_version_is_refused() -> None:
    text = "momentum = 0.9\n" + recipe_to_toml(find_recipe("cnn")).decode()

    with pytest.raises(TrainError, match=r"recipe\.toml, line 1: unknown key 'momentum'"):
        recipe_from_table(*parse_toml(text, "recipe.toml", TrainError))


def test_a_wrong_value_of_a_phase_is_refused_with_its_line() -> None:
    text = recipe_to_toml(find_recipe("cnn")).decode().replace("epochs = 20", "epochs = -1")
    line = text.splitlines().index("epochs = -1") + 1

    with pytest.raises(TrainError, match=rf"recipe\.toml, line {line}: phases\.all\.epochs is -1, expected 0 to"):
        recipe_from_table(*parse_toml(text, "recipe.toml", TrainError))


def test_views_need_frozen_layers() -> None:
    with pytest.raises(TrainError, match=r"phases\.all\.views is 2.*first_layer"):
        override(find_recipe("cnn"), ["phases.all.views=2"])


def test_balancing_twice_is_refused() -> None:
    with pytest.raises(TrainError, match="counts small classes twice"):
        override(find_recipe("cnn"), ["sampling=balanced", "class_weights=balanced"])


@pytest.mark.parametrize(
    "setting", ["batch_size=0", "batch_size=many", "batch_size", "phases.head.epochs=-1", "seed=-1", "input.height=1"]
)
def test_a_value_that_no_recipe_accepts_is_refused_without_a_recipe(setting: str) -> None:
    with pytest.raises(TrainError, match=setting.partition("=")[0]):
        check_values([setting])


def test_every_setting_of_every_recipe_passes_the_check_without_a_recipe() -> None:
    check_values(["batch_size=16", "phases.whole.epochs=3", "input.height=224", "dropout=0.2", "odd=1"])
