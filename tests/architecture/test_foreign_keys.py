"""Foreign keys run the way imports do: down the floors, and down the rooms of the exchange."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

_CONTRACTS = {
    contract["id"]: contract["layers"]
    for contract in tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())[
        "tool"
    ]["importlinter"]["contracts"]
    if contract["type"] == "layers"
}


def _ranks() -> dict[str, int]:
    """Return each app's floor, the roof's rooms first; neighbours share a number."""
    rooms = [layer.replace("(", "").replace(")", "") for layer in _CONTRACTS["exchange-rooms"]]
    ranks = {
        f"exchange.{room}": rank
        for rank, layer in enumerate(rooms)
        for room in layer.replace("|", " ").replace(":", " ").split()
    }
    floors = _CONTRACTS["floors"][1:]
    return ranks | {floor: len(rooms) + rank for rank, floor in enumerate(floors)}


def _upward(found: Iterable[type[models.Model]]) -> list[str]:
    """Return the relations that point to a neighbour or upwards; Django's own apps lie below."""
    ranks = _ranks()
    breaches = []
    for model in found:
        here = model._meta.app_config.name
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
            target = field.related_model
            if target is None or here not in ranks:
                continue
            assert not isinstance(target, str), f"{model.__name__}.{field.name} is unresolved"
            there = target._meta.app_config.name
            if there != here and ranks.get(there, len(ranks)) <= ranks[here]:
                breaches.append(f"{here}: {model.__name__}.{field.name} -> {there}")
    return breaches


def test_foreign_keys_run_down() -> None:
    assert _upward(apps.get_models(include_auto_created=True)) == []


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("compliance", "custody"),
        ("custody", "settlement"),
        ("settlement", "trading"),
        ("members", "trading"),
        ("members", "listings"),
    ],
)
def test_foreign_key_is_named_when_it_runs_up(here: str, there: str) -> None:
    names = [config.name for config in apps.get_app_configs() if config.label in (here, there)]
    with isolate_apps(*names):

        class Target(models.Model):
            class Meta:
                app_label = there

        class Source(models.Model):
            target = models.ForeignKey(Target, on_delete=models.PROTECT)

            class Meta:
                app_label = here

        assert [breach.split(": ")[1].split(" ->")[0] for breach in _upward([Source])] == [
            "Source.target"
        ]
        assert _upward([Target]) == []
