"""Runs whose results are pinned in golden.npz and golden.json: one a system and form."""

LMG = ["lmg", "--time", "4", "--shots", "500", "--seed", "3"]
SMALL = [*LMG, "--neurons", "4", "--gamma", "0.8", "--steps", "5"]
NEURON = ["hodgkin-huxley", "--time", "4", "--steps", "16", "--shots", "300", "--seed", "3"]
BATH = ["open-system", "--time", "1.5", "--steps", "6", "--seed", "3"]
PAIRS = ["qlif", "--pairs", "6", "--ticks", "120", "--seed", "3"]
SPIKES = [
    "spiqgan", "--neurons", "2", "--bins", "2", "--layers", "1", "--training-steps", "4",
    "--trials", "40", "--samples", "400", "--seed", "3", "--controls", "independent",
]  # fmt: skip
# version 0.1 knew no noise of waiting qubits
FEZ = ["--backend", "fake_fez", "--noise", "gates"]
ON_SPIKES = [*SPIKES, "--noise-points", "4", "--shots", "200"]

RUNS: dict[str, list[str]] = {
    "lmg-exact": [*LMG, "--neurons", "4", "--steps", "5", "--backend", "exact"],
    "lmg-statevector": [*SMALL, "--backend", "statevector"],
    "lmg-replay": [*SMALL, "--tau-f", "1", "--field", "0.3", "--backend", "aer"],
    "lmg-incremental": [*SMALL, "--evolution", "incremental", "--backend", "aer"],
    "lmg-replay-noise": [*SMALL, *FEZ],
    "lmg-mitigated": [
        *SMALL, *FEZ, "--mitigation", "parity+readout+echo+zne",
        "--placements", "2",
    ],
    "lmg-zero": [*SMALL, "--gamma", "1", *FEZ, "--mitigation", "zero"],
    "lmg-fast-forward": [*SMALL, "--evolution", "fast-forward", *FEZ],
    "lmg-afterwards": [
        *SMALL, "--evolution", "fast-forward", "--dispatch", "afterwards", *FEZ,
    ],
    "lmg-orbit": [*SMALL, "--evolution", "orbit", "--encoding", "dicke", *FEZ],
    "lmg-orbit-qubits": [*SMALL, "--evolution", "orbit", "--backend", "aer"],
    "lmg-relax": [*SMALL, "--evolution", "relax", "--encoding", "dicke", *FEZ],
    "lmg-sector": [
        *SMALL, "--encoding", "dicke", "--synthesis", "isometry", *FEZ,
        "--mitigation", "echo",
    ],
    "lmg-sector-formula": [
        *SMALL, "--encoding", "dicke", "--synthesis", "trotter", "--field", "0.2", "--backend",
        "aer",
    ],
    "hodgkin-huxley-exact": [
        "hodgkin-huxley", "--time", "4", "--steps", "16", "--seed", "3", "--backend", "exact",
    ],
    "hodgkin-huxley-aer": [*NEURON, "--backend", "aer"],
    "hodgkin-huxley-full": [
        *NEURON, "--channel", "full", "--drive", "constant", "--amplitude", "10", "--steps", "40",
        "--backend", "aer",
    ],
    "hodgkin-huxley-channels": [*NEURON, "--reading", "channels", "--window", "2"],
    "hodgkin-huxley-noise": [*NEURON, *FEZ, "--mitigation", "reference"],
    "open-system-exact": [*BATH, "--backend", "exact"],
    "open-system-aer": [
        *BATH, "--shots", "300", "--extrapolation", "richardson", "--substeps", "2",
    ],
    "open-system-homeostasis": [*BATH, "--shots", "300", "--controller", "homeostasis"],
    "open-system-noise": [
        *BATH, "--shots", "300", *FEZ, "--mitigation", "readout",
    ],
    "qlif-exact": [*PAIRS, "--backend", "exact"],
    "qlif-table": [*PAIRS, "--backend", "aer", "--shots", "300"],
    "qlif-noise": [*PAIRS, *FEZ, "--shots", "300", "--mitigation", "readout"],
    "qlif-live": [
        "qlif", "--pairs", "2", "--ticks", "8", "--seed", "3", "--circuits", "live",
        "--backend", "aer",
    ],
    "qlif-group": [
        "qlif", "--pairs", "4", "--group", "3", "--ticks", "60", "--seed", "3", "--shots", "300",
    ],
    "spiqgan-exact": SPIKES,
    "spiqgan-aer": [*ON_SPIKES, "--backend", "aer"],
    "spiqgan-noise": [*ON_SPIKES, *FEZ],
    "spiqgan-words": [*ON_SPIKES, "--emission", "words", *FEZ],
    "spiqgan-recurrent": [
        *ON_SPIKES, "--weights-per", "recurrent", "--emission", "words", "--backend", "aer",
    ],
}  # fmt: skip
