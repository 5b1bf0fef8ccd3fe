"""The spike generator on a recording: errors over seeds, few parameters, sizes, noisy backends.

    python benchmarks/spiqgan_recording.py [--data FILE] [--only seeds small sizes backends]
        [--seeds 5] [--out runs/spiqgan-recording] [--picture docs/spiqgan_sizes.png]

seeds     weights a bin, N = 4, T = 8; medians over seeds; trained controls with the first seed
small     weights shared or recurrent, fewer than 150 parameters; medians over seeds
sizes     N = 4, 6, 8, 10 at T = 8: parameters and errors beside Spike-GAN and the classical network
backends  the first seed's generator on aer and fake_fez, with and without readout mitigation

Every entry is a run of ``qbrain run spiqgan`` in a folder of its own; finished ones are not run
again. Two runs at a time, one core each. Errors are against test trials that neither training nor
stopping ever saw; the noise floor is what the training trials themselves have.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

RECORDING = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "marre2014_retina_50x283041.npz"
)
PARTS = ("seeds", "small", "sizes", "backends")
ERRORS = ("rate_error", "covariance_rmse", "kl_count_bin", "kl_count_window", "lag1_error")
SIZES = (4, 6, 8, 10)
# larger registers get fewer and smaller steps, on all generators alike
SIZE_STEPS = {4: 4000, 6: 3000, 8: 2000, 10: 1000}
SIZE_BATCH = {4: 256, 6: 128, 8: 128, 10: 64}


def run(folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """One run in a process of its own on one core; its JSON object."""
    if (folder / "run.toml").exists():
        command = ["resume", str(folder)]
    else:
        command = ["run", "spiqgan", *options, "--out", str(folder)]
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    done = subprocess.run(
        [sys.executable, "-m", "qbrain.experiments.cli", *command, "--json"],
        env={**os.environ, "XLA_FLAGS": flags, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{folder}: {done.stderr.strip()}")
    print(f"{folder.name}: done", file=sys.stderr, flush=True)
    return dict(json.loads(done.stdout))


def all_runs(jobs: dict[str, list[str]], out: Path) -> dict[str, dict[str, Any]]:
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: run(out / name, jobs[name]), jobs)
        return dict(zip(jobs, found, strict=True))


def table(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Median and range over seeds of each source's errors."""
    names = ("parameters", *ERRORS, "seconds")
    print(f"{'':44s}" + "".join(f"{name:>17s}" for name in names))
    for label, found in rows.items():
        cells = []
        for name in names:
            values = [row[name] for row in found if row.get(name) is not None]
            cells.append(f"{statistics.median(values):17.4g}" if values else f"{'–':>17s}")
        print(f"{label:44s}" + "".join(cells))
        if len(found) > 1:
            worst = [
                f"{max(values):17.4g}" if name in ERRORS and values else " " * 17
                for name in names
                for values in [[r[name] for r in found if r.get(name) is not None]]
            ]
            print(f"{'    largest':44s}" + "".join(worst))


