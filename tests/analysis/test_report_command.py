import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from printed import lines_with, numbers, section

import analysis
from analysis import best_lr, summary
from analysis.__main__ import main

pytestmark = pytest.mark.usefixtures("drawn_small")


@pytest.fixture
def run():
    def invoke(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)

    return invoke


def small():
    """Two sparsities, one epsilon, three seeds: 80 % passes, 95 % does not."""
    return [
        {
            "sparsity": s,
            "seed": seed,
            "cvar_05": -3.0 - loss + 0.001 * seed,
            "cvar_05_minus_dense_se": 1e-4,
            "epochs_to_95pct": 9 + seed,
        }
        for s, loss in ((0.8, 0.02), (0.95, 0.4))
        for seed in range(3)
    ]


def test_the_report_answers_both_questions_and_says_where_the_files_are(
    table, write, run, tmp_path
):
    storage = write(tmp_path / "sweep", table(*small()))
    result = run("report", storage)
    assert result.exit_code == 0
    said = result.output
    assert numbers(said.splitlines()[0]) == [6, 6, 3], "trials, those completed, seeds"
    fastest, *_ = section(said, "Best learning rate")
    assert numbers(fastest) == [80, 0, 0.001, 10, 3, 12], "where, rate, epochs, seeds, dense"
    answer, _ = section(said, "Max efficient sparsity")
    assert numbers(answer)[:3] == [0, 80, 20], "epsilon, sparsity, weights that remain"
    assert "; 95 % fails: upper bound" in answer
    assert "path_pgd:0.1" in said
    for name in ("summary.csv", "best_lr.csv", "figures/cvar_against_remaining.png"):
        assert str(storage / "report" / name) in said
        assert (storage / "report" / name).stat().st_size > 0


def test_the_csv_tables_hold_what_the_functions_return(table, write, run, tmp_path):
    trials = table(*small())
    storage = write(tmp_path, trials)
    run("report", storage)
    for name, frame in (("summary", summary(trials)), ("best_lr", best_lr(trials))):
        read = pd.read_csv(storage / "report" / f"{name}.csv")
        assert list(read.columns) == list(frame.columns)
        assert len(read) == len(frame)


def test_a_partial_sweep_says_what_is_missing_in_good_grammar(table, write, run, tmp_path):
    rows = [row for row in small() if row["seed"] < 2]
    rows[1]["status"] = "running"
    rows[2] |= {"status": "failed", "error": "ValueError: loss is not finite\nat epoch 3"}
    rows[3] |= {"status": "stopped", "stopped_at": 5}
    said = run("report", write(tmp_path, table(*rows))).output
    assert numbers(said.splitlines()[0]) == [4, 1, 1, 1, 1, 2], "trials by outcome, and seeds"
    (unfinished,) = lines_with(said, "provisional.")
    assert numbers(unfinished) == [1, 4]
    (censored,) = lines_with(said, "1 trial", "censored")
    assert "test metrics" in censored
    (failed,) = lines_with(said, "1 trial failed")
    assert failed.endswith("ValueError: loss is not finite.")
    answer, _ = section(said, "Max efficient sparsity")
    assert numbers(answer)[:4] == [0, 80, 1, 2], "epsilon, sparsity, seeds without result of all"
    assert "undecided" in answer


def test_planned_trials_that_have_not_started_are_counted(table, write, run, tmp_path):
    storage = write(tmp_path, table(*small()))
    (storage / "manifest.json").write_text('{"name": "n", "trials": 8}', encoding="utf-8")
    (line,) = lines_with(run("report", storage).output, "planned", "provisional")
    assert numbers(line) == [2, 8]


def test_a_criterion_that_no_trial_met_is_reported_in_words(table, write, run, tmp_path):
    rows = [r | {"converged": False, "epochs_to_95pct": None} for r in small()]
    trials = table(*rows)
    said = run("report", write(tmp_path, trials)).output
    assert not best_lr(trials)["converged"].any()
    assert "not met" in said
    first, *_ = section(said, "Best learning rate")
    assert numbers(first) == [80, 0, 0.001], "no epochs"


def test_all_trials_failed_is_a_report_too(table, write, run, tmp_path):
    trials = table({"status": "failed", "error": "a"}, {"status": "failed", "error": "b"})
    result = run("report", write(tmp_path, trials))
    assert result.exit_code == 0
    (line,) = lines_with(result.output, "2 trials failed")
    assert line.endswith(": a.")
    assert "nothing to compare" in result.output
    skipped = section(result.output, "Skipped figures")
    assert any(line.startswith("cvar_against_remaining: ") for line in skipped)


def test_a_sweep_without_trials_is_answered_in_two_lines(table, write, run, tmp_path):
    result = run("report", write(tmp_path, table({}).iloc[:0]))
    assert result.exit_code == 0
    first, second = result.output.splitlines()
    assert first.startswith("tickets_test: no trials")
    assert "again" in second


def test_a_random_search_over_learning_rates_alone_is_reported(table, write, run, tmp_path):
    rows = [{"sparsity": 0.8, "lr": lr, "val_loss": lr} for lr in (3.3e-4, 7.1e-4, 2.9e-3)]
    trials = table(*rows).drop(columns=["config/epsilon"])
    result = run("report", write(tmp_path, trials))
    assert result.exit_code == 0
    fastest, *_ = section(result.output, "Best learning rate")
    assert numbers(fastest) == [80, 0.00033, 10, 12], "sparsity, rate, epochs, dense"
    assert "epsilon" not in result.output.partition("Claims")[0]


