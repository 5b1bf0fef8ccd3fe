"""What an error means, by thresholds that the sentence names."""

from __future__ import annotations

__all__ = ["follow_verdict"]


def follow_verdict(
    what: str, where: str, error: float, noise: float, near: tuple[float, str], rough: float
) -> tuple[str, str]:
    """(style, sentence) of a run that was to follow an exact curve.

    Args:
        what: the curve, such as ``the exact voltage``.
        where: the numbers, as a sentence.
        error: RMSE of the run.
        noise: RMSE that shots alone would give.
        near: an error that is good in any case, and its words.
        rough: an error past which nothing was followed.
    """
    # the RMS of shot noise alone scatters by 10 to 20 % over a run's points
    if error <= 1.25 * noise:
        return "good", f"Followed {what} within shot noise. {where}"
    if error <= near[0]:
        return "good", f"Followed {what} to {near[1]}. {where}"
    if error <= rough:
        return "fair", f"Followed {what} only roughly. {where}"
    return "poor", f"Did not follow {what}. {where}"
