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
