"""Vectors of 16 floats as values in numba code: what a loop does 16 numbers at a time, written down and not hoped for.

    sums = multiply_add(splat(x), load(weights, at), sums)
    share = splat(ONE) / (ONE + a * b)

LLVM keeps them in registers and splits them where a machine's registers are shorter. Operators take two vectors, or a
vector and a float32. Arrays are one-dimensional and contiguous; an index counts numbers and is not checked.
"""

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 16

_FLOAT, _WHOLE = ir.FloatType(), ir.IntType(32)
_VECTOR, _WHOLES = ir.VectorType(_FLOAT, LANES), ir.VectorType(_WHOLE, LANES)
_HALVES = ir.VectorType(ir.HalfType(), LANES)
_FAST = ("fast",)


class VectorType(types.Type):
    """Sixteen float32."""

    def __init__(self) -> None:
        super().__init__(name="float32x16")


vector = VectorType()


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, _VECTOR)


def _pointer(context, builder, kind, array, index, of=_VECTOR):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), of.as_pointer())


def _call(builder, name, result, arguments, **options):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments, **options)


def _all_lanes(builder, number):
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, _WHOLE(0))
    return builder.shuffle_vector(first, empty, ir.Constant(_WHOLES, [0] * LANES))


def _define(symbol, instruction):
    kinds = [(vector, vector), (vector, types.float32), (types.float32, vector)]

    @infer_global(symbol)
    class _Signatures(ConcreteTemplate):
        cases = [signature(vector, *kind) for kind in kinds]

    def code(context, builder, signature, arguments):
        pair = zip(arguments, signature.args, strict=True)
        vectors = [each if kind == vector else _all_lanes(builder, each) for each, kind in pair]
        return getattr(builder, instruction)(*vectors, flags=_FAST)

    for kind in kinds:
        lower_builtin(symbol, *kind)(code)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define(_symbol, _instruction)


@intrinsic
def load(typing, array, index):
    """array[index : index + 16] of float32"""

    def code(context, builder, signature, arguments):
        return builder.load(_pointer(context, builder, signature.args[0], *arguments), align=4)

    return vector(array, types.intp), code


@intrinsic
def store(typing, array, index, value):
    """array[index : index + 16] = value, of float32"""

    def code(context, builder, signature, arguments):
        array, index, value = arguments
        builder.store(value, _pointer(context, builder, signature.args[0], array, index), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def store_whole(typing, array, index, value):
    """array[index : index + 16] = value without what follows the point, of int32"""

    def code(context, builder, signature, arguments):
        array, index, value = arguments
        place = _pointer(context, builder, signature.args[0], array, index, _WHOLES)
        builder.store(builder.fptosi(value, _WHOLES), place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def load_half(typing, array, index):
    """array[index : index + 16] of float16, which numba sees as int16"""

    def code(context, builder, signature, arguments):
        place = _pointer(context, builder, signature.args[0], *arguments, _HALVES)
        return builder.fpext(builder.load(place, align=2), _VECTOR)

    return vector(array, types.intp), code


@intrinsic
def store_half(typing, array, index, value):
    """array[index : index + 16] = value, rounded to float16, which numba sees as int16"""

    def code(context, builder, signature, arguments):
        array, index, value = arguments
        place = _pointer(context, builder, signature.args[0], array, index, _HALVES)
        builder.store(builder.fptrunc(value, _HALVES), place, align=2)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def load_lower_halves(typing, array, index):
    """array[index : index + 16] of int32, each the bits of two bfloat16: the numbers in the lower halves"""

    def code(context, builder, signature, arguments):
        bits = builder.load(_pointer(context, builder, signature.args[0], *arguments, _WHOLES), align=4)
        return builder.bitcast(builder.shl(bits, ir.Constant(_WHOLES, [16] * LANES)), _VECTOR)

    return vector(array, types.intp), code


@intrinsic
def load_upper_halves(typing, array, index):
    """Likewise those in the upper halves."""

    def code(context, builder, signature, arguments):
        bits = builder.load(_pointer(context, builder, signature.args[0], *arguments, _WHOLES), align=4)
        return builder.bitcast(builder.and_(bits, ir.Constant(_WHOLES, [0xFFFF0000] * LANES)), _VECTOR)

    return vector(array, types.intp), code


@intrinsic
def store_halves(typing, array, index, lower, upper):
    """array[index : index + 16] = bits of finite numbers, rounded to two bfloat16 in each int32 (ties away from 0)"""

    def code(context, builder, signature, arguments):
        array, index, *pair = arguments
        half, places = ir.Constant(_WHOLES, [0x8000] * LANES), ir.Constant(_WHOLES, [16] * LANES)
        lower, upper = (builder.add(builder.bitcast(value, _WHOLES), half) for value in pair)
        lower = builder.lshr(lower, places)
        upper = builder.and_(upper, ir.Constant(_WHOLES, [0xFFFF0000] * LANES))
        place = _pointer(context, builder, signature.args[0], array, index, _WHOLES)
        builder.store(builder.or_(lower, upper), place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, vector), code


@intrinsic
def splat(typing, number):
    """The same number in every lane."""

    def code(context, builder, signature, arguments):
        return _all_lanes(builder, arguments[0])

    return vector(types.float32), code


@intrinsic
def multiply_add(typing, a, b, c):
    """a * b + c, in one instruction where the machine has one."""

    def code(context, builder, signature, arguments):
        return _call(builder, "llvm.fmuladd.v16f32", _VECTOR, arguments, fastmath=_FAST)

    return vector(vector, vector, vector), code


@intrinsic
def floor(typing, value):
    """The largest whole numbers that are not above."""

    def code(context, builder, signature, arguments):
        return _call(builder, "llvm.floor.v16f32", _VECTOR, arguments)

    return vector(vector), code


@intrinsic
def power_of_two(typing, exponent):
    """2 to the power of whole numbers from -126 to 127, written as its bits."""

    def code(context, builder, signature, arguments):
        whole = builder.fptosi(arguments[0], _WHOLES)
        bias, places = ir.Constant(_WHOLES, [127] * LANES), ir.Constant(_WHOLES, [23] * LANES)
        return builder.bitcast(builder.shl(builder.add(whole, bias), places), _VECTOR)

    return vector(vector), code


@intrinsic
def where_positive(typing, condition, value):
    """value where condition > 0, and 0 elsewhere."""

    def code(context, builder, signature, arguments):
        condition, value = arguments
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", condition, zero), value, zero)

    return vector(vector, vector), code


@intrinsic
def maximum(typing, a, b):
    """The larger of both."""

    def code(context, builder, signature, arguments):
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return vector(vector, vector), code


@intrinsic
def clamp(typing, value, low, high):
    """value, but at least low and at most high."""

    def code(context, builder, signature, arguments):
        value, *ends = arguments
        low, high = (_all_lanes(builder, end) for end in ends)
        value = builder.select(builder.fcmp_ordered(">", value, low), value, low)
        return builder.select(builder.fcmp_ordered("<", value, high), value, high)

    return vector(vector, types.float32, types.float32), code


@intrinsic
def total(typing, value):
    """The sum of the lanes."""

    def code(context, builder, signature, arguments):
        start = ir.Constant(_FLOAT, 0.0)
        return _call(builder, "llvm.vector.reduce.fadd.v16f32", _FLOAT, [start, *arguments], fastmath=_FAST)

    return types.float32(vector), code
