"""TensorFlow's C++ loader, which is TF Serving's, takes an export with no Python in the process."""

import pytest


# Tags, classes, a text that goes on, as in test_answers.py.
@pytest.mark.few("characters", "entities", "sentiment")
def test_the_cpp_loader_answers_what_predict_does(
    chosen, loader, texts_only, export_of, batches, same
):
    predictor = texts_only(chosen)
    answers = loader(export_of(chosen), batches)
    for batch, answer in zip(batches, answers, strict=True):
        same(predictor.predict(batch, batch_size=1000), answer, 1e-6)
