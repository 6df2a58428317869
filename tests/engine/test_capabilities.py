"""The table of capabilities: what a recipe may serve, what is wrong, and what is read back."""

import dataclasses
import re

import pytest
import tensorflow as tf

from zoo.decoding import Generation
from zoo.errors import ZooError
from zoo.serving import Served, capabilities
from zoo.serving.capabilities import CAPABILITIES, WIRE_NAMES, Specs, Tensor

TEXT = {"text": Tensor("string", 1)}
NUMBER = {"score": Tensor("float32", 1)}
BEAM = {"beam": Tensor("int32", 0), "n_best": Tensor("int32", 0)}
STATE = {"state_0": Tensor("float32", 2)}
LOGITS = {"logits": Tensor("float32", 2)}


def declared(capability):
    """Signatures that have just what the table asks for."""
    if capability == "generation":
        first = CAPABILITIES[capability][0]
        seed = {**TEXT, **first.inputs, **first.options}
        return {
            "generate": Specs(seed, first.outputs),
            "begin": Specs(TEXT, {**LOGITS, **STATE}),
            "step": Specs({"input": Tensor("int32", 1), **STATE}, {**LOGITS, **STATE}),
        }
    (signature,) = CAPABILITIES[capability]
    inputs = {**(signature.inputs or TEXT), **signature.options}
    return {signature.wire_name: Specs(inputs, signature.outputs or NUMBER)}


def everything():
    parts = [declared(capability) for capability in CAPABILITIES]
    return {name: specs for part in parts for name, specs in part.items()}


def test_wire_names_never_change():
    assert WIRE_NAMES == {
        "serving_default": "answer",
        "nbest": "search",
        "generate": "generation",
        "begin": "generation",
        "step": "generation",
        "score": "score",
        "alignment": "alignment",
        "walk": "forecast",
        "chunk": "streaming",
    }


def test_what_the_table_declares_is_read_back():
    assert capabilities.read(everything()) == frozenset(CAPABILITIES)
    for name, capability in WIRE_NAMES.items():
        left = {other: specs for other, specs in everything().items() if other != name}
        lost = {capability} | ({"search"} if capability == "answer" else set())
        assert capabilities.read(left) == frozenset(CAPABILITIES) - lost
        assert repr(name) in capabilities.find_problem(capability, left)
    untraced = {name: Specs(specs.inputs) for name, specs in everything().items()}
    assert capabilities.read(untraced) == frozenset(CAPABILITIES)


def changed(tensors, old, new, tensor=None):
    """Tensors with one renamed, or of another kind; without it if `new` is empty."""
    rest = {name: value for name, value in tensors.items() if name != old}
    return {**rest, **({new: tensor or tensors[old]} if new else {})}


@pytest.mark.parametrize(
    ("name", "part", "change", "says"),
    [
        ("nbest", "inputs", ("n_best", "n_bests"), r"unknown option 'n_bests'.*mean 'n_best'\?"),
        ("nbest", "inputs", ("beam", ""), "lacks the option 'beam'"),
        ("nbest", "inputs", ("beam", "beam", Tensor("float32", 0)), "'beam' as float32; int32"),
        ("nbest", "inputs", ("text", "texts"), r"unknown input 'texts'.*mean 'text'\?"),
        ("nbest", "outputs", ("score", "scores"), r"lacks the output 'score'.*mean 'scores'\?"),
        ("nbest", "outputs", ("score", "score", Tensor("float32", 1)), "2 axes is due"),
        ("nbest", "outputs", ("", "attention", Tensor("float32", 4)), "lacks the output 'pieces'"),
        ("generate", "inputs", ("top_k", "topk"), r"unknown option 'topk'.*mean 'top_k'\?"),
        ("generate", "inputs", ("random_seed", ""), "lacks the input 'random_seed'"),
        ("generate", "outputs", ("complete", "completed"), "lacks the output 'complete'"),
        ("begin", "inputs", ("text", "prompt"), "'begin'.*unknown input 'prompt'"),
        ("begin", "outputs", ("state_0", ""), "'begin'.*lacks the output 'state_0'"),
        ("step", "outputs", ("state_0", "state_1"), "'step'.*unknown output 'state_1'"),
        ("step", "inputs", ("input", "id"), "lacks the input 'input'"),
        ("score", "outputs", ("count", "count", Tensor("int64", 1)), "'count' as int64 with 1"),
        ("alignment", "outputs", ("posteriors", "posterior"), r"mean 'posterior'\?"),
        ("walk", "inputs", ("", "volume", Tensor("float32", 2)), "unknown input 'volume'"),
        ("walk", "outputs", ("freedom", "df"), "lacks the output 'freedom'"),
        ("serving_default", "inputs", ("", "times", Tensor("int32", 0)), "no options are due"),
    ],
)
def test_what_is_not_as_declared_is_named_with_what_is_due(name, part, change, says):
    specs = everything()
    tensors = changed(getattr(specs[name], part), *change)
    specs[name] = dataclasses.replace(specs[name], **{part: tensors})
    problem = capabilities.find_problem(WIRE_NAMES[name], specs)
    assert problem is not None
    assert len(problem.splitlines()) == 1
    assert problem.startswith("the signature ")
    assert re.search(says, problem), problem
    assert WIRE_NAMES[name] not in capabilities.read(specs)


