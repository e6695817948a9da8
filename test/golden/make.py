#!/usr/bin/python3
"""Computes test/golden/ops.json with PyTorch (Debian: python3-torch), in double precision.

    test/golden/make.sh

The cases come from the op table by export.ts, so that a new sample or op needs no change here but its line in OPS.
"""
import json
import math
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

DTYPES = {'float32': torch.float64, 'int32': torch.int32, 'bool': torch.bool, 'uint8': torch.uint8}


def reduced(f):
    """An op on the axes start to end, taken together."""

    def apply(x, start, end, keepDims):
        shape = list(x.shape)
        outer, inner = shape[:start], shape[end:]
        y = f(x.reshape(outer + [-1] + inner), start)
        return y.reshape(outer + [1] * (end - start) + inner) if keepDims else y

    return apply


def matmul(a, b, transA, transB):
    a = a.transpose(-1, -2) if transA else a
    b = b.transpose(-1, -2) if transB else b
    return a @ b


def slice_(x, starts, sizes, steps):
    for axis, (start, size, step) in enumerate(zip(starts, sizes, steps)):
        x = x.index_select(axis, torch.arange(size) * step + start)
    return x


def pad(x, low, high, interior, value):
    shape = [l + max(0, (d - 1) * (i + 1) + 1) + h for d, l, h, i in zip(x.shape, low, high, interior)]
    inside = torch.full(shape, False)
    view = inside
    for axis, (d, l, i) in enumerate(zip(x.shape, low, interior)):
        view = view.narrow(axis, l, (d - 1) * (i + 1) + 1)
        view = view[(slice(None),) * axis + (slice(None, None, i + 1),)]
    view.fill_(True)
    return torch.full(shape, float(value)).masked_scatter(inside, x)


def scatter_add(x, indices, axis, size):
    shape = list(x.shape)
    shape[axis] = size
    return torch.zeros(shape, dtype=x.dtype).index_add(axis, indices, x)


def channels_first(x):
    """Channels from the last axis to PyTorch's place."""
    return x.movedim(-1, 1)


def last(y):
    return y.movedim(1, -1)
def words(t):
    """Bytes along the last axis (a multiple of 4 of them) as int32, the first in the low bits."""
    return torch.from_numpy(t.contiguous().numpy().view('<i4'))


def unpacked(t, dtype):
    return torch.from_numpy(t.contiguous().numpy().view(dtype))


def to_half(x):
    flat = x.detach().reshape(-1).half()
    return words(F.pad(flat, (0, len(flat) % 2)))


def from_half(x, shape, dtype):
    return unpacked(x, '<f2').reshape(-1)[:torch.Size(shape).numel()].reshape(shape).to(DTYPES[dtype])


def of_halves(op):
    """An op of two operands of packed halves."""

    def apply(a, b, left, right, **attributes):
        return op(from_half(a, left, 'float32'), from_half(b, right, 'float32'), **attributes).detach()

    return apply
def of_halves(f):
    def g(a, b, left, right, **rest):
        pair = [from_half(t, shape, 'float32') for t, shape in ((a, left), (b, right))]
        return f(*pair, **rest).detach()
    return g


def quantize_rows(x, factor):
    q = (x * factor[:, None]).detach().round().clamp(-127, 127).to(torch.int8)
    return words(F.pad(q, (0, -x.shape[1] % 8)))


def dequantize_rows(q, scale, cols):
    return unpacked(q, 'i1')[:, :cols] * scale.detach()[:, None]


def matmul_int8(a, b, scale_a, scale_b):
    total = unpacked(a, 'i1').long() @ unpacked(b, 'i1').long().T
    return total * (scale_a[:, None] * scale_b).detach()


def conv2d(x, w, strides, pads, dilations, groups):
    top, bottom, left, right = pads
    x = F.pad(channels_first(x), (left, right, top, bottom))
    return last(F.conv2d(x, w.permute(3, 2, 0, 1), stride=strides, dilation=dilations, groups=groups))


