#!/usr/bin/python3
"""Computes test/golden/ops.json with PyTorch (Debian: python3-torch), in double precision.

    test/golden/make.sh

The cases come from the op table by export.ts, so that a new sample or op needs no change here but its line in OPS.
"""
import json
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


def quantize_rows(x, factor):
    q = (x * factor[:, None]).detach().round().clamp(-127, 127).to(torch.int8)
    return words(F.pad(q, (0, -x.shape[1] % 8)))


def dequantize_rows(q, scale, cols):
    return unpacked(q, 'i1')[:, :cols] * scale.detach()[:, None]


def matmul_int8(a, b, scale_a, scale_b):
    total = unpacked(a, 'i1').long() @ unpacked(b, 'i1').long().T
    return total * (scale_a[:, None] * scale_b).detach()


CASTS = dict(DTYPES)

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
    'toHalf': to_half,
    'fromHalf': from_half,
    'quantizeRows': quantize_rows,
    'dequantizeRows': dequantize_rows,
    'matmulInt8': matmul_int8,
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
    'oneHot': lambda x, y: x * F.one_hot(y.long(), 4),
    'gather rows': lambda x, y: x[y.long()],
    'crossEntropy': lambda x, y: F.cross_entropy(x, y.long()),
    'crossEntropy smooth': lambda x, y: F.cross_entropy(x, y.long(), label_smoothing=0.1),
    'crossEntropy of distributions': lambda x, t: F.cross_entropy(x, t),
    'binaryCrossEntropy': lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction='sum') / len(x),
    'quadratic': lambda x, t: 0.5 * F.mse_loss(x, t, reduction='sum') / len(x),
    'meanSquaredError': F.mse_loss,
}

# Draws of the library's own generator, whose published vectors are in test/unit/philox.test.ts.
WITHOUT = {'randomUniform': "the library's own generator", 'randomNormal': "the library's own generator"}

OPTIMIZERS = {
    'sgd': lambda p: torch.optim.SGD(p(0), lr=0.1),
    'sgd momentum': lambda p: torch.optim.SGD(p(0), lr=0.1, momentum=0.9),
    'sgd nesterov': lambda p: torch.optim.SGD(p(0), lr=0.1, momentum=0.8, nesterov=True),
    'sgd weightDecay': lambda p: torch.optim.SGD(p(0.05), lr=0.1, momentum=0.9),
    'adam': lambda p: torch.optim.Adam(p(0), lr=0.05),
    'adam betas': lambda p: torch.optim.Adam(p(0), lr=0.05, betas=(0.8, 0.95), eps=1e-4),
    'adam weightDecay': lambda p: torch.optim.Adam(p(0.1), lr=0.05),
    'adamW': lambda p: torch.optim.AdamW(p(0.1), lr=0.05),
}


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


job = json.load(sys.stdin)
result = {
    'pytorch': torch.__version__,
    'without': WITHOUT,
    'cases': {c['key']: golden(c, job['cotangents'], job['kept']) for c in job['cases'] if c['op'] not in WITHOUT},
    'trajectories': {n['name']: trajectory(n, job['batch'], job['steps']) for n in job['networks']},
}
lines = [f'{json.dumps(k)}:{json.dumps(v, separators=(",", ":"))}' for k, v in result['cases'].items()]
rest = {k: v for k, v in result.items() if k != 'cases'}
head = json.dumps(rest, separators=(',', ':'))[:-1]
print(head + ',"cases":{\n' + ',\n'.join(lines) + '\n}}')
