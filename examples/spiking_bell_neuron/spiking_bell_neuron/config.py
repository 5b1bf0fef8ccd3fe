"""Configuration of a run: the two states, the controller, the circuits."""

import math

from qbrain import BaseConfig, NotApplicable, analysis_field, circuit_field, model_field


class BellNeuronConfig(BaseConfig):
    """Two Bell states under comparison; angles in rad, times in steps of the controller."""

    phase: float = model_field(2.0, description="phase φ of the state under comparison at step 0")
    drift: float = model_field(0.02, description="by how much φ grows in every step")
    start: float = model_field(0.0, description="correction θ at step 0")
    gain: float = model_field(0.5, gt=0, lt=2, description="correction for each unit of sin(φ-θ)")
    turns: int = model_field(1, ge=1, le=20, description="turns of an output that is not to spike")
    dither: float = circuit_field(
        0.8, gt=0, lt=math.pi, description="θ is varied by ± this angle to see the error's sign"
    )
    steps: int = analysis_field(20, ge=1, description="corrections; steps+1 comparisons are made")

    def refuse_ignored(self) -> None:
        """Refuse what has no meaning, then what would have no effect."""
        if math.cos(self.phase - self.start) < -1 + 1e-9:
            raise NotApplicable(f"phase: wanted one not opposite to start, got {self.phase}")
        super().refuse_ignored()