def conv2d_int8(x, w, scale_x, scale_w, image, kernel, groups, **options):
    size = [*kernel, image[2] // groups]
    images = unpacked(x, 'i1')[:, :math.prod(image)].reshape(-1, *image).double()
    filters = unpacked(w, 'i1')[:, :math.prod(size)].reshape(-1, *size).double().permute(1, 2, 3, 0)
    total = conv2d(images, filters, groups=groups, **options)
    return total * (scale_x[:, None, None, None] * scale_w).detach()


def conv2d_input(dy, w, size, **options):
    x = torch.zeros(dy.shape[0], *size, w.shape[2] * options['groups'], requires_grad=True)
    return torch.autograd.grad(conv2d(x, w, **options), x, dy, create_graph=True)[0]


def conv2d_filter(x, dy, kernel, **options):
    w = torch.zeros(*kernel, x.shape[3] // options['groups'], dy.shape[3], requires_grad=True)
    return torch.autograd.grad(conv2d(x, w, **options), w, dy, create_graph=True)[0]


def add_along(x, indices, axis, size):
    shape = list(x.shape)
    shape[axis] = size
    return torch.zeros(shape, dtype=x.dtype).scatter_add(axis, indices.long(), x)


def cumsum(x, axis, reverse, exclusive):
    x = x.flip(axis) if reverse else x
    y = x.cumsum(axis) - (x if exclusive else 0)
    return (y.flip(axis) if reverse else y).to(x.dtype)


def resample(x, axis, size, to, linear, alignCorners):
    """Along one axis, as (all others, 1, size)."""
    y = x.movedim(axis, -1)
    flat = y.reshape(-1, 1, size)
    mode = {'mode': 'linear', 'align_corners': alignCorners} if linear else {'mode': 'nearest'}
    return F.interpolate(flat, size=to, **mode).reshape(y.shape[:-1] + (to,)).movedim(-1, axis)


def resample_gradient(dy, axis, size, to, linear, alignCorners):
    shape = list(dy.shape)
    shape[axis] = size
    x = torch.zeros(shape, requires_grad=True)
    y = resample(x, axis, size, to, linear, alignCorners)
    return torch.autograd.grad(y, x, dy, create_graph=True)[0]


def resize(size, **mode):
    """Channels last."""
    return lambda x: F.interpolate(x.movedim(-1, 1), size=size, **mode).movedim(1, -1)


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return (scores if mask is None else scores + mask).softmax(-1) @ v


def causal(q, k):
    return torch.full((q.shape[-2], k.shape[-2]), float('-inf')).triu(1)


def multi_head(x, w, b, wo, bo):
    """PyTorch's own layer, batch first, with weights (inputs, outputs) as here."""
    layer = torch.nn.MultiheadAttention(x.shape[-1], 2, batch_first=True)
    weights = {'in_proj_weight': w.T, 'in_proj_bias': b, 'out_proj.weight': wo.T, 'out_proj.bias': bo}
    return torch.nn.utils.stateless.functional_call(layer, weights, (x, x, x), {'need_weights': False})[0]


def sequence(cell):
    """The packed tensor of src/ops/recurrent-layout.ts: kept values, then T + 1 states of each kind."""

    def apply(projected, weights, bias, *rest, lengths, initial, reverse):
        (steps, batch, _), hidden = projected.shape, len(weights)
        lengths_, *rest = rest if lengths else (torch.full([batch], steps), *rest)
        before = list(rest) if initial else [torch.zeros(batch, hidden)] * (2 if cell == 'lstm' else 1)
        kept, states = [None] * steps, [before] + [None] * steps
        b = bias.reshape(-1, hidden)
        for n in range(steps):
            t = steps - 1 - n if reverse else n
            x = projected[t].reshape(batch, -1, hidden)
            q = (before[0] @ weights).reshape(batch, -1, hidden)
            if cell == 'lstm':
                i, f, o = (torch.sigmoid(x[:, k] + q[:, k] + b[k]) for k in (0, 1, 3))
                g = torch.tanh(x[:, 2] + q[:, 2] + b[2])
                c = f * before[1] + i * g
                own, after = [i, f, g, o], [o * torch.tanh(c), c]
            elif cell == 'gru':
                r, z = (torch.sigmoid(x[:, k] + q[:, k] + b[k]) for k in (0, 1))
                p = q[:, 2] + b[3]
                m = torch.tanh(x[:, 2] + b[2] + r * p)
                own, after = [r, z, m, p], [(1 - z) * m + z * before[0]]
            else:
                own, after = [], [(torch.tanh if cell == 'tanh' else torch.relu)(x[:, 0] + q[:, 0] + b[0])]
            active = (t < lengths_).reshape(batch, 1)
            kept[t] = [torch.where(active, k, torch.zeros(())) for k in own]
            before = [torch.where(active, a, s) for a, s in zip(after, before)]
            states[n + 1] = before
        if reverse:
            states.reverse()
        rows = [torch.stack(k, 1).reshape(-1, batch, hidden) for k in kept if k]
        return torch.cat(rows + [s[i][None] for i in range(len(before)) for s in states])

    return apply


def recurrent(kind, inputs, hidden, lengths=None, **options):
    """PyTorch's own layers: x, weights and biases in its order (transposed), first states; all results flat."""
    module = getattr(torch.nn, kind)(inputs, hidden, batch_first=True, **options)
    names = [name for name, _ in module.named_parameters()]

    def apply(x, *rest):
        for name, p in zip(names, rest):
            delattr(module, name)
            setattr(module, name, p.T if p.dim() == 2 else p)
        state = rest[len(names):]
        first = () if not state else (state if kind == 'LSTM' else state[0],)
        if lengths:
            x_ = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, last = module(x_, *first)
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        else:
            y, last = module(x, *first)
        return torch.cat([t.reshape(-1) for t in [y, *(last if kind == 'LSTM' else [last])]])

    return apply


def pooled(pool, fill):
    """Pooling of NHWC images; padding is top, bottom, left, right."""

    def apply(x, kernel, stride, padding, dilation, ceilMode, **more):
        top, bottom, left, right = padding
        x = x.permute(0, 3, 1, 2)
        if top != bottom or left != right:
            assert not ceilMode
            x, top, left = F.pad(x, (left, right, top, bottom), value=fill), 0, 0
        if dilation != [1, 1]:
            more['dilation'] = dilation
        y = pool(x, kernel, stride, (top, left), ceil_mode=ceilMode, **more)
        if isinstance(y, tuple):
            return tuple(t.permute(0, 2, 3, 1) for t in y)
        return y.permute(0, 2, 3, 1)

    return apply


max_pool = pooled(F.max_pool2d, -math.inf)
avg_pool = pooled(lambda x, *args, countIncludePad, **more: F.avg_pool2d(x, *args, count_include_pad=countIncludePad, **more), 0)


def gradient_of(f):
    """The gradient of f by its first argument as a function of that and dy."""

    def apply(x, dy, **attributes):
        x = x if x.requires_grad else x.requires_grad_()
        return torch.autograd.grad(f(x, **attributes), x, dy, create_graph=True)[0]

    return apply


def max_pool_pick(x, v, **attributes):
    assert x.permute(0, 3, 1, 2).shape == v.permute(0, 3, 1, 2).shape
    # The derivative of the gradient by dy, in the direction v.
    dy = torch.zeros_like(max_pool(x, **attributes)).requires_grad_()
    dx = gradient_of(max_pool)(x, dy, **attributes)
    return torch.autograd.grad(dx, dy, v, create_graph=True)[0]


def avg_pool_gradient(dy, size, **attributes):
    x = torch.zeros([dy.shape[0], *size, dy.shape[3]]).requires_grad_()
    return torch.autograd.grad(avg_pool(x, **attributes), x, dy, create_graph=True)[0]


def moments(x, start, end):
    axes = list(range(start, end))
    return torch.stack([x.mean(axes), x.var(axes, unbiased=False)])


def pair_sums(y, x, centre, start, end):
    axes = list(range(start, end))
    middle = centre.reshape(list(x.shape[:start]) + [1] * (end - start) + list(x.shape[end:]))
    return torch.stack([y.sum(axes), (y * (x - middle)).sum(axes)])


def columns(x, start, end, *coefficients):
    shape = list(x.shape[:start]) + [1] * (end - start) + list(x.shape[end:])
    return [t.reshape(shape) for t in coefficients]


def column_affine(x, *coefficients, start, end):
    c, f, s = columns(x, start, end, *coefficients)
    return (x - c) * f + s


def column_affine_pair(p, q, *coefficients, start, end):
    f, c, g, h = columns(p, start, end, *coefficients)
    return p * f + ((q - c) * g + h)


def row_norm(x, centred, eps):
    if centred:
        return F.layer_norm(x, x.shape[-1:], eps=eps)
    return x * ((x * x).mean(-1, keepdim=True) + eps).rsqrt()


def window_sum(x, before, after):
    return F.pad(x, (before, after)).unfold(-1, before + after + 1, 1).sum(-1)


def first(f):
    """A function of channels-first tensors on channels-last ones."""
    return lambda x, *args: f(x.movedim(-1, 1), *args).movedim(1, -1)


CASTS = dict(DTYPES)
CLASS_WEIGHTS = torch.tensor([0.5, 1, 2, 0.25])

OPS = {
    'neg': torch.neg, 'abs': torch.abs, 'sign': torch.sign, 'exp': torch.exp, 'log': torch.log,
    'sqrt': torch.sqrt, 'square': torch.square, 'reciprocal': torch.reciprocal, 'sin': torch.sin,
    'cos': torch.cos, 'tanh': torch.tanh, 'sigmoid': torch.sigmoid, 'relu': torch.relu, 'erf': torch.erf,
    'floor': torch.floor, 'ceil': torch.ceil, 'add': torch.add, 'sub': torch.sub, 'mul': torch.mul,
    'div': torch.div, 'pow': torch.pow, 'maximum': torch.maximum, 'minimum': torch.minimum,
    'equal': torch.eq, 'less': torch.lt, 'lessEqual': torch.le, 'logicalAnd': torch.logical_and,
    'logicalOr': torch.logical_or, 'logicalNot': torch.logical_not, 'where': torch.where,
    'cast': lambda x, dtype: x.to(CASTS[dtype]),
    'broadcastTo': lambda x, shape: x.expand(shape),
    'matmul': matmul,
    'conv2d': conv2d, 'conv2dInputGradient': conv2d_input, 'conv2dFilterGradient': conv2d_filter,
    'sum': reduced(lambda x, axis: x.sum(axis)),
    'prod': reduced(lambda x, axis: x.prod(axis)),
    'max': reduced(lambda x, axis: x.amax(axis)),
    'min': reduced(lambda x, axis: x.amin(axis)),
    'argmax': reduced(lambda x, axis: x.argmax(axis)),
    'argmin': reduced(lambda x, axis: x.argmin(axis)),
    'reshape': lambda x, shape: x.reshape(shape),
    'stopGradient': lambda x: x.detach(),
    'transpose': lambda x, axes: x.permute(axes),
    'slice': slice_,
    'pad': pad,
    'concat': lambda *xs, axis: torch.cat(xs, axis),
    'flip': lambda x, axes: x.flip(axes),
    'gather': lambda x, indices, axis: x.index_select(axis, indices),
    'scatterAdd': scatter_add,
    'arange': lambda size, start, step, dtype: (torch.arange(size) * step + start).to(DTYPES[dtype]),
    'softmax': lambda x: x.softmax(-1),
    'logSoftmax': lambda x: x.log_softmax(-1),
    'rowNorm': row_norm,
    'rowNormGradient': gradient_of(row_norm),
    'windowSum': window_sum,
    'columnAffine': column_affine,
    'columnAffinePair': column_affine_pair,
    'toHalf': to_half,
    'fromHalf': from_half,
    'quantizeRows': quantize_rows,
    'dequantizeRows': dequantize_rows,
    'matmulInt8': matmul_int8,
    'conv2dInt8': conv2d_int8,
    'matmulHalf': of_halves(matmul), 'conv2dHalf': of_halves(conv2d),
    'conv2dInputGradientHalf': of_halves(conv2d_input), 'conv2dFilterGradientHalf': of_halves(conv2d_filter),
    'matmulHalf': of_halves(matmul),
    'conv2dHalf': of_halves(conv2d),
    'conv2dInputGradientHalf': of_halves(conv2d_input),
    'conv2dFilterGradientHalf': of_halves(conv2d_filter),
    'crossEntropyLogits': lambda x, y: F.cross_entropy(x, y.long(), reduction='none'),
    'crossEntropyLogitsGradient': lambda x, y, dy:
        (x.softmax(-1) - F.one_hot(y.long(), x.shape[-1])) * dy.unsqueeze(-1),
    'takeAlongAxis': lambda x, indices, axis: x.gather(axis, indices.long()),
    'addAlongAxis': add_along,
    'argsort': lambda x, axis, count, descending:
        x.sort(dim=axis, descending=descending, stable=True)[1].narrow(axis, 0, count).to(torch.int32),
    'cumsum': cumsum,
    'resample': resample,
    'resampleGradient': resample_gradient,
    'rnnTanhSequence': sequence('tanh'), 'rnnReluSequence': sequence('relu'),
    'gruSequence': sequence('gru'), 'lstmSequence': sequence('lstm'),
    'moments': moments,
    'pairSums': pair_sums,
    'maxPool': max_pool,
    'maxPoolGradient': gradient_of(max_pool),
    'maxPoolPick': max_pool_pick,
    'avgPool': avg_pool,
    'avgPoolGradient': avg_pool_gradient,
    # Functions made of ops; names as in cases.ts.
    'mean': lambda x: x.mean(),
    'mean 1': lambda x: x.mean(1, keepdim=True),
    'sum 0,2': lambda x: x.sum((0, 2)),
    'max 0,2': lambda x: x.amax((0, 2)),
    'variance': lambda x: x.var(),
    'variance 0,2 population': lambda x: x.var((0, 2), unbiased=False, keepdim=True),
    'logSumExp': lambda x: x.logsumexp(-1),
    'logSumExp 0': lambda x: x.logsumexp(0, keepdim=True),
    'softplus': lambda x: F.softplus(x, threshold=100),
    'leakyRelu': lambda x: F.leaky_relu(x, 0.1),
    'elu': lambda x: F.elu(x, 1.5),
    'gelu': F.gelu, 'silu': F.silu, 'hardTanh': F.hardtanh, 'mish': F.mish,
    'selu': F.selu, # PyTorch's own gradient of hardsigmoid has 1/6 as a float32.
    'hardSigmoid': lambda x: F.relu6(x + 3) / 6, 'hardSwish': F.hardswish,
    'radialBasis': lambda x, c, p: (-((x[:, None] - c.T) ** 2).sum(-1) * p.exp()).exp(),
    'prelu': lambda x, a: F.prelu(x.movedim(-1, 1), a).movedim(1, -1),
    'maxout': lambda x: x.reshape(3, 4, 3).amax(-1),
    'softmax temperature': lambda x: (x / 2.5).softmax(-1),
    'clamp': lambda x: x.clamp(-0.7, 1.2),
    'pow 2': lambda x: x ** 2, 'pow 3': lambda x: x ** 3, 'pow 0.5': lambda x: x ** 0.5,
    'pow -1': lambda x: x ** -1, 'pow 2.5': lambda x: x ** 2.5, 'pow -2': lambda x: x ** -2,
    'pow 4 of negatives': lambda x: x ** 4,
    'softmax 0': lambda x: x.softmax(0), 'softmax 1': lambda x: x.softmax(1),
    'logSoftmax 0': lambda x: x.log_softmax(0),
    'stack': lambda x: torch.stack([x, -x], 1),
    'slice by 2 from the end': lambda x: x[:, -3::2, :-1],
    'matmul vector': torch.matmul, 'matmul dot': torch.matmul, 'matmul batches': torch.matmul,
    'linear': lambda x, w, b: F.linear(x, w.T, b),
    'conv2d same': lambda x, w: last(F.conv2d(channels_first(x), w.permute(3, 2, 0, 1), padding='same')),
    'conv1d': lambda x, w: last(F.conv1d(channels_first(x), w.permute(2, 1, 0), stride=2, padding=1)),
    'convTranspose2d': lambda x, w: last(F.conv_transpose2d(
        channels_first(x), w.permute(3, 2, 0, 1), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2)),
    'convTranspose1d': lambda x, w: last(F.conv_transpose1d(
        channels_first(x), w.permute(2, 1, 0), stride=3, padding=1, dilation=2, output_padding=1)),
    'oneHot': lambda x, y: x * F.one_hot(y.long(), 4),
    'gather rows': lambda x, y: x[y.long()],
    'batchNorm': first(lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)),
    'batchNorm plain': lambda x: F.batch_norm(x, None, None, training=True, eps=0.1),
    'instanceNorm': first(lambda x, w, b: F.instance_norm(x, weight=w, bias=b)),
    'groupNorm 2': first(lambda x, w, b: F.group_norm(x, 2, w, b)),
    'groupNorm 6': first(lambda x, w, b: F.group_norm(x, 6, w, b)),
    'groupNorm of vectors': lambda x: F.group_norm(x, 2),
    'normalize': lambda x, m, v, w, b: (x - m) / (v + 1e-5).sqrt() * w + b,
    'layerNorm': lambda x, w, b: F.layer_norm(x, w.shape, w, b),
    'layerNorm 2': lambda x, w, b: F.layer_norm(x, w.shape, w, b, eps=0.1),
    'rmsNorm': lambda x, w: x * ((x * x).mean(-1, keepdim=True) + 1e-5).rsqrt() * w,
    'localResponseNorm 5': first(lambda x: F.local_response_norm(x, 5, alpha=0.5, k=2)),
    'localResponseNorm 4': first(lambda x: F.local_response_norm(x, 4, alpha=0.5, beta=0.6, k=1)),
    'lpPool2d': first(lambda x: F.lp_pool2d(x, 2, 3, 2)),
    'globalAvgPool': lambda x: x.mean((1, 2)),
    'globalMaxPool': lambda x: x.amax((1, 2)),
    'maxPool1d': first(lambda x: F.max_pool1d(x, 3, 2, 1, 2)),
    'avgPool1d': first(lambda x: F.avg_pool1d(x, 3, 2, 1, count_include_pad=False)),
    'crossEntropy': lambda x, y: F.cross_entropy(x, y.long()),
    'crossEntropy smooth': lambda x, y: F.cross_entropy(x, y.long(), label_smoothing=0.1),
    'crossEntropy of distributions': lambda x, t: F.cross_entropy(x, t),
    'binaryCrossEntropy': lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction='sum') / len(x),
    'quadratic': lambda x, t: 0.5 * F.mse_loss(x, t, reduction='sum') / len(x),
    'meanSquaredError': F.mse_loss,
    'crossEntropy classWeights': lambda x, y: F.cross_entropy(x, y.long(), CLASS_WEIGHTS, label_smoothing=0.1),
    'crossEntropy ignoreLabel': lambda x, y: F.cross_entropy(x, y.long(), CLASS_WEIGHTS, ignore_index=2),
    'crossEntropy of distributions, classWeights': lambda x, t: F.cross_entropy(x, t, CLASS_WEIGHTS),
    'crossEntropy weights': lambda x, w, y: (w * F.cross_entropy(x, y.long(), reduction='none')).sum() / w.sum(),
    'crossEntropy of sequences': lambda x, y: F.cross_entropy(x, y.long()),
    'nll': lambda x, y: F.nll_loss(x.log_softmax(-1), y.long()),
    'binaryCrossEntropy positiveWeight': lambda x, t: F.binary_cross_entropy_with_logits(
        x, t, pos_weight=torch.tensor(3.0), reduction='sum') / len(x),
    'binaryCrossEntropy weights': lambda x, t, w: (w * F.binary_cross_entropy_with_logits(
        x, t, reduction='none').sum(1)).sum() / w.sum(),
    'huber': lambda x, t: F.huber_loss(x, t, delta=0.8),
    'huber weights': lambda x, t, w: (w.abs() * F.huber_loss(x, t, reduction='none').mean(1)).sum() / w.abs().sum(),
    'l1': F.l1_loss,
    'gaussianNll': lambda x, t: F.gaussian_nll_loss(x[:, :4], t, x[:, 4:].exp(), full=True, eps=1e-30),
    'perceptron': lambda x, t: (-x * t.sign()).clamp(min=0).mean(),
    'perceptron of classes': lambda x, y: (x.amax(1) - x[range(len(x)), y.long()]).mean(),
    'hinge': lambda x, t: (1 - x * t.sign()).clamp(min=0).mean(),
    'hinge squared': lambda x, t: ((0.5 - x * t.sign()).clamp(min=0) ** 2).mean(),
    'multiClassHinge': lambda x, y: F.multi_margin_loss(x, y.long(), margin=0.7),
    'multiClassHinge squared': lambda x, y: F.multi_margin_loss(x, y.long(), p=2),
    'klDivergence': lambda x, t: F.kl_div(x.log_softmax(-1), t, reduction='batchmean'),
    'sort': lambda x: x.sort(1)[0],
    'topK': lambda x: x.topk(3, 1)[0],
    'resize nearest': resize((7, 3), mode='nearest'),
    'resize bilinear': resize((7, 3), mode='bilinear', align_corners=False),
    'resize bilinear corners': resize((5, 9), mode='bilinear', align_corners=True),
    'padEdges reflect': lambda x: F.pad(x.unsqueeze(0), (1, 2, 2, 1), mode='reflect').squeeze(0),
    'padEdges replicate': lambda x: F.pad(x.unsqueeze(0), (1, 7, 5, 1), mode='replicate').squeeze(0),
    'attention': attention,
    'attention causal': lambda q, k, v: attention(q, k, v, causal(q, k)),
    'attention mask': attention,
    'multiHeadAttention': multi_head,
    'embedding': lambda x, y: F.embedding(y.long(), x, padding_idx=1),
    'rnn': recurrent('RNN', 3, 5),
    'rnn relu': recurrent('RNN', 3, 5, nonlinearity='relu', lengths=[4, 1, 3]),
    'rnn stacked': recurrent('RNN', 3, 2, lengths=[2, 4, 4], num_layers=2, bidirectional=True),
    'gru': recurrent('GRU', 3, 5),
    'gru lengths': recurrent('GRU', 3, 5, lengths=[4, 1, 3]),
    'gru stacked': recurrent('GRU', 3, 2, lengths=[2, 4, 4], num_layers=2, bidirectional=True),
    'lstm': recurrent('LSTM', 3, 5),
    'lstm lengths': recurrent('LSTM', 3, 5, lengths=[4, 1, 3]),
    'lstm stacked': recurrent('LSTM', 3, 2, lengths=[2, 4, 4], num_layers=2, bidirectional=True),
}

