"""Steps that no model would take: kernel calls on whatever fits, from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

import npvae as nv
from npvae import kernels
from npvae.core import layout
from npvae.executor.graph import Graph, Value

WIDTHS = (1, 3, 6)
BIASED = [name.removeprefix("bias_") for name in vars(kernels) if name.startswith("bias_")]
KINDS = [kind for kind in BIASED if not kind.endswith("_backward")]
CONSTANTS = {"leaky_relu": (0.1,), "elu": (0.7,)}
KEEPS_INPUT = ("gelu", "silu")


class Weights(nv.Part, abstract=True):
    """Weights of every shape in WIDTHS, twice, a bias of every width, and a scale."""

    def __init__(self) -> None:
        def draw(rng: Any, shape: Any) -> Any:
            return rng.normal(0, 0.5, shape)

        for o in WIDTHS:
            self.parameter(f"b{o}", (o,), draw)
            for i in WIDTHS:
                self.parameter(f"W{o}{i}", (o, i), draw)
                self.parameter(f"V{o}{i}", (o, i), draw)
        self.parameter("scale", (1,), draw)

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError

    backward = forward


class RandomStep:
    """Records calls at random; a method for each kernel or pair, which takes what it can find.

    Attributes
    ----------
    pool : list of Value, (B, F), (K, B, F) or (K·B, F)
    wide : list of Value, (K, B) float64
    """

    def __init__(self, seed: int, calls: int = 14) -> None:
        self.rng = np.random.default_rng(seed)
        self.samples, self.batch = (int(n) for n in self.rng.integers(1, (4, 7)))
        self.weights = Weights()
        self.weights.allocate(self.rng, np.float32)
        self.flat = self.weights.flat = self.weights.b1.base
        self.graph = Graph()
        for name, slot in layout(self.weights).items():
            self.graph.parameters[name] = Value(self.graph, slot.view(self.flat), name)
        self.shapes = {
            "x": (self.batch, 6),
            "context": (self.batch, 3),
            "eps": (self.samples, self.batch, 3),
        }
        for name, array in self.inputs(0.0).items():
            self.graph.inputs[name] = Value(self.graph, array, name)
        self.pool = [self.graph.inputs[name] for name in self.shapes]
        self.wide: list[Value] = []
        methods = [m for name, m in vars(RandomStep).items() if name.startswith("do_")]
        for _ in range(calls):
            methods[self.rng.integers(len(methods))](self)
        self._finish()

    def inputs(self, away: float) -> dict[str, Any]:
        """Those of the recording, or others at a distance."""
        arrays: dict[str, Any] = {}
        for name, shape in self.shapes.items():
            near, far = np.random.default_rng(len(name)).standard_normal((2, *shape), np.float32)
            arrays[name] = near + np.float32(away) * far
        return {**arrays, "beta": np.float64(0.5 + away)}

    # Finding operands

    def call(self, kernel: str, *arguments: Any) -> Any:
        return self.graph.call(getattr(kernels, kernel), *arguments)

    def parameter(self, name: str) -> Value:
        return self.graph.parameters[name]

    def keep(self, *values: Value) -> None:
        """Put values in the pool, unless they are too large to compute on with."""
        for value in values:
            if np.abs(value.example).max() < 20:
                self.pool.append(value)

    def pick(self, samples: int, width: int) -> Value:
        """A value of so many samples (1 for B rows) and this width, (samples, B, width)."""
        rows = samples * self.batch
        fitting = [v for v in self.pool if v.per_feature == rows and v.n_features >= width]
        if not fitting:
            x = self.rows_of(self.graph.inputs["eps" if samples > 1 else "x"])
            fitting = [self.call("linear", x, self.matrix(6, x.n_features))]
        value = fitting[self.rng.integers(len(fitting))]
        start = int(self.rng.integers(value.n_features - width + 1))
        if value.n_features > width:
            value = value[..., start : start + width]
        return value.reshape(samples, self.batch, width)

    def matrix(self, o: int, i: int) -> Value:
        return self.parameter(f"{'WV'[self.rng.integers(2)]}{o}{i}")

    def width(self) -> int:
        return int(self.rng.choice(WIDTHS))

    def some(self) -> int:
        return int(self.rng.choice([1, self.samples]))

    def rows_of(self, value: Value) -> Value:
        return value.reshape(-1, value.n_features)

    def weight(self) -> Value:
        """One float64 per sample and row."""
        if not self.wide:
            self.do_standard()
        return self.wide[self.rng.integers(len(self.wide))]

    def gradient(self, name: str, value: Value) -> None:
        self.graph.gradients.append((name, value))

    # What a step may do

    def do_layer(self) -> None:
        o, i = self.width(), self.width()
        x = self.rows_of(self.pick(self.some(), i))
        self.keep(h := self.call("linear", x, self.matrix(o, i)))
        self.activate(h)

    def activate(self, a: Value) -> None:
        kind = KINDS[self.rng.integers(len(KINDS))]
        b = self.parameter(f"b{a.n_features}")
        result = self.call(f"bias_{kind}", a, b, *CONSTANTS.get(kind, ()))
        self.keep(*(result if kind in KEEPS_INPUT else (result,)))

    def do_layer_backward(self) -> None:
        o, i, samples = self.width(), self.width(), self.some()
        dh, kept = (self.rows_of(self.pick(samples, o)) for _ in range(2))
        if np.abs(kept.example).max() > 4:  # slopes grow beyond the range of an h
            return
        kind = KINDS[self.rng.integers(len(KINDS))]
        saved = () if kind == "identity" else (kept,)
        da, db = self.call(f"bias_{kind}_backward", dh, *saved, *CONSTANTS.get(kind, ()))
        weight = self.matrix(o, i)
        dw = self.call("linear_dw", da, self.rows_of(self.pick(samples, i)))
        self.keep(da, self.call("linear_dx", da, weight))
        self.gradient(f"b{o}", db)
        self.gradient(weight.source, dw)
        if self.rng.random() < 0.3:  # two weights of one gradient
            self.gradient(self.matrix(o, i).source, dw)

    def do_add(self) -> None:
        samples, width = self.some(), self.width()
        self.keep(self.call("add", self.pick(samples, width), self.pick(samples, width)))
        self.do_standard()
        self.wide.append(self.call("add", self.wide[-1], self.weight()))

    def do_concat(self) -> None:
        a, c = self.pick(self.some(), self.width()), self.pick(1, self.width())
        c = c.reshape(self.batch, c.n_features)
        self.keep(self.call("concat", a, c))

    def do_concat_backward(self) -> None:
        samples = self.some()
        fitting = [
            v for v in self.pool if v.per_feature == samples * self.batch and v.n_features > 1
        ]
        if fitting:
            dy = fitting[self.rng.integers(len(fitting))].reshape(samples, self.batch, -1)
            cut = int(self.rng.integers(1, dy.n_features))
            self.keep(*self.call("concat_backward", dy, cut, (self.batch, dy.n_features - cut)))

    def do_heads(self) -> None:
        stats = self.rows_of(self.pick(1, 6))
        mu, logvar = self.call("gaussian_heads", stats, -1.0, 1.5)
        self.keep(mu, logvar)
        d = [self.rows_of(self.pick(1, 3)) for _ in range(2)]
        self.keep(self.call("gaussian_heads_backward", *d, stats, -1.0, 1.5))

    def do_sample(self) -> None:
        mu, logvar = (self.rows_of(self.pick(1, 3)) for _ in range(2))
        if np.abs(logvar.example).max() > 4:
            return
        z, std = self.call("reparameterise", mu, logvar, self.pick(self.samples, 3))
        self.keep(z, std)
        dz, eps = self.pick(self.samples, 3), self.pick(self.samples, 3)
        self.keep(*self.call("reparameterise_backward", dz, std, eps)[:2])

    def do_kl(self) -> None:
        mu, logvar = (self.rows_of(self.pick(1, 3)) for _ in range(2))
        if np.abs(logvar.example).max() < 4:
            kl = self.call("gaussian_kl", mu, logvar)
            self.keep(kl, *self.call("gaussian_kl_backward", self.pick(1, 3), mu, logvar))

    def do_log_prob(self) -> None:
        mu, logvar = (self.rows_of(self.pick(1, 3)) for _ in range(2))
        if np.abs(logvar.example).max() < 4:
            z = self.pick(self.samples, 3)
            self.wide.append(self.call("gaussian_log_prob", z, mu, logvar))
            self.keep(*self.call("gaussian_log_prob_backward", self.weight(), z, mu, logvar))

    def do_standard(self) -> None:
        z = self.pick(self.samples, 1)
        self.wide.append(self.call("standard_normal_log_prob", z))
        self.keep(self.call("standard_normal_log_prob_backward", self.weight(), z))

    def do_likelihood(self) -> None:
        theta, x = self.pick(self.samples, 6), self.rows_of(self.pick(1, 6))
        kind = self.rng.integers(3)
        if kind == 0:
            log_px, r = self.call("bernoulli", theta, x)
        elif kind == 1:
            log_px, r = self.call("gaussian", theta, x, 2.0)
        else:
            log_px, r, slope = self.call("gaussian_learnt", theta, x, self.parameter("scale"))
            d_theta, d_scale = self.call("gaussian_learnt_backward", self.weight(), r, slope)
            self.keep(d_theta)
            self.gradient("scale", d_scale)
        self.wide.append(log_px)
        self.keep(r, self.call("scale_rows", self.weight(), r))

    def do_spread(self) -> None:
        """A density with a second parameter, of each column or of each entry."""
        theta, x = self.pick(self.samples, 6), self.rows_of(self.pick(1, 6))
        if self.rng.random() < 0.5:
            log_px, r, slope = self.call("gaussian_scaled", theta, x, self.parameter("b6"))
            self.gradient("b6", self.call("sum_rows", self.weight(), slope))
        else:
            raw = self.pick(self.samples, 6)
            log_scale = self.call("bounded", raw, -1.0, 1.5)
            log_px, r, slope = self.call("student_t", theta, x, log_scale, 3.0)
            dt = self.call("scale_rows", self.weight(), slope)
            self.keep(log_scale, self.call("bounded_backward", dt, raw, -1.0, 1.5))
        self.wide.append(log_px)
        self.keep(r, slope)

    def do_mixture(self) -> None:
        """Of parameters, or of what was computed, (B, 3) as M components."""
        z = self.pick(self.samples, 3)
        mu, logvar = self.parameter("W33"), self.parameter("V33")
        if self.rng.random() < 0.5:
            mu, logvar = (self.rows_of(self.pick(1, 3)) for _ in range(2))
            if np.abs(logvar.example).max() > 4:
                return
        logits = np.zeros(len(mu), np.float32)
        logits.flags.writeable = False
        log_p, r = self.call("mixture_log_prob", z, mu, logvar, logits)
        dz, dmu, dlogvar, _ = self.call(
            "mixture_log_prob_backward", self.weight(), z, mu, logvar, logits, r
        )
        self.wide.append(log_p)
        self.keep(dz)
        if mu.source == "W33":
            self.gradient("W33", dmu)
            self.gradient("V33", dlogvar)
        else:
            self.keep(dmu, dlogvar)

    def do_take(self) -> None:
        x = self.rows_of(self.pick(1, 6))
        taken = tuple(self.rng.permutation(6)[:3].tolist())
        self.keep(self.call("take_columns", x, taken))
        self.keep(self.call("filled", x), self.call("known", x))

    def do_objective(self) -> None:
        rec, d = self.call("mean_loss", self.weight())
        total, d_kl = self.call("kl_loss", self.pick(1, 3), self.graph.inputs["beta"], 0.05)
        self.wide.append(d)
        self.keep(d_kl)
        self.graph.losses = (
            self.call("weighted_loss", rec, total, self.graph.inputs["beta"]), rec, total,
        )  # fmt: skip

    def do_iwae(self) -> None:
        log_ws = [self.weight() for _ in range(3)]
        *self.graph.losses, d, minus_d = self.call("iwae", *log_ws)
        self.wide += [d, minus_d]

    def do_python(self) -> None:
        """A user's part, in the type that NumPy makes of it."""
        z, c = self.pick(self.samples, 3), self.rows_of(self.pick(1, 3))
        b = self.parameter("b3")

        def run(state: Any, z: Any, c: Any, b: Any, w: Any) -> list[Any]:
            z = np.tanh(z) * w[..., None] / 20 + c
            z -= b
            return [z, z[..., :1], z[..., 0], z.sum((0, 1))]

        y, view, density, db = self.graph.run("python", (z, c, b, self.weight()), run, "a test")
        self.wide.append(density)
        self.keep(y, view)
        self.gradient("b3", db)

    def _finish(self) -> None:
        """Use what is left, so that everything is seen in a gradient or a loss."""
        for value in self.pool:
            if value.n_features in WIDTHS:
                rows = self.rows_of(value)
                da, db = self.call("bias_identity_backward", rows)
                self.gradient(f"b{value.n_features}", db)
                source = self.rows_of(self.pick(value.per_feature // self.batch, 3))
                self.gradient(f"W{value.n_features}3", self.call("linear_dw", da, source))
        if not self.graph.losses or self.rng.random() < 0.5:
            self.do_objective()
