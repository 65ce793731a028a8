"""Writes reference.json: what scipy and statsmodels say of the test cases.

    pip install scipy==1.17.1 statsmodels==0.15.0
    python reference.py > reference.json

The exact multinomial and the runs test are not in scipy; they are computed
here from their definitions, in exact fractions and over all orders.
"""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
from scipy import stats
from scipy.stats import contingency
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint


def equal(k):
    return [1 / k] * k


def fit(name, counts, shares):
    n = sum(counts)
    r = stats.chisquare(counts, [n * s for s in shares])
    return {"name": name, "counts": counts, "shares": shares, "statistic": r.statistic, "p": r.pvalue}


def outcomes(n, k):
    if k == 1:
        yield (n,)
        return
    for c in range(n + 1):
        for rest in outcomes(n - c, k - 1):
            yield (c, *rest)


def exact(name, counts, weights):
    """p of Pearson's statistic over all outcomes, in fractions."""
    total, n = sum(weights), sum(counts)
    shares = [Fraction(w, total) for w in weights]
    x2 = lambda c: sum((Fraction(a) - n * s) ** 2 / (n * s) for a, s in zip(c, shares))
    seen, upper, lower = x2(counts), Fraction(0), Fraction(0)
    for c in outcomes(n, len(counts)):
        p = Fraction(math.factorial(n))
        for a, s in zip(c, shares):
            p *= s**a / math.factorial(a)
        upper += p if x2(c) >= seen else 0
        lower += p if x2(c) <= seen else 0
    return {"name": name, "counts": counts, "shares": [float(s) for s in shares],
            "upper": float(upper), "lower": float(lower)}


def order(name, sequence):
    """The law of the repeats over all orders."""
    r = lambda s: sum(a == b for a, b in zip(s, s[1:]))
    law = np.array([r(s) for s in itertools.permutations(sequence)])
    seen = r(sequence)
    return {"name": name, "sequence": sequence, "repeats": int(seen), "expected": float(law.mean()),
            "sd": float(law.std()), "few": float((law <= seen).mean()), "many": float((law >= seen).mean())}


def table(name, counts):
    c = np.array(counts)
    c = c[c.sum(axis=1) > 0][:, c[c.sum(axis=1) > 0].sum(axis=0) > 0]
    r = stats.chi2_contingency(c, correction=False)
    n, k = c.sum(), min(c.shape) - 1
    phi2 = max(0, r.statistic / n - r.dof / (n - 1))
    rr, cc = (s - (s - 1) ** 2 / (n - 1) for s in c.shape)
    return {"name": name, "counts": counts, "statistic": r.statistic, "df": int(r.dof), "p": r.pvalue,
            "cramer": contingency.association(c, method="cramer"),
            "corrected": math.sqrt(phi2 / min(rr - 1, cc - 1))}


def intervals(counts, confidence):
    a = 1 - confidence
    ci = (np.array([proportion_confint(c, sum(counts), a, "wilson") for c in counts]) if len(counts) == 2
          else multinomial_proportions_confint(counts, a, "goodman"))
    return {"counts": counts, "confidence": confidence, "intervals": ci.tolist()}


def ranks(name, x, y, method):
    """Mann-Whitney. With ties scipy has no exact law: every deal is gone through."""
    u = lambda a, b: sum((i > j) + (i == j) / 2 for i in a for j in b)
    seen = u(x, y)
    if method == "deals":
        pool, law = x + y, []
        for c in itertools.combinations(range(len(pool)), len(x)):
            law.append(u([pool[i] for i in c], [pool[i] for i in range(len(pool)) if i not in c]))
        law = np.array(law)
        p = min(1, 2 * min((law <= seen).mean(), (law >= seen).mean()))
    else:
        p = float(stats.mannwhitneyu(x, y, method=method).pvalue)
    return {"name": name, "x": x, "y": y, "exact": method != "asymptotic", "u": seen, "p": float(p),
            "a": seen / (len(x) * len(y))}


def correlation(name, x, y, method):
    r = stats.kendalltau(x, y, method=method)
    return {"name": name, "x": x, "y": y, "exact": method == "exact", "tau": float(r.statistic), "p": float(r.pvalue)}


def median_interval(x, confidence):
    """scipy's symmetric interval of the median; where it is not the shortest,
    one end may be moved in and the confidence still be kept."""
    r = stats.quantile_test(x, p=0.5).confidence_interval(confidence)
    s, n = sorted(x), len(x)
    best = None
    for low in range(1, n + 1):
        for high in range(low + 1, n + 1):
            held = stats.binom.cdf(high - 1, n, 0.5) - stats.binom.cdf(low - 1, n, 0.5)
            if held >= confidence and (best is None or (high - low, abs(low + high - n - 1), low) < best[0]):
                best = ((high - low, abs(low + high - n - 1), low), held)
    low = best[0][2] if best else 0
    high = low + best[0][0] if best else 0
    return {"x": x, "confidence": confidence, "ok": best is not None,
            "low": s[low - 1] if best else 0, "high": s[high - 1] if best else 0, "actual": float(best[1]) if best else 0,
            "symmetric": [float(r.low), float(r.high)] if np.isfinite(r.low) and np.isfinite(r.high) else None}


def bootstrap(name, x, statistic):
    f = {"mean": np.mean, "median": np.median}[statistic]
    out = {"name": name, "x": x, "statistic": statistic}
    for method in ("percentile", "BCa"):
        ci = stats.bootstrap((x,), f, n_resamples=400_000, batch=10_000, method=method, rng=np.random.default_rng(3)).confidence_interval
        out[method.lower()] = [float(ci.low), float(ci.high)]
    return out


