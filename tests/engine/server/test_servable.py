"""A version as the server holds it."""

import gc

import numpy as np
import pytest


def test_a_version_that_is_unloaded_frees_its_tables_and_no_others(tmp_path):
    import tensorflow as tf

    from zoo.server.servable import Servable

    module = tf.Module()
    words = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
    module.table = tf.lookup.StaticHashTable(words, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def look_up(text):
        return {"number": module.table.lookup(text)}

    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": look_up})
    gone, stays = Servable(tmp_path / "1"), Servable(tmp_path / "1")
    handles = []
    for servable in (gone, stays):
        captures = servable._functions["serving_default"].graph.captures
        handles += [captured for captured, _ in captures if captured.dtype == tf.resource]
    sizes = [int(tf.raw_ops.LookupTableSizeV2(table_handle=handle)) for handle in handles]
    assert sizes == [2, 2]
    del gone, servable
    gc.collect()
    with pytest.raises(tf.errors.NotFoundError):
        tf.raw_ops.LookupTableSizeV2(table_handle=handles[0])
    found = stays.run("serving_default", {"text": np.array([b"b", b"c"], object)})
    np.testing.assert_array_equal(found["number"], [2, -1])


def test_a_rehearsal_goes_all_the_way_and_is_not_counted(base, serving, monkeypatch):
    from zoo.server import run, service
    from zoo.server.config import ModelConfig
    from zoo.server.service import Service

    asked, logged = [], []
    predict = Service.predict

    async def noted(self, target, signature, read, **options):
        answered = await predict(self, target, signature, read, **options)
        asked.append((target.name, signature, answered.outputs["y"].tolist()))
        return answered

    monkeypatch.setattr(Service, "predict", noted)
    monkeypatch.setattr(service, "log", lambda event, **fields: logged.append(event))
    with serving([ModelConfig("half", base)], token="secret") as client:
        servable = client.running.service.models.find("half").servable
        servable.example = "serving_default", {"x": np.float32([1.0, 3.0])}
        port = client.running.rest_port
        client.on_loop(lambda service: run._rehearse_http(service, "127.0.0.1", port))
        assert asked == [("half", "serving_default", [3.5, 4.5])] * 2
        allowed = {"Authorization": "Bearer secret"}
        page = client.get("/monitoring/prometheus/metrics", **allowed).text
        assert "request_count{" not in page
        client.post("/v1/models/half:predict", {"instances": [1.0]}, **allowed)
        page = client.get("/monitoring/prometheus/metrics", **allowed).text
        assert 'request_count{model_name="half",status="OK"} 1.0' in page
    assert logged == ["request"]
