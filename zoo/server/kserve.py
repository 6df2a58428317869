"""KServe's protocol V2, also known as the Open Inference Protocol, over HTTP.

It includes the extension for binary tensors, which `tritonclient` uses by default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zoo._version import __version__
from zoo.errors import quoted, shortened
from zoo.server.json_tensors import array_of, kind, parse, texts_of
from zoo.server.rest import read_body
from zoo.server.service import Service, Target, beside
from zoo.server.status import Refused, invalid
from zoo.server.tensors import SignatureInfo, TensorInfo

# Maps TensorFlow's type names to those of the protocol.
TYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
_HEADER = "inference-header-content-length"
_SIGNATURE = "signature_name"  # a parameter of a request


def routes(service: Service) -> list[Route]:
    """Returns the routes of the protocol."""

    async def server(request: Request) -> Response:
        about = {"name": "rnn-zoo", "version": __version__, "extensions": ["binary_tensor_data"]}
        return _json(about)

    async def live(request: Request) -> Response:
        return Response(status_code=200)

    async def ready(request: Request) -> Response:
        return Response(status_code=200 if service.ready else 503)

    async def model(request: Request) -> Response:
        target = _target(request)
        async with service.models.use(target.name, target.number) as version:
            assert version.servable is not None
            _, info = version.servable.signature("")
            numbers = [
                str(each.number)
                for each in reversed(service.models.status(target.name))
                if each.state == "AVAILABLE"
            ]
            return _json(
                {
                    "name": target.name,
                    "versions": numbers,
                    "platform": "tensorflow_savedmodel",
                    "inputs": _described(info.inputs),
                    "outputs": _described(info.outputs),
                }
            )

    async def model_ready(request: Request) -> Response:
        target = _target(request)
        try:
            service.models.find(target.name, target.number)
        except Refused:
            return Response(status_code=404)
        return Response(status_code=200)

    async def infer(request: Request) -> Response:
        target = _target(request)
        work = _infer(service, request, target)
        return await service.answer(target, "infer", "KSERVE", request.state.id, work)

    found = [
        Route("/v2", server, methods=["GET"]),
        Route("/v2/health/live", live, methods=["GET"]),
        Route("/v2/health/ready", ready, methods=["GET"]),
    ]
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        found += [
            Route(path, model, methods=["GET"]),
            Route(f"{path}/ready", model_ready, methods=["GET"]),
            Route(f"{path}/infer", infer, methods=["POST"]),
        ]
    return found


def _target(request: Request) -> Target:
    version = request.path_params.get("version")
    if version is None:
        return Target(request.path_params["name"])
    if not version.isdecimal() or len(version) > 18:
        raise invalid(f"{quoted(version)} is not a version number.")
    return Target(request.path_params["name"], int(version))


def _described(tensors: Mapping[str, TensorInfo]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "datatype": TYPES.get(info.dtype, info.dtype),
            "shape": [-1 if axis is None else axis for axis in info.shape or ()],
        }
        for name, info in tensors.items()
    ]


async def _infer(service: Service, request: Request, target: Target) -> Response:
    service.models.check(target.name, target.number, None)
    body = await read_body(request, service, service.timeout * 0.9)
    length = request.headers.get(_HEADER)
    binary = b""
    if length is not None:
        if not length.isdecimal() or len(length) > 12 or int(length) > len(body):
            raise invalid(f"The header {_HEADER} must be the size of the JSON in the body.")
        body, binary = body[: int(length)], body[int(length) :]
    asked = await beside(len(body), parse, body)
    signature = _parameters(asked).get(_SIGNATURE, "")
    if not isinstance(signature, str):
        raise invalid(f"The parameter {_SIGNATURE} must be a string.")
    wanted = _outputs(asked)
    answered = await service.predict(
        target,
        signature,
        lambda info: _inputs(asked, binary, info),
        size=len(body) + len(binary),
        outputs=wanted,
        api="infer",
    )
    in_binary = _parameters(asked).get("binary_data_output") is True
    head = {"model_name": target.name, "model_version": str(answered.version.number)}
    if isinstance(asked.get("id"), str):
        head["id"] = asked["id"]
    content, json_size = await beside(
        answered.size, _written, head, answered.outputs, wanted, in_binary
    )
    if json_size == len(content):
        return Response(content, media_type="application/json")
    return Response(
        content,
        headers={_HEADER: str(json_size)},
        media_type="application/octet-stream",
    )


def _parameters(value: Mapping[str, Any]) -> dict[str, Any]:
    parameters = value.get("parameters", {})
    if not isinstance(parameters, dict):
        raise invalid(f"'parameters' must be an object; it is of type {kind(parameters)}.")
    return parameters


def _outputs(asked: Mapping[str, Any]) -> dict[str, bool]:
    """Returns the names of the requested outputs, and whether each is requested in binary."""
    listed = asked.get("outputs", [])
    if not isinstance(listed, list):
        raise invalid(f"'outputs' must be a list; it is of type {kind(listed)}.")
    found = {}
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise invalid("Each of 'outputs' must be an object with a name.")
        found[each["name"]] = _parameters(each).get("binary_data") is True
    return found


def _inputs(asked: Mapping[str, Any], binary: bytes, info: SignatureInfo) -> dict[str, np.ndarray]:
    listed = asked.get("inputs")
    if not isinstance(listed, list):
        raise invalid("'inputs' must be a list of tensors.")
    found: dict[str, np.ndarray] = {}
    place = 0
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise invalid("Each of 'inputs' must be an object with a name.")
        name = each["name"]
        if name not in info.inputs or name in found:
            raise invalid(f"The inputs must be {', '.join(info.inputs)}; got {quoted(name)}.")
        tensor = info.inputs[name]
        datatype = each.get("datatype")
        if datatype != TYPES.get(tensor.dtype):
            raise invalid(
                f"Input {quoted(name)} is of type {quoted(datatype)}; expected "
                f"{TYPES.get(tensor.dtype, tensor.dtype)}."
            )
        shape = each.get("shape")
        if not isinstance(shape, list) or not all(
            type(axis) is int and 0 <= axis < 2**31 for axis in shape
        ):
            raise invalid(f"Input {quoted(name)}: 'shape' must be a list of sizes.")
        size = _parameters(each).get("binary_data_size")
        if size is None:
            data = each.get("data")  # nested like the shape, or flat
            if not isinstance(data, list):
                raise invalid(f"'data' must be a list; it is of type {kind(data)}.")
            array = array_of(data, name, tensor)
        else:
            if type(size) is not int or not 0 <= size <= len(binary) - place:
                raise invalid(f"Input {quoted(name)}: binary_data_size is not that of its data.")
            array = _from_binary(binary[place : place + size], name, tensor)
            place += size
        if array.size != math.prod(shape):
            raise invalid(
                f"Input {quoted(name)} has {array.size} values, which do not fill the shape "
                f"{shortened(str(shape))}."
            )
        found[name] = array.reshape(shape)
    if missing := [name for name in info.inputs if name not in found]:
        raise invalid(f"The inputs must be {', '.join(info.inputs)}; {missing[0]} is missing.")
    return found


def _from_binary(content: bytes, name: str, info: TensorInfo) -> np.ndarray:
    if info.dtype != "string":
        dtype = np.dtype(info.numpy).newbyteorder("<")
        if len(content) % dtype.itemsize:
            raise invalid(
                f"Input {quoted(name)}: its bytes are not a whole number of {info.dtype} values."
            )
        if info.dtype == "bool" and content.strip(b"\0\1"):
            raise invalid(f"Input {quoted(name)}: a byte of a BOOL must be 0 or 1.")
        return np.frombuffer(content, dtype).astype(info.numpy)
    texts, place = [], 0
    while place < len(content):
        size = int.from_bytes(content[place : place + 4], "little")
        place += 4
        if place > len(content) or size > len(content) - place:
            raise invalid(f"Input {quoted(name)}: its bytes end in the middle of a text.")
        texts.append(content[place : place + size])
        place += size
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def _written(
    head: Mapping[str, Any],
    outputs: Mapping[str, np.ndarray],
    wanted: Mapping[str, bool],
    in_binary: bool,
) -> tuple[bytes, int]:
    """Returns the body of an answer, and the size of the JSON at its start."""
    parts, binary = [], []
    for name, array in outputs.items():
        dtype = "string" if array.dtype == object else array.dtype.name
        about = {
            "name": name,
            "datatype": TYPES.get(dtype, dtype),
            "shape": list(array.shape),
        }
        if wanted.get(name, in_binary):
            content = _to_binary(array)
            about["parameters"] = {"binary_data_size": len(content)}
            binary.append(content)
            parts.append(json.dumps(about))
        else:
            data = ", ".join(texts_of(array.ravel()))
            parts.append(f'{json.dumps(about)[:-1]}, "data": [{data}]}}')
    text = f'{json.dumps(head)[:-1]}, "outputs": [{", ".join(parts)}]}}'.encode()
    return b"".join([text, *binary]), len(text)


def _to_binary(array: np.ndarray) -> bytes:
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<")).tobytes()
    return b"".join(len(text).to_bytes(4, "little") + text for text in array.ravel().tolist())


def _json(value: Any) -> Response:
    return Response(json.dumps(value), media_type="application/json")