# Draws of the library's own generator, whose published vectors are in test/unit/philox.test.ts.
WITHOUT = {name: "the library's own generator" for name in ('randomUniform', 'randomNormal', 'dropout')}
WITHOUT.update({f'{c}Gradient': f'it is the gradient of {c}Sequence' for c in ('rnnTanh', 'rnnRelu', 'gru', 'lstm')})


def hooked(optimizer, before=None, after=None):
    """An optimizer with something done to its parameters before and after each step."""
    step = optimizer.step
    params = [p for group in optimizer.param_groups for p in group['params']]

    def stepped():
        if before:
            before(params)
        step()
        if after:
            with torch.no_grad():
                after(params)

    optimizer.step = stepped
    return optimizer


def l1(strength):
    """The gradient of strength * sum(|w|), of weights only."""

    def apply(params):
        for p in params:
            if p.dim() > 1:
                p.grad += strength * p.detach().sign()

    return apply


def max_norm(limit):
    def apply(params):
        for p in params:
            if p.dim() > 1:
                p.copy_(p.renorm(2, 1, limit))

    return apply


class Formula(torch.optim.Optimizer):
    """Optimizers that PyTorch does not have, as their papers write them."""

    def __init__(self, params, rule, **defaults):
        super().__init__(params, defaults)
        self.rule = rule

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group['params']:
                state = self.state[p]
                state.setdefault('m', torch.zeros_like(p))
                state.setdefault('v', torch.zeros_like(p))
                state['t'] = state.get('t', 0) + 1
                self.rule(p, p.grad, state, group)