def function(*specs, result):
    return tf.function(lambda *_: result, input_signature=list(specs))


ANSWER = function(tf.TensorSpec([None], tf.string, name="text"), result={"n": tf.constant([1])})


def test_served_alone_knows_the_names_of_signatures():
    served = Served(answer=1, search=2, score=3, others={"tokens": 4}, parts=[])
    expected = {"serving_default": 1, "nbest": 2, "score": 3, "tokens": 4}
    assert served.functions == expected
    assert served.capabilities == {"answer", "search", "score"}
    generation = Generation(default=1, generate=2, begin=3, step=4)
    served = Served(generation=generation, forecast=5, parts=[])
    expected = {"serving_default": 1, "generate": 2, "begin": 3, "step": 4, "walk": 5}
    assert served.functions == expected
    assert served.capabilities == {"answer", "generation", "forecast"}
    assert Served(answer=0, generation=generation, parts=[]).functions["serving_default"] == 0
    with pytest.raises(ZooError, match="Served has no answer"):
        Served(search=1, parts=[])
    with pytest.raises(ZooError, match=r"'nbest' is that of 'search'.* Give search=…"):
        Served(answer=1, others={"nbest": 2}, parts=[])
    with pytest.raises(TypeError, match="serach"):
        Served(answer=1, serach=2, parts=[])


def test_functions_need_names_and_return_dicts():
    capabilities.check(Served(answer=ANSWER, parts=[]), "mine")
    nameless = function(tf.TensorSpec([None], tf.string), result={"n": tf.constant([1])})
    for wrong in (tf.function(lambda text: {}), lambda text: {}, nameless):
        with pytest.raises(ZooError, match="mine: the signature 'serving_default' must be a "):
            capabilities.check(Served(answer=wrong, parts=[]), "mine")
    text = tf.TensorSpec([None], tf.string, name="text")
    with pytest.raises(ZooError, match="must return a dict of tensors"):
        capabilities.check(Served(answer=function(text, result=tf.constant([1])), parts=[]), "mine")


def test_any_signature_may_mark_rows_without_an_answer():
    marks = {"valid": Tensor("bool", 1), "problem": Tensor("string", 1)}
    specs = everything()
    for name in WIRE_NAMES:
        if name == "step":
            continue
        several = {key: Tensor(mark.dtype, 2) for key, mark in marks.items()}
        more = several if name == "nbest" else marks
        specs[name] = dataclasses.replace(specs[name], outputs={**specs[name].outputs, **more})
    assert capabilities.read(specs) == frozenset(CAPABILITIES)
    for name, wrong in (
        ("score", {"valid": Tensor("bool", 1)}),
        ("score", {**marks, "valid": Tensor("int32", 1)}),
        ("nbest", marks),
        ("begin", {"valid": Tensor("bool", 2)} | {"problem": Tensor("string", 1)}),
        ("step", marks),
    ):
        plain = everything()
        outputs = {**plain[name].outputs, **wrong}
        plain[name] = dataclasses.replace(plain[name], outputs=outputs)
        problem = capabilities.find_problem(WIRE_NAMES[name], plain)
        assert problem is not None, (name, wrong)
        assert "valid" in problem or "problem" in problem
