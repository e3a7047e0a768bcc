"""Claims of the field, judged by a sweep: the first section of a report."""

from analysis.claims.catalogue import CLAIMS, Claim, claim_named
from analysis.claims.page import claims, sentences, sequential_sentence

__all__ = ["CLAIMS", "Claim", "claim_named", "claims", "sentences", "sequential_sentence"]
