// Learns digits in a worker while the page stays free, and reads some. Closed while it learns, it goes on when opened again.
import { digits } from 'everygrad/data';
import { trainer } from 'everygrad/worker';

const [lab, { train, test }] = await Promise.all([trainer({ assetsUrl: 'everygrad/' }), digits()]);
const model = await lab.create([['linear', 784, 100], ['relu'], ['linear', 100, 10]]);
const rule = { loss: ['crossEntropy'], optimizer: ['adam'], epochs: 3, checkpoint: { key: 'digits' } };
const fit = lab.fit(model, train, rule);
const output = document.querySelector('output');
fit.subscribe(({ epoch, accuracy }) => (output.value = `epoch ${epoch}: ${accuracy}`));
const { labels } = await fit.then(() => lab.predict(model, test.take(20)));
output.value = `read as ${labels.join(' ')}`;