def lamb(p, g, s, o):
    (b1, b2), wd = o['betas'], o['weight_decay']
    s['m'] = b1 * s['m'] + (1 - b1) * g
    s['v'] = b2 * s['v'] + (1 - b2) * g * g
    r = (s['m'] / (1 - b1 ** s['t'])) / ((s['v'] / (1 - b2 ** s['t'])) ** 0.5 + 1e-6) + wd * p
    p -= o['lr'] * p.norm() / r.norm() * r


def lion(p, g, s, o):
    b1, b2 = o['betas']
    p -= o['lr'] * ((b1 * s['m'] + (1 - b1) * g).sign() + o['weight_decay'] * p)
    s['m'] = b2 * s['m'] + (1 - b2) * g


def groups(params):
    params[0]['weight_decay'] = 0.05
    params[1].update(lr=0.03, weight_decay=0.2)
    return params


OPTIMIZERS = {
    'sgd': lambda p: torch.optim.SGD(p(0), lr=0.1),
    'sgd momentum': lambda p: torch.optim.SGD(p(0), lr=0.1, momentum=0.9),
    'sgd nesterov': lambda p: torch.optim.SGD(p(0), lr=0.1, momentum=0.8, nesterov=True),
    'sgd weightDecay': lambda p: torch.optim.SGD(p(0.05), lr=0.1, momentum=0.9),
    'adam': lambda p: torch.optim.Adam(p(0), lr=0.05),
    'adam betas': lambda p: torch.optim.Adam(p(0), lr=0.05, betas=(0.8, 0.95), eps=1e-4),
    'adam weightDecay': lambda p: torch.optim.Adam(p(0.1), lr=0.05),
    'adamW': lambda p: torch.optim.AdamW(p(0.1), lr=0.05),
    'sgd clipNorm': lambda p: hooked(
        torch.optim.SGD(p(0), lr=0.1, momentum=0.9), lambda ps: torch.nn.utils.clip_grad_norm_(ps, 1.5)
    ),
    'sgd clipValue': lambda p: hooked(
        torch.optim.SGD(p(0), lr=0.1, momentum=0.9), lambda ps: torch.nn.utils.clip_grad_value_(ps, 0.4)
    ),
    'sgd groups': lambda p: torch.optim.SGD(groups(p(0)), lr=0.1),
    'sgd l1': lambda p: hooked(torch.optim.SGD(p(0), lr=0.1), before=l1(0.05)),
    'sgd maxNorm': lambda p: hooked(torch.optim.SGD(p(0), lr=0.1, momentum=0.9), after=max_norm(0.6)),
    'amsGrad': lambda p: torch.optim.Adam(p(0), lr=0.05, betas=(0.8, 0.7), amsgrad=True),
    'adamW amsgrad': lambda p: torch.optim.AdamW(p(0.1), lr=0.05, betas=(0.8, 0.7), amsgrad=True),
    'adagrad': lambda p: torch.optim.Adagrad(p(0), lr=0.1),
    'adagrad lrDecay': lambda p: torch.optim.Adagrad(
        p(0.05), lr=0.1, lr_decay=0.1, initial_accumulator_value=0.2
    ),
    'rmsProp': lambda p: torch.optim.RMSprop(p(0), lr=0.01),
    'rmsProp centered momentum': lambda p: torch.optim.RMSprop(
        p(0.05), lr=0.01, alpha=0.9, centered=True, momentum=0.8
    ),
    'adadelta': lambda p: torch.optim.Adadelta(p(0), lr=0.7, rho=0.8),
    'lamb': lambda p: Formula(p(0.1), lamb, lr=0.02, betas=(0.9, 0.999)),
    'lion': lambda p: Formula(p(0.1), lion, lr=0.02, betas=(0.9, 0.99)),
}

