// Digits, learned in a worker while the page stays free; closed and opened again, it goes on where it was.
import { digits } from 'everygrad/data';
import { setAssetsUrl, trainer } from 'everygrad/worker';

setAssetsUrl(new URL('everygrad/', document.baseURI)); // filled by: npx everygrad assets public/everygrad
const output = document.querySelector('output');
const { train, test: validation } = await digits();
const lab = await trainer();
const model = await lab.create([['linear', 784, 100], ['relu'], ['linear', 100, 10]], 1);
const rule = { loss: ['crossEntropy'], optimizer: ['adam'], epochs: 3, checkpoint: { key: 'digits' } };
const onEpoch = ({ epoch, validationAccuracy: right }) => (output.value = `epoch ${epoch}: ${right}`);
await lab.fit(model, train, { ...rule, validation, onEpoch });
output.dataset.accuracy = (await lab.evaluate(model, validation)).accuracy;
