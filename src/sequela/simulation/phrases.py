"""The sentences that notes are put together from, in English and Dutch.

Each list holds ways of saying one thing. No sentence says, or hints at, what becomes of a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequela.simulation.settings import Language


@dataclass(frozen=True)
class Phrases:
    """Ways of saying each fact in one language; the facts told are named by their keys."""

    opening: tuple[str, ...]
    invasion: Mapping[bool, tuple[str, ...]]
    radiotherapy: Mapping[bool, tuple[str, ...]]
    receptor: Mapping[bool, tuple[str, ...]]
    nodes: tuple[str, ...]
    grade: tuple[str, ...]
    density: tuple[tuple[str, ...], ...]
    mass: tuple[str, ...]
    size: tuple[tuple[str, ...], ...]
    place: Mapping[bool, str]
    side: Mapping[str, str]
    other_breast: tuple[str, ...]
    one_breast: tuple[str, ...]
    complaints: tuple[str, ...]
    closing: tuple[str, ...]


ENGLISH = Phrases(
    opening=(
        "Follow-up mammogram after breast-conserving treatment.",
        "Control visit, mammography of the breast.",
        "Surveillance mammogram; previous images were at hand.",
        "Patient seen for her routine mammogram.",
    ),
    invasion={
        True: (
            "Pathology: lymphovascular invasion was present.",
            "The resection specimen showed tumour cells in lymph vessels (LVI positive).",
            "Vascular invasion was found in the specimen.",
        ),
        False: (
            "Pathology: no lymphovascular invasion.",
            "The resection specimen showed free lymph vessels (LVI negative).",
            "Vascular invasion was absent in the specimen.",
        ),
    },
    radiotherapy={
        True: (
            "Radiotherapy was omitted.",
            "She did not have radiotherapy after surgery.",
            "No irradiation of the breast was given.",
        ),
        False: (
            "Radiotherapy of the breast was completed.",
            "She had radiotherapy after surgery, 15 fractions.",
            "The breast was irradiated with a boost.",
        ),
    },
    receptor={
        True: ("Oestrogen receptor positive.", "ER positive; endocrine therapy advised."),
        False: ("Oestrogen receptor negative.", "ER negative."),
    },
    nodes=("Positive axillary nodes: {nodes}.", "{nodes} axillary lymph nodes were involved."),
    grade=("Histological grade {grade}.", "The tumour was grade {grade}."),
    density=(
        ("The breast is almost entirely fatty (ACR a).", "Fatty breast tissue, density a."),
        ("Scattered fibroglandular tissue (ACR b).", "Some glandular tissue, density b."),
        ("Heterogeneously dense tissue (ACR c).", "Rather dense breast, density c."),
        ("Extremely dense tissue (ACR d).", "Very dense breast, density d."),
    ),
    mass=(
        "There is a {size}mass in the {place} half of the {side} breast.",
        "In the {side} breast, {place} half, one {size}opacity.",
        "Known {size}mass on the {side}, {place} half.",
    ),
    size=(("small ", "tiny "), ("medium-sized ", "middle-sized "), ("large ", "sizeable ")),
    place={True: "upper", False: "lower"},
    side={"L": "left", "R": "right"},
    other_breast=("The {side} breast shows no focal finding.", "Nothing particular on the {side}."),
    one_breast=("Status after mastectomy on the {side}.", "The {side} breast was removed."),
    complaints=(
        "No complaints.",
        "Some tenderness of the scar.",
        "She feels well.",
        "Mild swelling of the arm.",
        "Sleeps badly, otherwise fit.",
    ),
    closing=("Next mammogram in a year.", "Discussed with the patient.", "Letter to her doctor."),
)

DUTCH = Phrases(
    opening=(
        "Controlemammografie na borstsparende behandeling.",
        "Polikliniekbezoek, mammografie van de borst.",
        "Mammografie in het kader van nacontrole; eerdere beelden aanwezig.",
        "Patiënte komt voor haar reguliere mammogram.",
    ),
    invasion={
        True: (
            "Pathologie: lymfangio-invasie aanwezig.",
            "In het preparaat tumorcellen in lymfevaten (LVI positief).",
            "Vaatinvasie werd gezien in het preparaat.",
        ),
        False: (
            "Pathologie: geen lymfangio-invasie.",
            "In het preparaat vrije lymfevaten (LVI negatief).",
            "Vaatinvasie werd niet gezien in het preparaat.",
        ),
    },
    radiotherapy={
        True: (
            "Van bestraling is afgezien.",
            "Zij kreeg geen radiotherapie na de operatie.",
            "De borst werd niet bestraald.",
        ),
        False: (
            "Bestraling van de borst is afgerond.",
            "Zij kreeg radiotherapie na de operatie, 15 fracties.",
            "De borst werd bestraald met een boost.",
        ),
    },
    receptor={
        True: ("Oestrogeenreceptor positief.", "ER positief; hormoontherapie geadviseerd."),
        False: ("Oestrogeenreceptor negatief.", "ER negatief."),
    },
    nodes=("Positieve okselklieren: {nodes}.", "{nodes} okselklieren waren aangedaan."),
    grade=("Histologische graad {grade}.", "De tumor was graad {grade}."),
    density=(
        ("De borst bestaat vrijwel geheel uit vet (ACR a).", "Vettig borstweefsel, densiteit a."),
        ("Verspreid klierweefsel (ACR b).", "Enig klierweefsel, densiteit b."),
        ("Heterogeen dens klierweefsel (ACR c).", "Vrij dens weefsel, densiteit c."),
        ("Zeer dens klierweefsel (ACR d).", "Uitgesproken dens weefsel, densiteit d."),
    ),
    mass=(
        "Er is een {size}massa in de {place} helft van de {side} borst.",
        "In de {side} borst, {place} helft, een {size}verdichting.",
        "Bekende {size}massa {side}, {place} helft.",
    ),
    size=(("kleine ", "geringe "), ("middelgrote ", "matig grote "), ("grote ", "forse ")),
    place={True: "bovenste", False: "onderste"},
    side={"L": "linker", "R": "rechter"},
    other_breast=("De {side} borst zonder focale afwijking.", "Geen bijzonderheden {side} borst."),
    one_breast=("Status na mastectomie van de {side} borst.", "De {side} borst is afgezet."),
    complaints=(
        "Geen klachten.",
        "Enige pijn van het litteken.",
        "Zij voelt zich goed.",
        "Lichte zwelling van de arm.",
        "Slaapt slecht, verder fit.",
    ),
    closing=(
        "Volgende mammografie over een jaar.",
        "Besproken met patiënte.",
        "Brief aan huisarts.",
    ),
)

PHRASES: Mapping[Language, Phrases] = {"en": ENGLISH, "nl": DUTCH}
