"""KEMM: survival from slides, genes and reports, guided by knowledge (arXiv 2512.14594).

Only the abstract is public; where it is silent, each choice is said in the docstring of the box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.encoders.pathway import PathwayEncoder
from sequela.errors import UsageError
from sequela.fusion.gated_pooling import GroupPooling
from sequela.fusion.kecm import Asking, Exchange, Masked, joined
from sequela.modalities.batch import CLAIM_MODALITIES, Batch
from sequela.models.cox_skip import CoxSkip, fitted_level
from sequela.models.heads import Head
from sequela.models.kemm_config import MODALITIES, SOURCES, KemmConfig
from sequela.models.output import Output
from sequela.survival.followup import Followup


class Kemm(nn.Module):
    """Encoders, knowledge that asks them, exchange, gated pooling, logits.

    Args:
        config: Which boxes there are; its shape is known.
        logits: How many numbers the head asks for.
    """

    def __init__(self, config: KemmConfig, logits: int) -> None:
        super().__init__()
        _require_one_space(config)
        self.config, dim, shape = config, config.dim, config.known_shape()
        self.sources = tuple(name for name in SOURCES if name in config.reads)
        self.groups = _groups(config)
        self.encoders = nn.ModuleDict({name: _encoder(name, config) for name in self.sources})
        widths = {name: shape.patch if name == "slide" else dim for name in self.sources}
        if config.adapter == "relu" and "slide" in widths:
            widths["slide"] = dim
        self.asking = nn.ModuleDict(
            {name: Asking(dim, widths[name], config.heads, config.dropout) for name in self.sources}
        )
        self.learned = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(config.learned, dim)) for name in self.sources}
        )
        self.exchange = nn.ModuleList(
            Exchange(dim, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.text = nn.Linear(shape.text, dim) if shape.text else None
        self.field = nn.Parameter(torch.randn(shape.fields, dim) * 0.1)
        self.field_scale = nn.Parameter(torch.ones(shape.fields, dim))
        self.direction = nn.Parameter(torch.randn(dim) * 0.1)
        self.knowledge = nn.Linear(dim, dim) if config.kecm in ("bias", "gate") else None
        self.covariate = nn.Parameter(torch.randn(2, shape.covariates, dim) * 0.1)
        self.pools = GroupPooling(len(self.groups), dim, dim)
        self.group = nn.Parameter(torch.randn(len(self.groups), dim) * 0.1)
        self.fusion = GroupPooling(1, dim, dim)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(dim, logits)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        genes = shape.genes.get("genes", 0) if "genes" in config.skip else 0
        covariates = shape.covariates if "clinical" in config.skip else 0
        numbers = shape.report_numbers if "report" in config.skip else 0
        self.skip = (
            CoxSkip(covariates, genes, config.components, numbers, learned=config.skip_learned)
            if config.skip
            else None
        )
        self.register_buffer("skip_to", torch.ones(logits))

    skip_to: Float[Tensor, " logit"]

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vector of each modality that they were made of."""
        shown = self._shown(batch)
        report, claims = self._told(batch, shown)
        # Slides are asked last, so that what is kept of their patches for the backward pass is
        # free again before the networks of gene sets have their gradients.
        asked = {
            name: self._asked(name, report, claims, batch, shown) for name in reversed(self.sources)
        }
        states = [asked[name] for name in self.sources]
        rest = {"report": report, "claims": claims}
        if "clinical" in self.groups:
            rest["clinical"] = self._clinical(batch).of(shown.get("clinical"))
        others = [rest[name] for name in self.groups[len(states) :]]
        place = _places([*states, *others])
        if states:
            tokens = joined(states)
            for layer in self.exchange:
                tokens = layer(tokens, place[: tokens.values.shape[1]])
            others = [tokens, *others]
        tokens, group = joined(others), torch.arange(len(self.groups), device=place.device)
        belongs = tokens.mask[:, None] & (place == group[:, None])
        vectors, there = self.pools(tokens.values, belongs), belongs.any(dim=2)
        fused = self.fusion(vectors + self.group, there[:, None]).squeeze(1)
        logits = self.output(self.dropout(fused))
        if self.skip is not None:
            logits = logits + self.skip(batch)[:, None] * self.skip_to
        return Output(
            logits,
            dict(zip(self.groups, vectors.unbind(dim=1), strict=True)),
            dict(zip(self.groups, there.unbind(dim=1), strict=True)),
        )

    def start(self, batch: Batch, train: Followup, head: Head, cause: int) -> None:
        """Fit the straight way and the level of the logits on training patients.

        Before the first step; every patient then has the hazard that the straight way says.

        Args:
            batch: Of all training patients.
            train: Their follow-up.
            head: What the logits say.
            cause: The event of interest.
        """
        straight = self.output.bias.detach().expand(len(batch), -1)
        if self.skip is not None:
            self.skip.fit(batch, train, cause)
            causes = len(getattr(head, "causes", (1,)))  # the first hazard of a bin is of interest
            places = torch.arange(len(self.skip_to), device=self.skip_to.device)
            self.skip_to.copy_(places % causes == 0)
            straight = self.skip(batch)[:, None] * self.skip_to
        level = fitted_level(lambda logits: head.loss(logits, train), straight)
        with torch.no_grad():
            self.output.bias.copy_(level)

    def attention(self, batch: Batch) -> dict[str, Float[Tensor, "patient claim value"]]:
        """How much each claim looks at each patch or gene set, by source; zeros where it may not.

        A claim speaks of slides or of genes. Only a model whose knowledge asks has such maps.
        """
        if self.config.kecm != "query" or self.config.claims == "none" or batch.claims is None:
            return {}
        report, claims = self._told(batch, {})
        maps: dict[str, Tensor] = {}
        for name in self.sources:
            values = self._values(name, batch)
            queries = self._queries(name, report, claims, batch)
            asking = self.asking[name]
            assert isinstance(asking, Asking)  # noqa: S101
            sought = self._sought(name, report, queries, batch)
            found = asking.attention.weights(
                queries.values, values.values, values.mask, sought, self._adapter(name)
            )
            first = report.values.shape[1]
            where = slice(first, first + claims.values.shape[1])
            maps[name] = found[:, where] * queries.mask[:, where, None]
        return maps

    def _shown(self, batch: Batch) -> dict[str, Bool[Tensor, " patient"]]:
        """Which patients' modalities a training step shows; some of each patient's. Else nothing.

        Who is drawn to be shown nothing at all is shown everything.
        """
        names, chance = self.config.reads, self.config.modality_dropout
        if not self.training or not chance or not names:
            return {}
        drawn = torch.rand((len(batch), len(names)), device=batch.day.device) >= chance
        drawn |= ~drawn.any(dim=1, keepdim=True)
        return dict(zip(names, drawn.unbind(dim=1), strict=True))

    def _told(self, batch: Batch, shown: Mapping[str, Tensor]) -> tuple[Masked, Masked]:
        """What the report says, and the claims; their texts pass the same layer, at once.

        A claim's token is shifted by whether it marks a higher or a lower risk.
        """
        told = "report" in self.config.reads and batch.fields is not None
        known = self.config.claims != "none" and batch.claims is not None
        texts = [batch.fields if told else None, batch.claims if known else None]
        some = [text for text in texts if text is not None]
        if not some or self.text is None:
            return self._none(batch), self._none(batch)
        made = torch.split(self.text(torch.cat(some, dim=1)), [text.shape[1] for text in some], 1)
        report = claims = None
        if told and batch.field_mask is not None:
            tokens = torch.addcmul(self.field, made[0], self.field_scale)
            report = Masked(tokens, batch.field_mask).of(shown.get("report"))
        if known and batch.claim_mask is not None and batch.claim_direction is not None:
            tokens = torch.addcmul(made[-1], batch.claim_direction[:, :, None], self.direction)
            claims = Masked(tokens, batch.claim_mask)
        return report or self._none(batch), claims or self._none(batch)

    def _none(self, batch: Batch) -> Masked:
        values = batch.day.new_zeros((len(batch), 0, self.config.dim))
        return Masked(values, torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device))

    def _values(self, name: str, batch: Batch) -> Masked:
        values, mask = batch.measured(name)
        encoder = self.encoders[name]
        if isinstance(encoder, PathwayEncoder):
            return Masked(*encoder(values, mask))
        return Masked(values, mask)

    def _adapter(self, name: str) -> nn.Linear | None:
        """What the attention passes patches through, a piece at a time."""
        adapter = self.encoders[name]
        return adapter if isinstance(adapter, nn.Linear) else None

    def _clinical(self, batch: Batch) -> Masked:
        if batch.clinical is None or batch.clinical_mask is None:
            return self._none(batch)
        slope, level = self.covariate
        return Masked(batch.clinical[:, :, None] * slope + level, batch.clinical_mask)

    def _knowledge(
        self, name: str, report: Masked, claims: Masked, batch: Batch
    ) -> tuple[Masked, Masked]:
        """The report, and the claims that speak of this source."""
        if batch.claim_modality is not None and claims.values.shape[1]:
            of = CLAIM_MODALITIES.index("slide" if name == "slide" else "genes")
            claims = Masked(claims.values, claims.mask & (batch.claim_modality == of))
        return report, claims

    def _queries(self, name: str, report: Masked, claims: Masked, batch: Batch) -> Masked:
        learned = self.learned[name].expand(len(batch), -1, -1)
        own = Masked(learned, report.mask.new_ones(learned.shape[:2]))
        if self.config.kecm == "query":
            return joined([*self._knowledge(name, report, claims, batch), own])
        if self.config.kecm == "bias" and self.knowledge is not None:
            mean = joined([*self._knowledge(name, report, claims, batch)]).mean()
            return Masked(own.values + self.knowledge(mean)[:, None], own.mask)
        return own

    def _sought(
        self, name: str, report: Masked, queries: Masked, batch: Batch
    ) -> Float[Tensor, "patient query feature"] | None:
        """Each claim's own vector where patches live in the same space; zeros for other queries."""
        config = self.config
        off = not config.shared_space or config.claims == "none" or config.kecm != "query"
        if name != "slide" or off or batch.claims is None or batch.patches is None:
            return None
        own = config.shared_space * nn.functional.normalize(batch.claims, dim=2)
        before = report.values.shape[1]
        after = queries.values.shape[1] - before - own.shape[1]
        return nn.functional.pad(own, (0, 0, before, after))

    def _asked(
        self,
        name: str,
        report: Masked,
        claims: Masked,
        batch: Batch,
        shown: Mapping[str, Tensor],
    ) -> Masked:
        values = self._values(name, batch).of(shown.get(name))
        queries = self._queries(name, report, claims, batch)
        sought = self._sought(name, report, queries, batch)
        if name == "slide":
            # Each query meets every patch, so those of no patient here are left out.
            queries, places = queries.of_anyone()
            sought = None if sought is None else sought.index_select(1, places)
        state: Masked = self.asking[name](queries, values, sought, self._adapter(name))
        if self.config.kecm == "gate" and self.knowledge is not None:
            mean = joined([*self._knowledge(name, report, claims, batch)]).mean()
            gate = 2 * torch.sigmoid(self.knowledge(mean))
            return Masked(state.values * gate[:, None], state.mask)
        return state


