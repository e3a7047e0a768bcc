"""Evaluation of an X-NN: scores, explanations, controls, faithfulness and fairness."""