def holm(p):
    return {"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()}


cascade = [396, 367, 337, 284, 263, 230, 208, 187, 183, 1545]
rng = np.random.default_rng(1)
draw = lambda n, at=0.0, digits=9: np.round(rng.normal(at, 1, n), digits).tolist()
print(json.dumps({
    "fit": [
        fit("article, sandbox", [158, 142], equal(2)),
        fit("article, DNAT", [143, 157], equal(2)),
        fit("ten percent each", cascade, equal(10)),
        fit("kubernetes 37932", [60, 10, 7, 3, 6, 4, 10], equal(7)),
        fit("weights 3 to 1", [240, 60], [0.75, 0.25]),
        fit("perfect", [100, 100, 100], equal(3)),
        fit("silent", [30, 0, 25, 41], equal(4)),
    ],
    "exact": [
        exact("two of two", [2, 0], [1, 1]),
        exact("six at one of two", [6, 0], [1, 1]),
        exact("perfect 300", [150, 150], [1, 1]),
        exact("three", [5, 1, 2], [1, 1, 1]),
        exact("weights", [7, 0, 4], [1, 2, 3]),
        exact("one to nine", [3, 7], [1, 9]),
    ],
    "intervals": [
        intervals(c, q) for c in ([158, 142], [300, 0], [60, 10, 7, 3, 6, 4, 10], cascade, [5, 0, 3]) for q in (0.95, 0.99)
    ],
    "clopper_pearson": [
        {"hits": h, "n": n, "low": proportion_confint(h, n, 0.05, "beta")[0], "high": proportion_confint(h, n, 0.05, "beta")[1]}
        for h, n in ((0, 300), (3, 300), (300, 300), (1, 10), (977, 100000))
    ],
    "noncentral": [
        {"x": x, "df": df, "lambda": nc, "survival": float(stats.ncx2.sf(x, df, nc))}
        for x, df, nc in ((3.841458820694124, 1, 7.848861), (16.919, 9, 15.6), (30, 3, 0.5), (5, 3, 40), (1100, 27, 1000), (90000, 4, 90000))
    ],
    "order": [
        order("turns", [0, 1] * 4),
        order("blocks", [0] * 4 + [1] * 4),
        order("mixed", [0, 0, 1, 2, 1, 0, 2, 2]),
        order("rare", [0, 0, 0, 0, 0, 0, 1, 0]),
    ],
    "table": [
        table("even", [[40, 35, 38, 37], [36, 40, 37, 38]]),
        table("slow instance", [[70, 50, 20, 10], [5, 25, 55, 65]]),
        table("silent instance", [[20, 22, 18, 20], [0, 0, 0, 0], [19, 21, 24, 16]]),
        table("ties", [[50, 0, 20, 30], [45, 0, 30, 25], [40, 0, 25, 35]]),
        table("random", rng.integers(5, 40, (10, 4)).tolist()),
    ],
    "wilson": [
        {"hits": h, "n": n, "low": proportion_confint(h, n, 0.05, "wilson")[0], "high": proportion_confint(h, n, 0.05, "wilson")[1]}
        for h, n in ((0, 300), (3, 300), (1, 10), (977, 100000))
    ],
    "mann_whitney": [
        ranks("no overlap", [1, 2, 3, 4, 5], [6, 7, 8, 9, 10], "exact"),
        ranks("few", draw(4), draw(7, 1), "exact"),
        ranks("ten and ten", draw(10), draw(10, 1), "exact"),
        ranks("fifty and fifty", draw(50), draw(50, 0.4), "exact"),
        ranks("one and thirty", draw(1, 2), draw(30), "exact"),
        ranks("few with ties", [1, 2, 2, 3, 5], [2, 3, 3, 4, 6, 7], "deals"),
        ranks("ties in sixes", draw(6, 0, 0), draw(6, 1, 0), "deals"),
        ranks("all equal", [3, 3, 3], [3, 3, 3, 3], "deals"),
        ranks("many", draw(60), draw(51, 0.3), "asymptotic"),
        ranks("many with ties", draw(30, 0, 0), draw(40, 0.5, 0), "asymptotic"),
    ],
    "holm": [holm(p) for p in ([0.01, 0.04, 0.03, 0.005], [0.9, 0.8, 1.0], [0.02, 0.02, 0.02], [1e-9, 0.5, 0.04, 0.04, 0.011])],
    "kendall": [
        correlation("rising", list(range(8)), [1, 2, 4, 3, 5, 6, 8, 7], "exact"),
        correlation("nothing", list(range(20)), draw(20), "exact"),
        correlation("fifty", list(range(50)), (np.array(draw(50)) + np.arange(50) / 60).tolist(), "exact"),
        correlation("ties", list(range(12)), [3, 3, 4, 5, 5, 5, 6, 7, 7, 8, 8, 9], "asymptotic"),
        correlation("ties in both", [1, 1, 2, 2, 3, 3, 4, 5], [2, 1, 2, 3, 3, 1, 4, 4], "asymptotic"),
        correlation("many", list(range(80)), draw(80), "asymptotic"),
    ],
    "median_intervals": [
        median_interval(x, q) for x in (draw(5), draw(6), draw(10), draw(24), draw(31), draw(100)) for q in (0.9, 0.95, 0.99)
    ],
    "bootstrap": [
        bootstrap("normal", draw(12), "mean"),
        bootstrap("skewed", np.exp(draw(20)).tolist(), "mean"),
        bootstrap("median", draw(21), "median"),
    ],
}, indent=1))