def by_source(results: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        for row in result["sources"]:
            found.setdefault(row["name"], []).append(row)
        floor = {name: result[f"floor_{name}"] for name in ERRORS[:4]}
        found.setdefault("training", []).append(floor)
    return found


def seeds_part(common: list[str], seeds: int, out: Path) -> None:
    # the controls that are trained take as long as the generator: with the first seed
    jobs = {
        f"bin-{seed}": [*common, "--seed", str(seed), *([] if seed else ["--controls", "all"])]
        for seed in range(seeds)
    }
    results = all_runs(jobs, out)
    print(f"\nWeights a bin, N = 4, T = 8, {seeds} seeds: median, largest")
    table(by_source(list(results.values())))


def small_part(common: list[str], seeds: int, out: Path) -> None:
    kinds = {
        "shared": ["--weights-per", "shared"],
        "recurrent": ["--weights-per", "recurrent", "--generator-batch", "64"],
    }
    jobs = {
        f"{kind}-{seed}": [*common, *options, "--seed", str(seed)]
        for kind, options in kinds.items()
        for seed in range(seeds)
    }
    results = all_runs(jobs, out)
    for kind in kinds:
        print(f"\nWeights {kind}, {seeds} seeds: median, largest")
        table(by_source([results[f"{kind}-{seed}"] for seed in range(seeds)]))


def sizes_part(data: list[str], out: Path, picture: Path) -> None:
    jobs = {
        f"neurons-{n}": [
            *data, "--neurons", str(n), "--seed", "0", "--training-steps", str(SIZE_STEPS[n]),
            "--generator-batch", str(SIZE_BATCH[n]),
            "--controls", "all" if n == 4 else "dichotomised-gaussian,classical,spike-gan",
        ]
        for n in SIZES
    }  # fmt: skip
    # four neurons are the first seed of the first part
    jobs = {("bin-0" if name == "neurons-4" else name): job for name, job in jobs.items()}
    results = all_runs(jobs, out)
    results["neurons-4"] = results["bin-0"]
    rows: dict[str, list[dict[str, Any]]] = {}
    for n in SIZES:
        print(f"\nN = {n}, {SIZE_STEPS[n]} steps of {SIZE_BATCH[n]} windows")
        own = by_source([results[f"neurons-{n}"]])
        table(own)
        for source, (row,) in own.items():
            rows.setdefault(source, []).append({**row, "neurons": n})
    draw_sizes(rows, picture)


def draw_sizes(rows: dict[str, list[dict[str, Any]]], picture: Path) -> None:
    """Parameters and errors against N, one line a generator."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown = {
        "generator": ("quantum, weights a bin", "#0072B2", "o"),
        "classical": ("classical network of as many parameters", "#D55E00", "s"),
        "spike-gan": ("Spike-GAN at its own size", "#009E73", "^"),
        "dichotomised-gaussian": ("dichotomised Gaussian", "#CC79A7", "D"),
        "training": ("noise floor: the training trials", "#777777", "."),
    }
    panels = ("parameters", *ERRORS[:4])
    figure, axes = plt.subplots(1, len(panels), figsize=(16, 3.6), constrained_layout=True)
    for axis, name in zip(axes, panels, strict=True):
        for source, (label, colour, mark) in shown.items():
            if source in rows and (name != "parameters" or source != "training"):
                own = rows[source]
                axis.plot(
                    [row["neurons"] for row in own], [row[name] for row in own],
                    color=colour, marker=mark, label=label,
                )  # fmt: skip
        axis.set(xlabel="neurons N", title=name.replace("_", " "), yscale="log")
        axis.set_xticks(SIZES)
    axes[0].set_ylabel("numbers that describe it")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.suptitle("Salamander retina, 8 bins of 20 ms, held-out trials; simulated exactly")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)
    print(f"\n{picture}")


def backends_part(common: list[str], out: Path) -> None:
    weights = out / "bin-0" / "weights.npz"
    if not weights.exists():
        run(out / "bin-0", [*common, "--seed", "0", "--controls", "all"])
    jobs = {
        f"on-{backend}": [
            *common, "--weights", str(weights), "--seed", "0", "--backend", backend,
            "--noise-points", "200", "--shots", "400",
        ]
        for backend in ("aer", "fake_fez")
    }  # fmt: skip
    for name, result in all_runs(jobs, out).items():
        print(
            f"\n{name}: {result['circuits']} circuits, validated {result['validated']}, "
            f"{result['two_qubit_gates']} two-qubit gates each at most"
        )
        table(by_source([result]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=RECORDING)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/spiqgan-recording"))
    parser.add_argument("--picture", type=Path, default=Path("docs/spiqgan_sizes.png"))
    given = parser.parse_args()
    if given.data == RECORDING and not RECORDING.exists():
        print("not run: the recording is not here, and --data names none")
        return
    if not given.data.exists():
        raise SystemExit(f"data: wanted a recording, got {given.data}, which is not there")
    data = ["--data", str(given.data)]
    common = [*data, "--neurons", "4"]
    given.out.mkdir(parents=True, exist_ok=True)
    if "seeds" in given.only:
        seeds_part(common, given.seeds, given.out)
    if "small" in given.only:
        small_part(common, given.seeds, given.out)
    if "sizes" in given.only:
        sizes_part(data, given.out, given.picture)
    if "backends" in given.only:
        backends_part(common, given.out)


if __name__ == "__main__":
    main()
