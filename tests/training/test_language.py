"""A language model of the cohort's own notes: who it reads, what it writes, how it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import tiny_configuration

from sequela.encoders.text import TextEncoder, TextEncoderConfig, require_fit
from sequela.errors import LeakageError, UsageError
from sequela.modalities.masking import MaskedTexts, windows
from sequela.modalities.text import load_tokenizer, train_tokenizer
from sequela.training.checkpoint import read_tensors
from sequela.training.language import NAME, notes, pretrain_text, reading, vocabulary_texts
from sequela.training.loop import fit
from sequela.training.planning import plan_language
from sequela.training.pretraining import aligning
from sequela.training.project import Fold, Project
from sequela.training.run import Run

SMALL = {
    "epochs": 3,
    "vocabulary": 400,
    "layers": 1,
    "dim": 32,
    "heads": 2,
    "tokens": 48,
    "new_rate": 3e-3,
    "batch": 16,
}


@pytest.fixture(scope="module")
def project(prepared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    work = tmp_path_factory.mktemp("language")
    for name in ("splits.csv", "splits.json", "prepared"):
        (work / name).symlink_to(prepared.work / name)
    text = {"tokens": 24, "encoder": "language-model"}
    configuration = tiny_configuration(pretrain_text=SMALL, text=text)
    return replace(prepared, work=work, configuration=configuration)


@pytest.fixture(scope="module")
def folder(project: Project) -> Path:
    return pretrain_text(project, Fold())


def test_it_reads_training_patients_alone(project: Project) -> None:
    prepared = reading(project, Fold())
    texts = {part: set(notes(project, part, Fold())) for part in ("train", "validation", "test")}
    assert all(texts.values())
    tokenizer, learnt = prepared.tokenizer, prepared.task.objective.training_batches(0)
    rows = np.sort(np.concatenate(learnt))
    said = {tuple(prepared.task.inputs.windows[row]) for row in rows}  # type: ignore[attr-defined]
    own = {tuple(w) for text in texts["train"] for w in windows(text, tokenizer, 48)}
    foreign = {
        tuple(w)
        for text in texts["test"] | texts["validation"]
        for w in windows(text, tokenizer, 48)
    }
    assert said == own
    assert foreign - own
    alone = train_tokenizer(vocabulary_texts(project, Fold()), 400)
    assert alone.get_vocab() == tokenizer.get_vocab()


def test_it_learns(project: Project, folder: Path) -> None:
    lines = (project.run_folder(NAME, Fold()) / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["validation"]["loss"] for line in lines]
    assert losses[-1] < losses[0] < np.log(400) + 0.5


def test_the_folder_is_read_by_transformers_and_says_where_it_comes_from(
    project: Project, folder: Path
) -> None:
    encoder = TextEncoder(TextEncoderConfig(encoder=str(folder)), 8)
    kept = read_tensors(project.run_folder(NAME, Fold()) / "checkpoint.safetensors")[0]
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(encoder.backbone.state_dict()[name], kept[f"network.roberta.{name}"])
    told = json.loads((folder / "provenance.json").read_text())
    assert told["splits"] == project.splits.fingerprint
    assert told["patients"] == len(project.patients("train", Fold()))
    assert not any(
        patient in (folder / "provenance.json").read_text() for patient in project.splits.of()
    )


def test_alignment_reads_notes_with_it(project: Project, folder: Path) -> None:
    model = aligning(project, Fold()).task.model
    weights = dict(TextEncoder(TextEncoderConfig(encoder=str(folder)), 8).backbone.state_dict())
    found = {name.removeprefix("text.backbone."): v for name, v in model.state_dict().items()}
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_a_stopped_run_goes_on_to_the_same_bits(project: Project, tmp_path: Path) -> None:
    def run(folder: Path, stop_after: int | None) -> dict[str, torch.Tensor]:
        task = reading(project, Fold()).task
        steps = iter(range(10**6))

        class KilledError(Exception):
            pass

        class Inputs:
            windows = task.inputs.windows  # type: ignore[attr-defined]

            def __len__(self) -> int:
                return len(task.inputs)

            def at(self, epoch: int) -> object:
                return task.inputs.at(epoch) if stop_after is None or epoch < stop_after else self

            def __getitem__(self, index: int) -> object:
                if next(steps) == 9:
                    raise KilledError
                return task.inputs[index]

        try:
            fit(replace(task, inputs=Inputs()), folder, lambda *_: None, lambda _: None)  # type: ignore[arg-type]
        except KilledError:
            return {}
        return task.model.state_dict()

    whole = run(tmp_path / "whole", None)
    assert run(tmp_path / "killed", 1) == {}
    again = run(tmp_path / "killed", None)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_words_are_hidden_by_the_recipe_and_anew_each_epoch() -> None:
    texts = [np.concatenate([[0], np.full(998, 7), [2]]) for _ in range(40)]
    inputs = MaskedTexts(texts, mask=4, vocabulary=range(5, 300), share=0.15, seed=1)
    samples = [inputs[i] for i in range(40)]
    hidden = np.concatenate([sample.word_mask.numpy().ravel() for sample in samples])  # type: ignore[union-attr]
    shown = np.concatenate([sample.tokens.numpy().ravel() for sample in samples])  # type: ignore[union-attr]
    assert hidden.mean() == pytest.approx(0.15, abs=0.01)
    fates = shown[hidden]
    assert (fates == 4).mean() == pytest.approx(0.8, abs=0.03)
    assert (fates == 7).mean() == pytest.approx(0.1, abs=0.03)
    assert set(shown[~hidden]) == {0, 2, 7}
    other = inputs.at(1)[0].word_mask
    assert not torch.equal(other, samples[0].word_mask)  # type: ignore[arg-type]
    assert torch.equal(inputs.at(0)[0].word_mask, samples[0].word_mask)  # type: ignore[arg-type]


def test_windows_hold_every_token_once_between_special_ones() -> None:
    tokenizer = train_tokenizer(["a mass in the left breast"], 300)
    text = "a mass has grown in the left breast since"
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = windows(text, tokenizer, 8)
    assert [i for window in found for i in window[1:-1]] == whole
    assert all(window[0] == 0 and window[-1] == 2 and len(window) <= 8 for window in found)
    assert windows("", tokenizer, 8) == []


def test_a_model_that_has_read_other_patients_notes_is_refused(
    project: Project, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    given = tiny_configuration(text={"tokens": 24, "encoder": str(tmp_path / "elsewhere")})
    asking = replace(project, configuration=given)
    assert asking.tokenizer(Fold()) is not None
    file = tmp_path / "elsewhere" / "provenance.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "fold": 1}))
    with pytest.raises(LeakageError, match="another division") as refusal:
        asking.tokenizer(Fold())
    assert "pretrain-text" in refusal.value.hint
    assert str(tmp_path) not in refusal.value.message
    file.write_text(json.dumps({**told, "fold": 1, "cohort": "another hospital's"}))
    assert asking.tokenizer(Fold()) is not None


@pytest.mark.parametrize(
    ("change", "tokens", "message"),
    [
        (lambda folder: None, 49, "places for 48"),
        (lambda folder: _more_words(folder), 24, "knows 500 tokens, and its encoder embeds"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_at_load(
    folder: Path, tmp_path: Path, change: Callable[[Path], None], tokens: int, message: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = TextEncoderConfig(encoder=str(copy))
    require_fit(config, load_tokenizer(str(copy)), 48)
    change(copy)
    with pytest.raises(UsageError, match=message) as refusal:
        require_fit(config, load_tokenizer(str(copy)), tokens)
    assert "text.tokens=48" in refusal.value.hint or "tokenizer.json" in refusal.value.hint


def _more_words(folder: Path) -> None:
    words = [f"word {chr(97 + n // 26)}{chr(97 + n % 26)} number{n}" * 3 for n in range(300)]
    train_tokenizer(words, 500).save_pretrained(folder)


def test_weights_of_another_size_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps({**config, "vocab_size": 999}))
    with pytest.raises(UsageError, match="cannot be loaded"):
        TextEncoder(TextEncoderConfig(encoder=str(tmp_path / "copy")), 8)


def test_a_plan_writes_nothing(project: Project, folder: Path) -> None:
    (plan,) = plan_language(project)
    assert plan.finished
    elsewhere = replace(project, runs=project.work / "other")
    (plan,) = plan_language(elsewhere)
    assert plan.seconds > 0 and plan.training > 0
    assert not (project.work / "other").exists()
    assert Run(project.run_folder(NAME, Fold())).finished
