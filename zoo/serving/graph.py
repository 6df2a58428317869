"""Checks that the graph of a SavedModel only computes.

The ops of a graph are a program, and TensorFlow runs some of them as soon as it loads a model.
Some ops read and write files, call Python or connect to other machines. Therefore the graph is
checked before it is loaded: every op must be one of `COMPUTING`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from zoo.errors import UsageError, ZooError, first_line, quoted
from zoo.trust import REMEDY

# Ops that call functions of the graph.
_CALLING = """
    Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile While
"""
CALLING = frozenset(_CALLING.split())

# The ops of our exports and other common ones, so that most custom networks need no others. Their
# kernels only access tensors, tables in memory and weights.
_COMPUTING = """
    Abs Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin AsString Asin Asinh
    Assert Atan Atan2 Atanh AvgPool BatchMatMul BatchMatMulV2 BatchMatMulV3 Betainc BiasAdd
    Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BlockLSTMV2 BroadcastArgs BroadcastTo
    Bucketize Cast Ceil CheckNumerics ClipByValue Complex ComplexAbs Concat ConcatV2 Conj Const
    Conv2D Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp DecodeRaw DenseBincount
    DepthwiseConv2dNative Diag DiagPart Digamma Div DivNoNan Einsum Elu EmptyTensorList
    EnsureShape Equal Erf Erfc Erfinv Exp ExpandDims Expm1 FFT Fill Floor FloorDiv FloorMod
    FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual HashTableV2 IFFT IRFFT
    Identity IdentityN Igamma Igammac Imag Invert InvertPermutation IsFinite IsInf IsNan L2Loss
    LeakyRelu LeftShift Less LessEqual Lgamma LinSpace ListDiff Log Log1p LogSoftmax LogicalAnd
    LogicalNot LogicalOr LookupTableFindV2 LookupTableImportV2 LookupTableSizeV2 LowerBound
    MatMul MatrixBandPart MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3 Max MaxPool Maximum Mean
    Min Minimum MirrorPad Mod Mul MulNoNan Multinomial Ndtri Neg NextAfter NoOp NotEqual OneHot
    OnesLike Pack Pad PadV2 Pow PreventGradient Prod RFFT RaggedGather RaggedRange
    RaggedTensorToTensor RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt Range
    Rank ReadVariableOp Real RealDiv Reciprocal ReduceJoin RegexFullMatch RegexReplace Relu
    Relu6 Reshape ResourceGather Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round
    Rsqrt ScatterNd SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2
    Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split SplitV
    Sqrt Square SquaredDifference Squeeze StatelessMultinomial StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomNormalV2 StatelessRandomUniformFullIntV2
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormalV2
    StaticRegexFullMatch StaticRegexReplace StopGradient StridedSlice StringFormat StringJoin
    StringLength StringLower StringNGrams StringSplitV2 StringStrip StringToHashBucketFast
    StringToNumber StringUpper Sub Substr Sum Tan Tanh TensorListConcatV2 TensorListElementShape
    TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
    TensorListPushBack TensorListReserve TensorListResize TensorListScatterIntoExistingList
    TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorScatterAdd
    TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate Tile TopKV2 Transpose
    TruncateDiv TruncateMod UnicodeDecode UnicodeEncode UnicodeScript UnicodeTranscode Unique
    UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UnsortedSegmentJoin
    UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound
    Where Xdivy Xlog1py Xlogy ZerosLike
"""
COMPUTING = CALLING | frozenset(_COMPUTING.split())

# Ops of the graph itself, outside the functions, which Python does not run.
_DECLARING = frozenset({"Placeholder", "VarHandleOp"})

# Ops of the two functions that write and read the weights for TF Serving, at a path that a caller
# could choose. No function that Python can call may lead to a function with one of these.
_SAVING = (
    *("SaveV2", "RestoreV2", "MergeV2Checkpoints"),
    *("ShardedFilename", "AssignVariableOp", "DisableCopyOnRead"),
)


def check_graph(folder: Path) -> None:
    """Checks every op in the graph of a SavedModel, without loading it.

    Args:
      folder: the folder of the SavedModel.

    Raises:
      UsageError: an op is not one of `COMPUTING`.
      ZooError: the file is damaged, or has an op that this version of TensorFlow does not know.
    """
    path = folder / "saved_model.pb"
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except Exception as error:  # from protocol buffers or the file system
        raise _damaged(folder, first_line(error)) from error
    if not model.meta_graphs:
        raise _damaged(folder, f"{path.name} has no graph")
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].HasField("object_graph_def"):
        # TensorFlow would load it as TensorFlow 1 did, and run its graph.
        raise UsageError(f"{path} is not what tf.saved_model.save writes. {REMEDY}")
    graph = model.meta_graphs[0].graph_def
    functions = [(each.signature.name, each.node_def) for each in graph.library.function]
    saving: dict[str, str] = {}  # function to its worst op
    called: set[str] = set()
    for name, nodes in functions:  # several may have the same name
        ops = {node.op for node in nodes}
        if found := [op for op in _SAVING if op in ops]:
            saving[name] = found[0]
        _check_ops(path, ops.difference(_SAVING))
        called.update(_called(nodes))
    _check_ops(path, {node.op for node in graph.node} - _DECLARING)
    if missing := sorted({*called, *_called(graph.node)} - {name for name, _ in functions}):
        # TensorFlow may interpret the name of an op as that of a function.
        raise _refused(path, missing[0])
    # Gradients and objects also name the functions that they call.
    called.update(each.gradient_func for each in graph.library.gradient)
    called.update(each.gradient_func for each in graph.library.registered_gradients)
    objects = model.meta_graphs[0].object_graph_def.SerializeToString()
    for name, op in saving.items():
        if name in called or name.encode() in objects:
            raise _refused(path, op)


def _check_ops(path: Path, ops: Iterable[str]) -> None:
    for op in sorted(set(ops) - COMPUTING):
        if op_def_registry.get(op) is None:
            raise _damaged(path.parent, f"TensorFlow knows no op {quoted(op)}")
        raise _refused(path, op)


def _damaged(folder: Path, reason: str) -> ZooError:
    return ZooError(f"{folder} is damaged ({reason}). Export or install it again.")


def _refused(path: Path, op: str) -> UsageError:
    return UsageError(
        f"The graph in {path} has the op {quoted(op)}, which no export of ours uses in this way: "
        f"it might reach files or programs of this machine. {REMEDY}"
    )


def _called(nodes: Iterable[Any]) -> Iterator[str]:
    """Yields the names of the functions that nodes call."""
    for node in nodes:
        if node.op in CALLING:
            for value in node.attr.values():
                yield from _functions(value)


def _functions(value: Any) -> Iterator[str]:
    for function in (*([value.func] if value.HasField("func") else []), *value.list.func):
        yield function.name
        for inner in function.attr.values():
            yield from _functions(inner)
