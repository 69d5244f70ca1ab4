"""Vectors of 16 floats as values in numba code: what a loop does 16 numbers at a time, written down and not hoped for.

    total = multiply_add(splat(x), load(weights, at), total)

LLVM keeps them in registers and splits them where a machine's registers are shorter. Arrays are one-dimensional,
float32 and contiguous; an index counts floats and is not checked.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

LANES = 16

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
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


def _pointer(context, builder, kind, array, index):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _call(builder, name, result, arguments, **options):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments, **options)


@intrinsic
def load(typing, array, index):
    """array[index : index + 16]"""

    def code(context, builder, signature, arguments):
        return builder.load(_pointer(context, builder, signature.args[0], *arguments), align=4)

    return vector(array, types.intp), code


@intrinsic
def store(typing, array, index, value):
    """array[index : index + 16] = value"""

    def code(context, builder, signature, arguments):
        array, index, value = arguments
        builder.store(value, _pointer(context, builder, signature.args[0], array, index), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def splat(typing, number):
    """The same number in every lane."""

    def code(context, builder, signature, arguments):
        empty = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(empty, arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return vector(types.float32), code


@intrinsic
def multiply_add(typing, a, b, c):
    """a * b + c, in one instruction where the machine has one."""

    def code(context, builder, signature, arguments):
        return _call(builder, "llvm.fmuladd.v16f32", _VECTOR, arguments, fastmath=_FAST)

    return vector(vector, vector, vector), code


@intrinsic
def multiply(typing, a, b):
    """a * b"""

    def code(context, builder, signature, arguments):
        return builder.fmul(*arguments, flags=_FAST)

    return vector(vector, vector), code


@intrinsic
def add(typing, a, b):
    """a + b"""

    def code(context, builder, signature, arguments):
        return builder.fadd(*arguments, flags=_FAST)

    return vector(vector, vector), code


@intrinsic
def where_positive(typing, condition, value):
    """value where condition > 0, and 0 elsewhere."""

    def code(context, builder, signature, arguments):
        condition, value = arguments
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", condition, zero), value, zero)

    return vector(vector, vector), code


@intrinsic
def total(typing, value):
    """The sum of the lanes."""

    def code(context, builder, signature, arguments):
        start = ir.Constant(_FLOAT, 0.0)
        return _call(builder, "llvm.vector.reduce.fadd.v16f32", _FLOAT, [start, *arguments], fastmath=_FAST)

    return types.float32(vector), code
