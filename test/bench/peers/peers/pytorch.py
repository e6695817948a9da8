"""PyTorch, a native reference. Answers the same calls as session.mjs, with the numbers of numbers.mjs."""
import json
import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


def uniform(stream, size):
    with np.errstate(over="ignore"):
        x = np.arange(size, dtype=np.uint32) + np.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        return ((x ^ (x >> np.uint32(16))) >> np.uint32(8)).astype(np.float64) / 2**24


def centred(stream, shape, scale=1.0):
    values = (2 * uniform(stream, math.prod(shape)) - 1) * scale
    return values.astype(np.float32).reshape(shape)


def sparse(stream, size):
    return np.where(uniform(stream + 1, size) < 0.2, uniform(stream, size), 0).astype(np.float32)


def tensor(values):
    return torch.from_numpy(np.ascontiguousarray(values))


def images(values):
    """Channels last to channels first."""
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2)) if values.ndim == 4 else values


def sample(t):
    values = t.detach().reshape(-1)
    return values[:: math.ceil(values.numel() / 2000) | 1].tolist()


def blas():
    """The library that multiplies matrices; it makes more difference than anything else."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line and "libblas" in line or "mkl" in line}
    return ", ".join(sorted("/".join(p.split("/")[-2:]) for p in paths)) or "its own"


class LastStep(torch.nn.Module):
    """An LSTM that gives its last hidden state."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.lstm = torch.nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[1][0][0]


def module_of(layer):
    kind = layer["type"]
    if kind == "linear":
        return torch.nn.Linear(layer["inputs"], layer["outputs"])
    if kind == "conv":
        sizes = [layer[k] for k in ("inputs", "outputs", "kernel", "stride", "padding")]
        return torch.nn.Conv2d(*sizes)
    if kind == "batchNorm":
        return torch.nn.BatchNorm2d(layer["features"])
    if kind == "maxPool":
        return torch.nn.MaxPool2d(layer["size"], layer["stride"])
    if kind == "lstm":
        return LastStep(layer["inputs"], layer["hidden"])
    return {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "flatten": torch.nn.Flatten}[kind]()


@torch.no_grad()
def fill(module, layer, index, flat):
    """The first weights that all competitors get."""
    kind, stream = layer["type"], 100 + 4 * index
    if kind == "linear":
        inputs, outputs = layer["inputs"], layer["outputs"]
        w = centred(stream, (inputs, outputs), 1 / math.sqrt(inputs))
        if flat:
            w = w.reshape(*flat, outputs).transpose(2, 0, 1, 3).reshape(inputs, outputs)
        module.weight.copy_(tensor(w.T))
        module.bias.copy_(tensor(centred(stream + 1, (outputs,), 1 / math.sqrt(inputs))))
    elif kind == "conv":
        k, inputs, outputs = layer["kernel"], layer["inputs"], layer["outputs"]
        scale = 1 / math.sqrt(k * k * inputs)
        module.weight.copy_(tensor(centred(stream, (k, k, inputs, outputs), scale).transpose(3, 2, 0, 1)))
        module.bias.copy_(tensor(centred(stream + 1, (outputs,), scale)))
    elif kind == "lstm":
        inputs, hidden = layer["inputs"], layer["hidden"]
        scale = 1 / math.sqrt(hidden)
        shapes = [(inputs, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,)]
        wx, wh, b = [tensor(centred(stream + i, s, scale)) for i, s in enumerate(shapes)]
        module.lstm.weight_ih_l0.copy_(wx.T)
        module.lstm.weight_hh_l0.copy_(wh.T)
        module.lstm.bias_ih_l0.copy_(b)
        module.lstm.bias_hh_l0.zero_()
        module.lstm.bias_hh_l0.requires_grad_(False)  # one bias, as the others have


def build(layers):
    modules, flat = [], None
    for index, layer in enumerate(layers):
        module = module_of(layer)
        fill(module, layer, index, flat if layer["type"] == "linear" else None)
        flat = layer["shape"] if layer["type"] == "flatten" else None if layer["type"] == "linear" else flat
        modules.append(module)
    return torch.nn.Sequential(*modules)


