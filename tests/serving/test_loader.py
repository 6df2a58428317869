"""TensorFlow's C++ loader, which is TF Serving's, takes an export with no Python in the process."""

import pytest

import zoo


@pytest.mark.parametrize("name", [row["name"] for row in zoo.list_models()])
def test_the_cpp_loader_answers_what_predict_does(
    name, loader, texts_only, export_of, batches, same
):
    predictor = texts_only(name)
    answers = loader(export_of(name), batches)
    for batch, answer in zip(batches, answers, strict=True):
        same(predictor.predict(batch, batch_size=1000), answer, 1e-6)
