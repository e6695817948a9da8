// Learns digits in a worker: components that show how far it is, and then what it reads.
import { digits } from 'everygrad/data';
import { trainer } from 'everygrad/worker';
import { use, useSyncExternalStore } from 'react';

const [lab, { train, test }] = await Promise.all([trainer({ assetsUrl: 'everygrad/' }), digits()]);
const model = await lab.create([['linear', 784, 100], ['relu'], ['linear', 100, 10]]);
const fit = lab.fit(model, train, { loss: ['crossEntropy'], optimizer: ['adam'], epochs: 3 });
const answer = fit.then(() => lab.predict(model, test.take(20)));

export const Progress = () => `epoch ${useSyncExternalStore(fit.subscribe, fit.getSnapshot).epoch}`;
export const Answer = () => `read as ${use(answer).labels.join(' ')}`;
