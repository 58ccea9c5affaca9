"""Likelihoods of censored times as losses on logits; the one file here that knows torch.

To the piecewise and Cox losses a competing event is passed as `event` False: it ends the exposure
without the event of interest, so that their hazards are cause-specific.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F


def log_outcomes(
    logits: Float[Tensor, "patient bin cause"],
) -> Float[Tensor, "patient bin outcome"]:
    """Log-probabilities of what a bin brings to who enters it: nothing, or one of the causes.

    With one cause its logit is the log-odds of the event.

    Source: Tutz & Schmid 2016, section 8.2 (multinomial logit, nothing as the reference).
    """
    return F.log_softmax(F.pad(logits, (1, 0)), dim=2)


def discrete_hazard_loss(
    logits: Float[Tensor, "patient bin cause"],
    last_bin: Int[Tensor, " patient"],
    event: Int[Tensor, " patient"],
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of right-censored times under per-bin hazards.

    A patient survives every bin before the last one seen. In that bin one of the causes strikes, or
    the patient is censored having survived it.

    Args:
        logits: As `log_outcomes` takes them.
        last_bin: The bin that holds the time of event or censoring.
        event: 0 censored, k the k-th cause of `logits`.

    Source: Brown 1975; Gensheimer & Narasimhan 2019, eq. 3; causes: Tutz & Schmid 2016, eq. 8.4.
    """
    bins = torch.arange(logits.shape[1], device=logits.device)
    outcome = torch.where(bins == last_bin[:, None], event[:, None], 0)
    happened = F.one_hot(outcome, logits.shape[2] + 1) * (bins <= last_bin[:, None])[:, :, None]
    return -(log_outcomes(logits) * happened).sum(dim=(1, 2)).mean()


def piecewise_hazard_loss(
    log_hazard: Float[Tensor, "patient bin"],
    exposure: Float[Tensor, "patient bin"],
    last_bin: Int[Tensor, " patient"],
    event: Bool[Tensor, " patient"],
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of right-censored times under a hazard constant in each bin.

    Args:
        log_hazard: Log of the hazard per unit of exposure.
        exposure: Time that each patient spent in each bin (`TimeBins.exposure`), in any unit.
        last_bin: The bin that holds the time of event or censoring.
        event: True where the event of interest was observed.

    Source: Friedman 1982; Kvamme & Borgan 2021, section 3.2.
    """
    at_event = log_hazard.gather(1, last_bin[:, None]).squeeze(1)
    cumulative = (log_hazard.exp() * exposure).sum(dim=1)
    return (cumulative - at_event * event).mean()


def cox_loss(
    risk: Float[Tensor, " patient"],
    time: Float[Tensor, " patient"],
    event: Bool[Tensor, " patient"],
) -> Float[Tensor, ""]:
    """Negative log partial likelihood per event, ties after Efron; 0 where nobody has the event.

    Args:
        risk: Log of the relative hazard.
        time: Days to event or last contact.
        event: True where the event of interest was observed.

    Source: Cox 1972; Efron 1977.
    """
    if not event.any():
        return risk.sum() * 0.0
    moments, place = torch.unique(time, return_inverse=True)
    # Shifting all risks alike changes nothing; that and double precision keep exp in range.
    shifted = risk.double() - risk.detach().max()
    relative = shifted.exp()
    at_time = relative.new_zeros(len(moments)).index_add(0, place, relative)
    at_risk = at_time.flip(0).cumsum(0).flip(0)
    tied = relative.new_zeros(len(moments)).index_add(0, place[event], relative[event])
    log_denominator = torch.log(
        at_risk[place[event]] - _fraction_gone(place[event], len(moments)) * tied[place[event]]
    )
    return (log_denominator - shifted[event]).mean().to(risk.dtype)


def _fraction_gone(moment: Int[Tensor, " event"], moments: int) -> Float[Tensor, " event"]:
    """0/d, 1/d … (d-1)/d over the d events of each moment."""
    order = torch.argsort(moment, stable=True)
    counts = torch.bincount(moment, minlength=moments)
    starts = counts.cumsum(0) - counts
    rank = torch.empty_like(moment)
    rank[order] = torch.arange(len(moment), device=moment.device) - starts[moment[order]]
    return rank.double() / counts[moment]
