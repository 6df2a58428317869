"""From a trained model to answers: signatures, predictor, evaluation, export."""

from zoo.serving.evaluation import evaluate
from zoo.serving.export import export
from zoo.serving.predictor import Predictor, load
from zoo.serving.signatures import Served

__all__ = ["Predictor", "Served", "evaluate", "export", "load"]
