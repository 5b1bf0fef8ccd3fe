"""The picture of a sweep: a metric over one swept name, with the trajectories; a map over two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..report.figure import EXACT, MEASURED
from ..report.page import backend_in_words

__all__ = ["sweep_figure"]

Array = NDArray[np.float64]
_MOST_TICKS = 9
_MOST_CURVES = 7  # named one by one; more are told apart by a colour bar
_MOST_NUMBERS = 60  # cells of a map that hold their number
_MOST_DRAWN = 400  # curves


def sweep_figure(data: xr.Dataset) -> Figure:
    """The first metric of a sweep against its swept name, and its first series over time.

    Over two names the metric is a map; over more, a map over the first two with the others at their
    first value, which the title says. A name of a single value counts among the others.

    Args:
        data: a sweep's dataset.
    """
    names = [str(name) for name in data.status.dims]
    wide = [name for name in names if data.sizes[name] > 1][:2] or names[:1]
    held = {name: data[name].values[0] for name in names if name not in wide}
    chosen = data.isel(dict.fromkeys(held, 0))
    title = _title(data, wide, held)
    if len(wide) == 1:
        return _over_one(chosen, _Axis.of(chosen, wide[0]), title)
    return _over_two(chosen, _Axis.of(chosen, wide[0]), _Axis.of(chosen, wide[1]), title)


@dataclass(frozen=True)
class _Axis:
    """A swept name: its values in the order of the picture, where they are drawn, and how."""

    name: str
    label: str
    order: NDArray[np.int64]
    values: NDArray[Any]
    numeric: bool
    logarithmic: bool

    @classmethod
    def of(cls, data: xr.Dataset, name: str) -> _Axis:
        values = data[name].values
        numeric = values.dtype.kind in "iuf"
        order = np.argsort(values, kind="stable") if numeric else np.arange(values.size)
        label = _with_unit(name, data[name])
        return cls(name, label, order, values[order], numeric, numeric and _geometric(values))

    @property
    def places(self) -> Array:
        """Where the values are drawn: words one beside the other."""
        places = self.values if self.numeric else np.arange(self.values.size)
        return np.asarray(places, dtype=float)

    def text(self, index: int) -> str:
        """A value in a few characters."""
        value = self.values[index]
        return f"{value:.4g}" if self.numeric else str(value)

    @property
    def texts(self) -> list[str]:
        """All values, in order."""
        return [self.text(k) for k in range(self.values.size)]

    @property
    def norm(self) -> Normalize:
        """From values to colours."""
        kind = LogNorm if self.logarithmic else Normalize
        return kind(float(self.places.min()), float(self.places.max()))


def _geometric(values: NDArray[Any]) -> bool:
    """Whether values lie more evenly on a logarithmic axis, over more than a decade."""
    found = np.sort(values.astype(float))
    if found[0] <= 0 or found.size < 3 or found[-1] < 10 * found[0]:
        return False
    steps, ratios = np.diff(found), np.diff(np.log(found))
    return bool(np.ptp(ratios) / ratios.mean() < np.ptp(steps) / steps.mean())


def _with_unit(text: str, variable: xr.DataArray) -> str:
    unit = str(variable.attrs.get("units", "1"))
    return text if unit == "1" else f"{text} ({unit})"


def _named(variable: xr.DataArray) -> str:
    return _with_unit(str(variable.attrs.get("long_name", variable.name)), variable)


def _title(data: xr.Dataset, wide: Sequence[str], held: dict[str, Any]) -> str:
    backends = [str(x) for x in np.atleast_1d(_setting(data, "backend"))]
    where = backend_in_words(backends[0]) if len(backends) == 1 else ", ".join(backends)
    kept = "".join(f", {name} = {_short(value)}" for name, value in held.items())
    what = str(data.attrs["title"]).removesuffix(": a sweep")
    return f"{what} over {' and '.join(wide)}{kept}: {where}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _setting(data: xr.Dataset, name: str) -> Any:
    return data[name].values if name in data.coords else data.attrs[name]


def _first(data: xr.Dataset, series: bool) -> str | None:
    """The first series, or the first metric, that has any number."""
    dims = set(data.status.dims)
    for name, variable in data.data_vars.items():
        beyond = set(variable.dims) - dims
        wanted = beyond in ({"time"}, {"sample"}) if series else not beyond
        number = variable.dtype.kind in "fiu" and name != "sample_time"
        if wanted and number and bool(variable.notnull().any()):
            return str(name)
    return None


def _over_one(data: xr.Dataset, axis: _Axis, title: str) -> Figure:
    metric, series = _first(data, series=False), _first(data, series=True)
    panels = 2 if metric and series else 1
    figure = Figure(figsize=(5.2 * panels, 4.2), layout="constrained")
    figure.suptitle(_wrapped(title, 62 * panels), fontsize=10, x=0.01, ha="left")
    places = list(figure.subplots(1, panels, squeeze=False)[0])
    if metric or not series:
        _metric_panel(places[0], data, axis, metric)
    if series:
        _curves_panel(figure, places[-1], data, axis, series)
    for axes in places:
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _metric_panel(axes: Axes, data: xr.Dataset, axis: _Axis, metric: str | None) -> None:
    axes.set_xlabel(axis.label)
    _ticks(axes, axis)
    if metric is None:
        _say_nothing(axes)
        return
    values = data[metric].values[axis.order]
    line = "-" if axis.numeric else ""
    named = metric == "fit_rmse" or metric.startswith("rmse")
    colour = MEASURED if named else EXACT
    label = "measured against exact" if named else None
    spread = data.get(f"{metric}_stderr")
    if spread is None:
        axes.plot(axis.places, values, "o", ls=line, ms=5, lw=1.2, color=colour, label=label)
    else:
        bars = 1.96 * spread.values[axis.order]
        axes.errorbar(
            axis.places, values, bars, fmt="o", ls=line, ms=5, lw=1.2, color=colour, label="95 %"
        )
    if named:
        _shots_alone(axes, data, axis, "fit_shot_error" if metric == "fit_rmse" else "shot_error")
        axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
    axes.set_ylabel(_wrapped(_named(data[metric]), 48))


def _shots_alone(axes: Axes, data: xr.Dataset, axis: _Axis, name: str) -> None:
    if name in data:
        values = data[name].values[axis.order]
        axes.plot(axis.places, values, "_--" if axis.numeric else "_", lw=1, color="#64748b",
                  label="shots alone")  # fmt: skip


def _say_nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no point has a number", transform=axes.transAxes, ha="center")


def _ticks(axes: Axes, axis: _Axis) -> None:
    if axis.logarithmic:
        axes.set_xscale("log")
    if not axis.numeric or axis.values.size <= _MOST_TICKS:
        shown = _thinned(axis.values.size)
        axes.set_xticks(axis.places[shown], [axis.text(k) for k in shown], **_turned(axis, shown))
        axes.minorticks_off()


def _turned(axis: _Axis, shown: Sequence[int]) -> dict[str, Any]:
    """Long texts stand aslant."""
    long = sum(len(axis.text(k)) + 2 for k in shown) > 50
    return {"rotation": 30, "ha": "right"} if long else {}


def _thinned(size: int) -> list[int]:
    step = -(-size // _MOST_TICKS)
    return list(range(0, size, step))


def _curves_panel(figure: Figure, axes: Axes, data: xr.Dataset, axis: _Axis, series: str) -> None:
    palette = matplotlib.colormaps["viridis"]
    size = axis.values.size
    few = size <= _MOST_CURVES or not axis.numeric
    norm = Normalize(0, max(size - 1, 1)) if few else axis.norm
    exact = f"exact_{series}" if f"exact_{series}" in data else None
    step = -(-size // _MOST_DRAWN)
    for k in range(0, size, step):
        point = data.isel({axis.name: int(axis.order[k])})
        colour = palette(0.9 * float(norm(k if few else axis.places[k])))
        times = _times(point)
        style: dict[str, Any] = {"color": colour, "lw": 1.3 if size <= 20 else 0.8}
        label = f"{axis.name} = {axis.text(k)}" if few and size <= 12 else None
        if exact is not None and not np.array_equal(
            point[exact].values, point[series].values, equal_nan=True
        ):
            axes.plot(times, point[exact], ls="--", alpha=0.7, **style)
            axes.plot(times, point[series], "o-", ms=2.5, label=label, **style)
        else:
            axes.plot(times, point[series], label=label, **style)
    clock = data.sample_time if "sample_time" in data else data.time
    axes.set_xlabel(_with_unit("time", clock))
    axes.set_ylabel(_wrapped(_named(data[series]), 48))
    if not few:
        mappable = ScalarMappable(norm, _cut(palette))
        figure.colorbar(mappable, ax=axes, label=axis.label)
    elif size <= 12:
        dashed = exact is not None and any(line.get_linestyle() == "--" for line in axes.lines)
        axes.legend(
            fontsize=8, frameon=False, title="dashed: exact" if dashed else None,
            title_fontsize=8, loc="best",
        )  # fmt: skip


def _cut(palette: Colormap) -> Colormap:
    """Without its lightest colours, which a white page swallows."""
    colours = palette(np.linspace(0, 0.9, 256))
    return ListedColormap(colours)


def _times(point: xr.Dataset) -> Array:
    own = "sample_time" in point
    return np.asarray((point.sample_time if own else point.time).values, dtype=float)


def _over_two(data: xr.Dataset, across: _Axis, up: _Axis, title: str) -> Figure:
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    figure.suptitle(_wrapped(title, 88), fontsize=10, x=0.01, ha="left")
    axes = figure.subplots()
    axes.set_xlabel(across.label)
    axes.set_ylabel(up.label)
    metric = _first(data, series=False)
    if metric is None:
        _say_nothing(axes)
        return figure
    grid = data[metric].transpose(up.name, across.name).values.astype(float)
    grid = grid[np.ix_(up.order, across.order)]
    axes.set_facecolor("#cbd5e1")
    mesh = axes.pcolormesh(
        np.arange(across.values.size), np.arange(up.values.size), grid,
        shading="nearest", cmap="viridis",
    )  # fmt: skip
    for axis, place in ((across, axes.xaxis), (up, axes.yaxis)):
        shown = _thinned(axis.values.size)
        place.set_ticks(shown, [axis.text(k) for k in shown])
    if _turned(across, _thinned(across.values.size)):
        axes.tick_params(axis="x", rotation=30)
    if grid.size <= _MOST_NUMBERS:
        _write_numbers(axes, grid)
    bar = figure.colorbar(mesh, ax=axes)
    bar.set_label(_wrapped(_named(data[metric]), 60))
    return figure


def _write_numbers(axes: Axes, grid: Array) -> None:
    middle = (np.nanmax(grid) + np.nanmin(grid)) / 2
    for (row, column), value in np.ndenumerate(grid):
        text = "failed" if np.isnan(value) else f"{value:.3g}"
        dark = not np.isnan(value) and value < middle
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8,
            color="white" if dark else "#0f172a",
        )  # fmt: skip


def _wrapped(text: str, width: int) -> str:
    """The text in lines of about ``width`` characters."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] += ("" if not lines[-1] else " ") + word
    return "\n".join(lines)
