"""CMTA against its drawing: what passes the encoders, what is averaged, what is drawn together."""

from __future__ import annotations

import torch

from sequela.fusion.kecm import Masked
from sequela.models.cmta import Cmta
from tests.models.test_kemm import one, patients
from tests.models.test_peers import network
from tests.models.test_porpoise import linear


@torch.no_grad()
def test_a_patient_is_encoded_told_in_the_others_words_and_averaged() -> None:
    model, batch = network("cmta", dropout=0.0).train(), one(patients(), 0)
    assert isinstance(model, Cmta)
    adapted = []
    for patch in batch.patches[0]:
        once = linear(model.patches[0], patch).clamp(min=0)
        adapted.append(linear(model.patches[3], once).clamp(min=0))
    torch.manual_seed(1)
    genes = model.genes(batch)
    slide, patches = model.slide_encoder(Masked(torch.stack(adapted)[None], batch.patch_mask))
    sets, tokens = model.gene_encoder(genes)
    told_slide, _ = model.slide_decoder(model.slide_in_genes(patches, tokens))
    told_sets, _ = model.gene_decoder(model.genes_in_slide(tokens, patches))
    torch.manual_seed(1)
    found = model(batch)
    both = torch.cat([(slide + told_slide) / 2, (sets + told_sets) / 2], dim=1)[0]
    hidden = linear(model.fusion[2], linear(model.fusion[0], both).clamp(min=0)).clamp(min=0)
    torch.testing.assert_close(found.logits[0], linear(model.output, hidden))
    apart = (slide - told_slide).abs().mean() + (sets - told_sets).abs().mean()
    torch.testing.assert_close(found.penalty, apart)
