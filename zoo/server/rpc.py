"""TF Serving's gRPC API: PredictionService, ModelService, and gRPC health checks."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from zoo.errors import UsageError
from zoo.server.config import models_of
from zoo.server.models import STATES
from zoo.server.protos import array_of, proto_of
from zoo.server.service import Answered, Examples, Service, Target, beside, request_id_of
from zoo.server.status import Refused, invalid

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
MAX_STREAMS = 1000  # concurrent requests per connection


async def start(service: Service, host: str, port: int) -> tuple[Any, int, Any]:
    """Starts a server.

    Args:
      service: the service that answers requests.
      host, port: address to listen on; port 0: any free port.

    Returns:
      The server, its port, and its health checks.

    Raises:
      UsageError: it cannot listen on this address.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", service.max_body),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", MAX_STREAMS),
            ("grpc.so_reuseport", 0),
        ]
    )
    health = health_aio.HealthServicer()
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(service), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(service), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    address = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{address}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise UsageError(
            f"Cannot listen at {host}, port {port}: it is in use or not allowed. "
            "Choose another with --grpc-port, or give --no-grpc."
        )
    await server.start()
    for name in (
        "",
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
    ):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server, bound, health


def _target(spec: Any) -> Target:
    if not spec.name:
        raise invalid("Missing model name in request.")
    choice = spec.WhichOneof("version_choice")
    number = spec.version.value if choice == "version" else None
    return Target(spec.name, number, spec.version_label if choice == "version_label" else None)