lr = torch.optim.lr_scheduler
SCHEDULES = {
    'step': lambda o, n: lr.StepLR(o, 7, 0.3),
    'multiStep': lambda o, n: lr.MultiStepLR(o, [3, 17, 30], 0.5),
    'exponential': lambda o, n: lr.ExponentialLR(o, 0.93),
    'cosine': lambda o, n: lr.CosineAnnealingLR(o, n, 0.05),
    'cosineRestarts': lambda o, n: lr.CosineAnnealingWarmRestarts(o, 5, 2, 0.1),
    'oneCycle': lambda o, n: lr.OneCycleLR(o, 1, n, cycle_momentum=False),
    'oneCycle early': lambda o, n: lr.OneCycleLR(
        o, 1, n, pct_start=0.2, cycle_momentum=False, div_factor=10, final_div_factor=100
    ),
    'warmUp, step': lambda o, n: lr.SequentialLR(o, [lr.LinearLR(o, 0.2, 1, 5), lr.StepLR(o, 10)], [5]),
    'reduceOnPlateau': lambda o, n: lr.ReduceLROnPlateau(o, factor=0.5, patience=3),
    'reduceOnPlateau cooldown': lambda o, n: lr.ReduceLROnPlateau(
        o, factor=0.2, patience=2, cooldown=4, threshold=0.05, min_lr=0.03
    ),
}


