// Text, character by character, by a simple recurrent network, a GRU and an LSTM. The text is made by a grammar whose
// next character has a known probability, so the least possible loss is known, too. Another text:
//   node 18-character-text.mjs FILE
import { readFile } from 'node:fs/promises';
import { data, evaluate, fit, loss, nn, optim, randomUniform, schedules, tensor } from 'everygrad';
import { options, quick, report, seed } from './common.mjs';

const [length, steps, hidden, epochs] = quick ? [16_000, 50, 48, 8] : [200_000, 100, 96, 15];

const words = {
  adjective: ['', 'small ', 'red ', 'old ', 'loud '],
  noun: ['cat', 'dog', 'bird', 'horse', 'train', 'ship'],
  place: ['', 'in the garden ', 'near the house ', 'of the king '],
  verb: ['sing', 'sleep', 'run', 'shine', 'wait'],
};
/** Sentences of at least so many characters. The verb agrees with the first word, from which much may part it. */
async function grammar(characters, stream) {
  const draws = await randomUniform([characters], { seed, stream }).data();
  let [text, bits, used] = ['', 0, 0];
  const pick = (list) => {
    bits += Math.log2(list.length);
    return list[Math.floor(draws[used++] * list.length)];
  };
  while (text.length < characters) {
    const [one, s, verbs] = pick([
      ['one ', ' ', 's'],
      ['two ', 's ', ''],
    ]);
    text += `${one}${pick(words.adjective)}${pick(words.noun)}${s}${pick(words.place)}${pick(words.verb)}${verbs}. `;
  }
  return { text, bits: bits / text.length };
}

/** Bits per character of the test text, by the pairs of characters of the training text. */
function pairs(train, test, size) {
  const counts = Array.from({ length: size }, () => new Array(size).fill(1 / size));
  for (let i = 1; i < train.length; i++) counts[train[i - 1]][train[i]]++;
  const totals = counts.map((row) => row.reduce((a, b) => a + b));
  let bits = 0;
  for (let i = 1; i < test.length; i++) bits -= Math.log2(counts[test[i - 1]][test[i]] / totals[test[i - 1]]);
  return bits / (test.length - 1);
}

const whole = options.file === undefined ? null : await readFile(options.file, 'utf8');
const made = await grammar(length / 5, 2);
const testText = whole ? whole.slice(0, Math.min(whole.length / 10, length / 5)) : made.text;
const trainText = whole
  ? whole.slice(whole.length / 10, whole.length / 10 + length)
  : (await grammar(length, 1)).text;
const letters = [...new Set(trainText + testText)].sort();
const numbers = (text) => Int32Array.from(text, (letter) => letters.indexOf(letter));
/** Inputs are `steps` characters, targets the ones that follow each of them. */
function dataset(text, size) {
  const all = numbers(text);
  const rows = Math.floor((all.length - 1) / size);
  const spec = { inputShape: [size], inputDType: 'int32', targetShape: [size], targetDType: 'int32' };
  return new data.ArrayDataset({
    ...spec,
    inputs: all.slice(0, rows * size),
    targets: all.slice(1, rows * size + 1),
  });
}
const train = dataset(trainText, steps);
// One long row, so that nothing is forgotten between rows.
const test = dataset(testText, testText.length - 1);
console.log(`${trainText.length} characters, ${letters.length} different ones: ${trainText.slice(0, 90)}...`);

/** Goes on with a text: at each step a character is drawn by the probabilities that the network gives. */
async function write(model, start, count) {
  const [embedding, recurrent, outputs] = model.layers;
  const draws = await randomUniform([count], { seed, stream: 9 }).data();
  let text = start;
  for (const draw of draws) {
    const last = recurrent.run(embedding.forward(tensor(numbers(text.slice(-60))).reshape([1, -1]))).state.h;
    const p = await outputs
      .forward(last.reshape([1, hidden]))
      .softmax()
      .data();
    let [at, sum] = [0, p[0]];
    while (sum <= draw && at < p.length - 1) sum += p[++at];
    text += letters[at];
  }
  return text;
}

const crossEntropy = loss.crossEntropy();
const found = {};
for (const kind of ['rnn', 'gru', 'lstm']) {
  const model = nn.sequential(
    nn.embedding(letters.length, 16),
    nn[kind](16, hidden),
    nn.linear(hidden, letters.length),
  );
  await fit(model, train, {
    ...{ loss: crossEntropy, optimizer: optim.adam({ lr: 0.01, clipNorm: 1 }), schedule: schedules.cosine() },
    ...{ batchSize: 16, epochs, seed },
  });
  found[kind] = (await evaluate(model, test, { loss: crossEntropy })).loss / Math.LN2;
  console.log(`${kind} writes: ${await write(model, trainText.slice(0, 8), 80)}`);
}
const best = whole
  ? 'less than by pairs'
  : `at least ${made.bits.toFixed(3)}, the entropy of the grammar on this text`;
report([
  ['simple RNN, bits per character', found.rnn.toFixed(3), best],
  ['GRU', found.gru.toFixed(3), best],
  ['LSTM', found.lstm.toFixed(3), best],
  [
    'pairs of characters, counted',
    pairs(numbers(trainText), numbers(testText), letters.length).toFixed(3),
    `${Math.log2(letters.length).toFixed(3)} without any knowledge`,
  ],
]);