def _answering(api: str) -> Callable[..., Any]:
    """Decorator of servicer methods: adds the token check, the time limit and error handling."""

    def wrap(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(method)
        async def answer(self: _Servicer, request: Any, context: Any) -> Any:
            metadata = dict(context.invocation_metadata() or ())
            try:
                self.service.check_token(str(metadata.get("authorization", "")))
                target = Target(_named(request))
                request_id = request_id_of(str(metadata.get("x-request-id", "")))
                return await self.service.answer(
                    target,
                    api,
                    "GRPC",
                    request_id,
                    method(self, request),
                    seconds=context.time_remaining(),
                )
            except Refused as error:
                return await context.abort(getattr(grpc.StatusCode, error.code), error.message)

        return answer

    return wrap


def _named(request: Any) -> str:
    """Returns the model name in a request, for the metrics."""
    if isinstance(request, inference_pb2.MultiInferenceRequest):
        return request.tasks[0].model_spec.name if request.tasks else ""
    return request.model_spec.name if hasattr(request, "model_spec") else ""


class _Servicer:
    def __init__(self, service: Service) -> None:
        self.service = service


class _Predictions(_Servicer, prediction_service_pb2_grpc.PredictionServiceServicer):
    """PredictionService."""

    @_answering("predict")
    async def Predict(self, request: Any) -> Any:
        size = request.ByteSize()

        def read(info: Any) -> dict[str, Any]:
            if request.inputs.keys() != info.inputs.keys():
                raise invalid(
                    f"The inputs must be {', '.join(info.inputs)}; got "
                    f"{', '.join(sorted(request.inputs)) or 'none'}."
                )
            return {
                name: array_of(request.inputs[name], name, tensor)
                for name, tensor in info.inputs.items()
            }

        answered = await self.service.predict(
            _target(request.model_spec),
            request.model_spec.signature_name,
            read,
            size=size,
            outputs=request.output_filter,
        )

        def write() -> Any:
            response = predict_pb2.PredictResponse()
            _describe(response.model_spec, answered)
            for name, value in answered.outputs.items():
                response.outputs[name].CopyFrom(proto_of(value))
            return response

        return await beside(answered.size, write)

    @_answering("classify")
    async def Classify(self, request: Any) -> Any:
        return await self._classify(request)

    async def _classify(self, request: Any) -> Any:
        answered, classes = await self.service.classify(
            _target(request.model_spec),
            request.model_spec.signature_name,
            _examples(request.input),
            request.ByteSize(),
        )
        response = classification_pb2.ClassificationResponse()
        _describe(response.model_spec, answered)
        for row in classes:
            added = response.result.classifications.add()
            for label, score in row:
                added.classes.add(label=label, score=score)
        return response

    @_answering("regress")
    async def Regress(self, request: Any) -> Any:
        return await self._regress(request)

    async def _regress(self, request: Any) -> Any:
        answered, numbers = await self.service.regress(
            _target(request.model_spec),
            request.model_spec.signature_name,
            _examples(request.input),
            request.ByteSize(),
        )
        response = regression_pb2.RegressionResponse()
        _describe(response.model_spec, answered)
        for value in numbers:
            response.result.regressions.add(value=value)
        return response

    @_answering("multi_inference")
    async def MultiInference(self, request: Any) -> Any:
        if not request.tasks:
            raise invalid("Inference request does not have any tasks.")
        if len({task.model_spec.name for task in request.tasks}) > 1:
            raise invalid("All tasks of a request must be of one model.")
        signatures = [task.model_spec.signature_name for task in request.tasks]
        if len(set(signatures)) < len(signatures):
            raise invalid("Two tasks of a request have the same signature.")
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            result = response.results.add()
            if task.method_name == CLASSIFY:
                asked = classification_pb2.ClassificationRequest(
                    model_spec=task.model_spec, input=request.input
                )
                answer = await self._classify(asked)
                result.classification_result.CopyFrom(answer.result)
            elif task.method_name == REGRESS:
                asked = regression_pb2.RegressionRequest(
                    model_spec=task.model_spec, input=request.input
                )
                answer = await self._regress(asked)
                result.regression_result.CopyFrom(answer.result)
            else:
                raise Refused(
                    "UNIMPLEMENTED", f"A task's method_name must be {CLASSIFY} or {REGRESS}."
                )
            result.model_spec.CopyFrom(answer.model_spec)
        return response

    @_answering("metadata")
    async def GetModelMetadata(self, request: Any) -> Any:
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field[:100]!r} is not supported: signature_def is.")
        target = _target(request.model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        async with self.service.models.use(target.name, target.number, target.label) as version:
            assert version.servable is not None
            response.model_spec.name = target.name
            response.model_spec.version.value = version.number
            response.metadata["signature_def"].Pack(version.servable.signature_defs)
        return response


class _Models(_Servicer, model_service_pb2_grpc.ModelServiceServicer):
    """ModelService."""

    @_answering("status")
    async def GetModelStatus(self, request: Any) -> Any:
        target = _target(request.model_spec)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self.service.models.status(target.name, target.number, target.label):
            added = response.model_version_status.add()
            added.version, added.state = version.number, STATES[version.state]
            added.status.error_code = getattr(grpc.StatusCode, version.code).value[0]
            added.status.error_message = version.message
        return response

    @_answering("reload")
    async def HandleReloadConfigRequest(self, request: Any) -> Any:
        if not self.service.allow_reload:
            raise Refused(
                "PERMISSION_DENIED",
                "Clients cannot choose models here. Start the server with --allow-reload, or "
                "change the file of --model_config_file.",
            )
        try:
            configs = models_of(request.config, Path.cwd(), "The request")
        except UsageError as error:
            raise invalid(str(error)) from error
        # Shielded from clients that disconnect: models would be loaded only partly.
        await asyncio.shield(self.service.models.reconfigure(configs))
        return model_management_pb2.ReloadConfigResponse()


def _describe(spec: Any, answered: Answered) -> None:
    spec.name = answered.version.model
    spec.version.value = answered.version.number
    spec.signature_name = answered.signature


def _examples(given: Any) -> Examples:
    """Returns the features of the examples in a request's `Input`, as lists of values."""
    kind = given.WhichOneof("kind")
    if kind is None:
        raise invalid("Input is empty")
    context = example_pb2.Example()
    examples = given.example_list.examples
    if kind == "example_list_with_context":
        examples = given.example_list_with_context.examples
        context = given.example_list_with_context.context
    return [{**_features(context), **_features(example)} for example in examples]


def _features(example: Any) -> dict[str, list[Any]]:
    found = {}
    for name, feature in example.features.feature.items():
        filled = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, filled).value) if filled else []
    return found