def test_brackets_in_an_error_are_text_and_no_markup(table, write, run, tmp_path):
    trials = table({"status": "failed", "error": "IndexError: [bold]axis[/bold]"})
    assert "IndexError: [bold]axis[/bold]" in run("report", write(tmp_path, trials)).output


def test_tolerance_and_confidence_reach_the_answer(table, write, run, tmp_path):
    storage = write(tmp_path, table(*small()))
    said = run("report", storage, "--tolerance", 0.2, "--confidence", 0.9).output
    answer, rule = section(said, "Max efficient sparsity")
    assert numbers(answer)[:3] == [0, 95, 5], "epsilon, sparsity, weights that remain"
    assert numbers(rule) == [20, 5, 90], "tolerance, tail, confidence"


def test_a_missing_storage_is_one_line_and_exit_code_two(run, tmp_path):
    result = run("report", tmp_path / "absent")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(tmp_path / "absent") in line


def test_a_missing_column_is_one_line_and_exit_code_two(table, write, run, tmp_path):
    result = run("report", write(tmp_path, table({}).drop(columns=["val_loss"])))
    assert result.exit_code == 2
    assert "no column 'val_loss'" in result.stderr


def test_an_output_that_is_full_is_one_line_and_exit_code_one(table, write, tmp_path):
    storage = write(tmp_path, table(*small()))
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "analysis", "report", storage],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(analysis.__file__).parents[1],
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "(No space left" in line


def test_loading_a_sweep_needs_neither_matplotlib_nor_another_package(table, write, tmp_path):
    storage = write(tmp_path, table(*small()))
    script = (
        "import sys, analysis\n"
        f"print(len(analysis.load_trials({str(storage)!r})))\n"
        "heavy = {'matplotlib', 'scipy.stats', 'torch', 'ray', 'hedgecore', 'sweeps',"
        " 'search_spaces'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(analysis.__file__).parents[1],
    )
    assert done.stdout.splitlines() == ["6", "[]"]


def at_seeds(**more):
    """Two learning rates at three seeds; the second is worse by 0.1 everywhere."""
    return [
        {"sparsity": 0.8, "lr": lr, "seed": seed, "cvar_05": -3.0 - loss, "val_loss": 3.0 + loss}
        | more
        for lr, loss in ((1e-3, 0.0), (5e-4, 0.1))
        for seed in range(3)
    ]


def test_several_seeds_get_a_section_a_table_and_a_figure(table, write, run, tmp_path):
    storage = write(tmp_path, table(*at_seeds()))
    said = run("report", storage).output
    assert "Seeds (3)" in said
    assert "-0.100" in said
    assert (storage / "report" / "figures" / "seeds.png").stat().st_size > 0
    read = pd.read_csv(storage / "report" / "seeds.csv")
    assert read["difference"].dropna().tolist() == pytest.approx([-0.1])


def test_of_one_seed_nothing_is_said(table, write, run, tmp_path):
    rows = [{"sparsity": 0.8, "lr": lr} for lr in (1e-3, 5e-4)]
    storage = write(tmp_path, table(*rows))
    said = run("report", storage).output
    assert "Seeds" not in said
    assert "same seeds" not in said
    assert not (storage / "report" / "seeds.csv").exists()


def audited_storage(table, write, tmp_path, *, audited):
    stopped = {"sparsity": 0.8, "lr": 5e-4, "status": "stopped", "stopped_at": 8, "val_loss": 3.4}
    end = {"audited": audited, "audit_val_loss": 2.9 if audited else None}
    trials = table({"sparsity": 0.8, "val_loss": 3.0}, stopped | end)
    epochs = pd.DataFrame(
        {"trial_id": ["t0000", "t0001"], "epoch": [8, 8], "val_loss": [3.1, 3.4]}
    )
    storage = write(tmp_path, trials, epochs)
    rule = {"metric": "val_loss", "mode": "min", "stratify_by": ["sparsity"]}
    manifest = {"name": "n", "audit": 0.2, "scheduler": {"asha": rule}}
    (storage / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return storage


def test_an_audit_of_early_stopping_is_reported_and_drawn(table, write, run, tmp_path):
    storage = audited_storage(table, write, tmp_path, audited=True)
    stopped, false_stops, within, regret, *_ = section(
        run("report", storage).output, "Early stopping, audited"
    )
    assert numbers(stopped) == [1, 1, 20], "stopped, run on, chance in per cent"
    assert numbers(false_stops)[:2] == numbers(within)[:2] == [1, 1]
    assert numbers(regret)[0] == 0.1
    assert (storage / "report" / "figures" / "early_stopping_audit.png").stat().st_size > 0
    assert pd.read_csv(storage / "report" / "early_stopping.csv")["false_stops"].tolist() == [1, 1]


def test_an_audit_without_trials_is_one_line(table, write, run, tmp_path):
    storage = audited_storage(table, write, tmp_path, audited=False)
    (line,) = section(run("report", storage).output, "Early stopping, audited")
    assert numbers(line) == [20, 1], "chance in per cent, stopped"
    assert not (storage / "report" / "audit.csv").exists()


def test_a_table_from_before_audits_is_reported(table, write, run, tmp_path):
    older = table(*small()).drop(columns=["audited", "audit_val_loss", "reason"])
    result = run("report", write(tmp_path, older))
    assert result.exit_code == 0
    assert "audited" not in result.output
