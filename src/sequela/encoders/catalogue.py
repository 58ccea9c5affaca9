"""Encoders that are known to fit, and what their licences allow."""

from __future__ import annotations

from collections.abc import Mapping

IMAGE: Mapping[str, str] = {
    "resnet50": "image, timm: the paper's; ImageNet weights, Apache-2.0, with pretrained: true",
    "resnet18": "image, timm: a quarter of the time; ImageNet weights, Apache-2.0",
    "resnet10t": "image, timm: small enough for a laptop; ImageNet weights, Apache-2.0",
    "convnext_tiny": "image, timm: stronger than resnet50; ImageNet weights, Apache-2.0",
    "efficientnet_b0": "image, timm: small and accurate; ImageNet weights, Apache-2.0",
}
TEXT: Mapping[str, str] = {
    "tiny": "text: made on the spot from the training patients' notes; no download",
    "google-bert/bert-base-multilingual-cased": "text, hub: 104 languages, Apache-2.0",
    "FacebookAI/xlm-roberta-base": "text, hub: 100 languages, MIT",
    "emilyalsentzer/Bio_ClinicalBERT": "text, hub: English clinical notes, MIT",
    "CLTL/MedRoBERTa.nl": "text, hub: Dutch hospital notes, MIT",
}


def describe_encoders() -> dict[str, str]:
    """Names for `model.image.name` and `text.encoder`; any other timm or hub name works too.

    Licences are as their publishers state them; read them again before you use weights.
    """
    return {**IMAGE, **TEXT}
