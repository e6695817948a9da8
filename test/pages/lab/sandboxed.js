// Trains on the main thread of a page that may store nothing, with and without checkpoints: what was said, and the weights.
try {
  const { checkpointed, configure, data, fit, loss, nn, optim, weightsSha256 } = await import(
    './everygrad/index.js'
  );
  await configure({ device: 'wasm', build: 'simd', threads: 1 });
  const { train } = await data.digits({ train: 300, test: 1 });
  const said = [];
  const weightsAfter = async (checkpoint) => {
    const model = nn.sequential(nn.linear(784, 24), nn.relu(), nn.linear(24, 10));
    const how = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.01 }), epochs: 3, seed: 3 };
    await fit(model, train, { ...how, ...checkpoint });
    return weightsSha256(model);
  };
  const undisturbed = await weightsAfter();
  const onWarning = ({ name, message }) => said.push(`${name}: ${message}`);
  const forbidden = await weightsAfter({
    checkpoint: checkpointed({ key: 'here', everySteps: 2, onWarning }),
  });
  parent.postMessage({ said, same: forbidden === undisturbed }, '*');
} catch (error) {
  parent.postMessage({ failed: String(error?.stack ?? error) }, '*');
}