def gemm(w):
    m, n = w["m"], w["n"]
    a = tensor(centred(1, (m, n), math.sqrt(3 / n)))
    b = tensor(centred(2, (n, n), math.sqrt(3 / n)))

    def once():
        c = a
        for _ in range(w["products"]):
            c = (c.T if w["transposed"] else c) @ b
        return c

    return sample(once()), lambda count: [once() for _ in range(count)]


def train(w):
    batch, count, shape = w["batch"], w["batches"], w["input"]
    size = math.prod(shape)
    flat = centred(1, (count * size * batch,)) if w.get("dense") else sparse(1, count * size * batch)
    inputs = [images(x) for x in flat.reshape(count, batch, *shape)]
    labels = np.floor(10 * uniform(3, 997 * batch)).astype(np.int64).reshape(997, batch)
    model, o = build(w["layers"]), w["optimizer"]
    own = [p for p in model.parameters() if p.requires_grad]
    if o["type"] == "sgd":
        optimizer = torch.optim.SGD(own, lr=o["lr"], momentum=o["momentum"])
    else:
        optimizer = torch.optim.Adam(own, lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    steps = 0

    def step():
        nonlocal steps
        x = torch.from_numpy(inputs[steps % count].copy())
        optimizer.zero_grad(set_to_none=True)
        y = model(x)
        if w["loss"] == "crossEntropy":
            loss = F.cross_entropy(y, torch.from_numpy(labels[steps % 997]))
        else:
            loss = F.binary_cross_entropy_with_logits(y, x, reduction="sum") / batch
        loss.backward()
        optimizer.step()
        steps += 1
        return loss

    check = [step().item() for _ in range(w["checkedSteps"])]
    return check, lambda runs: [step() for _ in range(runs)][-1].item()


def infer(w):
    model = build(w["layers"]).eval()
    x = images(centred(1, (w["batch"], *w["input"])))

    @torch.inference_mode()
    def once():
        return model(torch.from_numpy(x))

    return sample(once()), lambda count: [once() for _ in range(count)]


def conv(w):
    batch, size, inputs, outputs, k, p = [
        w[key] for key in ("batch", "size", "inputs", "outputs", "kernel", "padding")
    ]
    to = size + 2 * p - k + 1
    x = tensor(images(centred(1, (batch, size, size, inputs))))
    f = tensor(centred(2, (k, k, inputs, outputs), 1 / math.sqrt(k * k * inputs)).transpose(3, 2, 0, 1))
    dy = tensor(images(centred(3, (batch, to, to, outputs))))

    def backward(x_wanted, w_wanted):
        wanted = [x_wanted, w_wanted, False]
        got = torch.ops.aten.convolution_backward(
            dy, x, f, [outputs], [1, 1], [p, p], [1, 1], False, [0, 0], 1, wanted
        )
        return got[0] if x_wanted else got[1]

    passes = {
        "forward": lambda: F.conv2d(x, f, padding=p),
        "input": lambda: backward(True, False),
        "filter": lambda: backward(False, True),
    }
    once = passes[w["pass"]]
    axes = (2, 3, 1, 0) if w["pass"] == "filter" else (0, 2, 3, 1)
    return sample(once().permute(*axes)), lambda count: [once() for _ in range(count)]


class Session:
    run, count = None, 1

    def prepare(self, argument):
        torch.set_num_threads(argument["threads"])
        workload = argument["workload"]
        check, self.run = globals()[workload["kind"]](workload)
        return {"version": f"{torch.__version__}, BLAS: {blas()}", "check": check}

    def round(self, _=None):
        start = time.perf_counter()
        self.run(self.count)
        return time.perf_counter() - start

    def warmUp(self, argument):
        seconds = argument["seconds"]
        took = self.round()
        while took < seconds:
            self.count = math.ceil(self.count * min(8, max(1.2, 1.1 * seconds / took)))
            took = self.round()
        return {"count": self.count, "took": took}


session = Session()
for line in sys.stdin:
    call = json.loads(line)
    try:
        answer = {"value": getattr(session, call["command"])(call.get("argument"))}
    except Exception as error:  # whatever the library throws becomes a cell of the table
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
