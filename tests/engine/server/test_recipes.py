"""Every recipe's rows, computed with those of other requests, are what they are alone."""

import asyncio
import functools

import numpy as np
import pytest

from zoo.server.batching import Batcher, BatchingOptions


def answers(requests, info, engine, together):
    async def main():
        batcher = Batcher(BatchingOptions(num_batch_threads=1), sizes.append)
        try:
            if together:
                return await asyncio.gather(
                    *(batcher.compute(each, info, "", engine) for each in requests)
                )
            return [await batcher.compute(each, info, "", engine) for each in requests]
        finally:
            batcher.close()

    sizes = []
    return asyncio.run(main()), sizes


@pytest.mark.slow
def test_rows_together_are_what_they_are_alone(chosen, run_of):
    from zoo.server.servable import Servable

    servable = Servable(run_of(chosen))
    requests = [inputs for _, inputs in servable._warmup_requests()]
    name, info = servable.signature("")
    engine = functools.partial(servable.run, name)
    together, sizes = answers(requests, info, engine, True)
    alone, _ = answers(requests, info, engine, False)
    assert max(sizes) > 1
    for one, other in zip(together, alone, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert value.shape == other[key].shape, key
            if value.dtype.kind == "f":
                np.testing.assert_allclose(value, other[key], rtol=1e-4, atol=1e-5)
            else:
                np.testing.assert_array_equal(value, other[key])