def _require_one_space(config: KemmConfig) -> None:
    shape = config.known_shape()
    if config.shared_space and shape.patch and shape.patch != shape.text:
        raise UsageError(
            f"model.shared_space says that patches and claims are encoded into one space, but a "
            f"patch has {shape.patch} numbers and a claim {shape.text}",
            hint="set `knowledge` to the text encoder that belongs to the slide encoder, or "
            "model.shared_space=0",
        )


def _places(parts: Sequence[Masked]) -> Int[Tensor, " token"]:
    """Of each token of the parts side by side, which part it belongs to."""
    places = [place for place, part in enumerate(parts) for _ in range(part.values.shape[1])]
    return torch.tensor(places, dtype=torch.long, device=parts[0].values.device)


def _groups(config: KemmConfig) -> tuple[str, ...]:
    """What is pooled; claims only where they stand beside the rest, or there is nothing else."""
    groups = tuple(name for name in MODALITIES if name in config.reads)
    beside = config.claims != "none" and (config.kecm == "late-concat" or not groups)
    return (*groups, "claims") if beside else groups


def _encoder(name: str, config: KemmConfig) -> nn.Module:
    shape = config.known_shape()
    if name == "slide":
        return nn.Identity() if config.adapter == "linear" else nn.Linear(shape.patch, config.dim)
    genes = shape.genes[name]
    return PathwayEncoder(shape.membership(name), genes, config.hidden, config.dim, config.dropout)
