"""Folders of Kilosort and Phy: a spike's sample and cluster each, the rate in `params.py`.

Phy runs `params.py` as a program; here only its assignments of plain values are read.
"""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .columns import found_of_columns
from .reading import Account, Reading, readable, shown
from .recording import Found
from .safe_arrays import load_arrays

__all__ = ["is_phy", "read_phy"]

_TIMES = "spike_times.npy"
_CLUSTERS = ("spike_clusters.npy", "spike_templates.npy")
_GROUPS = ("cluster_group.tsv", "cluster_group.csv", "cluster_KSLabel.tsv")
_LONGEST = 1_000_000  # bytes of params.py and of the labels


def is_phy(folder: Path) -> bool:
    """Whether a folder has the spikes of Kilosort or Phy."""
    return (folder / _TIMES).is_file()


def read_phy(folder: Path, reading: Reading) -> Found:
    """The sorted spikes of a folder, without the clusters that are labelled noise.

    Raises:
        ConfigError: files that are missing, damaged or of different lengths; no sampling rate.
    """
    reading.refuse("a folder of Phy has one list of spikes", "variable")
    samples = _column(folder / _TIMES)
    files = [folder / name for name in _CLUSTERS if (folder / name).is_file()]
    if not files:
        raise ConfigError(f"data: wanted {' or '.join(_CLUSTERS)} in {folder.name}, got none")
    clusters = _column(files[0])
    if len(clusters) != len(samples):
        raise ConfigError(
            f"data: wanted as many clusters as spikes in {folder.name}, got {len(clusters)} and "
            f"{len(samples)}"
        )
    account = Account([f"clusters of {files[0].name}"])
    noise = _noise(folder, account)
    sorted_ = ~np.isin(clusters, sorted(noise))
    if not sorted_.all():
        account.cuts.append(
            f"{int((~sorted_).sum())} spikes of clusters labelled noise were left out"
        )
    names, codes = np.unique(clusters[sorted_], return_inverse=True)
    return found_of_columns(
        {"neuron": (codes.astype(np.int64), names.tolist())},
        samples[sorted_].astype(np.float64),
        reading,
        name=folder.name,
        form="Phy or Kilosort folder",
        unit="samples",
        unit_from="Phy",
        rate=_rate(folder),
        account=account,
    )


def _column(file: Path) -> NDArray[Any]:
    array = np.asarray(load_arrays(file, ".npy")["array"])
    if array.size != max(array.shape, default=0) or array.dtype.kind not in "iuf":
        raise ConfigError(
            f"data: wanted a list of numbers in {file.name}, got shape {array.shape} of "
            f"{array.dtype}"
        )
    return array.ravel()


def _rate(folder: Path) -> float | None:
    """`sample_rate` of params.py, which is not run; None without it."""
    file = folder / "params.py"
    if not file.is_file():
        return None
    with readable(file, "params.py"):
        if file.stat().st_size > _LONGEST:
            raise ConfigError(f"data: wanted a short params.py, got {file.stat().st_size} bytes")
        tree = ast.parse(file.read_text(encoding="utf-8-sig"))
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if "sample_rate" not in names:
            continue
        try:
            rate = float(ast.literal_eval(node.value))
        except (TypeError, ValueError):
            rate = np.nan
        if not 0 < rate < np.inf:
            raise ConfigError(
                "data: wanted sample_rate in params.py as a number > 0, got "
                f"{shown(ast.unparse(node.value))}"
            )
        return rate
    return None


def _noise(folder: Path, account: Account) -> set[int]:
    for name in _GROUPS:
        file = folder / name
        if not file.is_file():
            continue
        with readable(file, name), file.open(newline="", encoding="utf-8-sig") as text:
            separator = "\t" if name.endswith("tsv") else ","
            rows = list(csv.reader(text.read(_LONGEST).splitlines(), delimiter=separator))[1:]
            labels = {int(row[0]): row[1].strip() for row in rows if len(row) > 1}
        kinds = sorted(set(labels.values()))
        counts = ", ".join(f"{kind} {list(labels.values()).count(kind)}" for kind in kinds)
        account.notes.append(f"labels of {name}: {counts}; only noise is left out")
        return {cluster for cluster, label in labels.items() if label == "noise"}
    return set()