def schedule(name, n, losses):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    made = SCHEDULES[name](optimizer, n)
    rates = []
    for loss in losses:
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        made.step(loss) if isinstance(made, lr.ReduceLROnPlateau) else len(rates) < n and made.step()
    return rates


def kept(t, counts):
    """Some elements of a result, and the sum of all."""
    values = t.detach().reshape(-1).to(torch.float64)
    n = values.numel()
    step = max(1, -(-n // 40))
    some = values[::step].tolist()
    assert len(some) == counts[str(n)], 'keptElements in cases.ts has another rule'
    short = [int(v) if v == int(v) else v for v in some]
    return {'shape': list(t.shape), 'sum': values.sum().item(), 'some': short}


def golden(case, cotangents, counts):
    inputs = []
    for i in case['inputs']:
        t = torch.tensor(i['values'], dtype=DTYPES[i['dtype']]).reshape(i['shape'])
        inputs.append(t.requires_grad_() if t.dtype == torch.float64 else t)
    y = OPS[case['op']](*inputs, **case['attributes'])
    result = {'fingerprint': case['fingerprint'], 'y': kept(y, counts)}
    if y.requires_grad:
        dy = torch.tensor(cotangents[:y.numel()]).reshape(y.shape)
        xs = [t for t in inputs if t.requires_grad]
        gradients = torch.autograd.grad(y, xs, dy, allow_unused=True)
        result['gradients'] = [None if g is None else kept(g, counts) for g in gradients]
    return result


def trajectory(network, batch, steps):
    sizes = network['sizes']
    layers = []
    for layer, n, m in zip(network['layers'], sizes, sizes[1:]):
        w = torch.tensor(layer['weight']).reshape(n, m).requires_grad_()
        layers.append((w, torch.tensor(layer['bias']).requires_grad_()))
    groups = lambda decay: [  # noqa: E731
        {'params': [w for w, _ in layers], 'weight_decay': decay},
        {'params': [b for _, b in layers], 'weight_decay': 0},
    ]
    optimizer = OPTIMIZERS[network['optimizer']](groups)
    x = torch.tensor(network['inputs']).reshape(batch, sizes[0])
    target = torch.tensor(network['targets'])
    losses = []
    for _ in range(steps):
        h = x
        for i, (w, b) in enumerate(layers):
            h = h @ w + b
            if i + 1 < len(layers):
                h = getattr(torch, network['activation'])(h)
        if network['loss'] == 'crossEntropy':
            loss = F.cross_entropy(h, target)
        else:
            loss = 0.5 * F.mse_loss(h, target.reshape(h.shape), reduction='sum') / batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    weights = [t.detach().reshape(-1).tolist() for layer in layers for t in layer]
    return {'losses': losses, 'weights': weights}


def running_statistics(shape, inputs, momentum):
    """Running mean and variance of a batch norm after each batch, and what it then makes of the last one."""
    norm = torch.nn.BatchNorm2d(shape[-1], momentum=momentum)
    steps = []
    for values in inputs:
        x = torch.tensor(values).reshape(shape).permute(0, 3, 1, 2)
        norm(x)
        steps.append({'mean': norm.running_mean.tolist(), 'variance': norm.running_var.tolist()})
    return {'steps': steps, 'used': norm.eval()(x).permute(0, 2, 3, 1).reshape(-1).tolist()}


job = json.load(sys.stdin)
result = {
    'pytorch': torch.__version__,
    'without': WITHOUT,
    'cases': {c['key']: golden(c, job['cotangents'], job['kept']) for c in job['cases'] if c['op'] not in WITHOUT},
    'runningStatistics': running_statistics(**job['normBatches']),
    'trajectories': {n['name']: trajectory(n, job['batch'], job['steps']) for n in job['networks']},
    'schedules': {
        name: schedule(name, job['schedules']['length'], job['schedules']['losses'])
        for name in job['schedules']['names']
    },
}
lines = [f'{json.dumps(k)}:{json.dumps(v, separators=(",", ":"))}' for k, v in result['cases'].items()]
rest = {k: v for k, v in result.items() if k != 'cases'}
head = json.dumps(rest, separators=(',', ':'))[:-1]
print(head + ',"cases":{\n' + ',\n'.join(lines) + '\n}}')
