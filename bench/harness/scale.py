# SPDX-License-Identifier: BSL-1.0
"""Where a value lies on an axis, and which values are worth a tick."""
import math

MARGIN = 26  # for half a tick's text at both ends


class Linear:
    """From 0 to the greatest of `values`."""

    base = 0

    def __init__(self, values, width):
        self.end = max([v for v in values if v > 0], default=1)
        self.width = width - 2 * MARGIN

    def place(self, value):
        return MARGIN + self.width * max(value, 0) / self.end

    def ticks(self):
        step = 10 ** math.floor(math.log10(self.end / 2))
        step *= next(factor for factor in (1, 2, 5, 10) if self.end / (step * factor) <= 5)
        return [(i * step, f"{i * step:g}") for i in range(int(self.end / step) + 1)]


class Logarithmic:
    """Over all ratios in `values`, and 1, where bars begin."""

    base = 1

    def __init__(self, values, width):
        positive = [v for v in values if v > 0] + [1]
        self.low = math.log10(min(positive) / 1.1)
        self.high = math.log10(max(max(positive) * 1.1, 2))
        self.width = width - 2 * MARGIN

    def place(self, value):
        exponent = math.log10(value) if value > 0 else self.low
        return MARGIN + self.width * (exponent - self.low) / (self.high - self.low)

    def ticks(self):
        decades = self.high - self.low
        factors = (1,) if decades > 3 else (1, 2, 5) if decades > 0.7 else (1, 1.2, 1.5, 2, 3, 5, 7)
        values = (factor * 10 ** decade for factor in factors
                  for decade in range(math.floor(self.low), math.ceil(self.high) + 1))
        return [(v, f"{v:g}×") for v in sorted(values) if self.low <= math.log10(v) <= self.high]
