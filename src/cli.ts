#!/usr/bin/env node
// The command line: commands, their options and help, and how errors end it.
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { assets } from './cli/assets.js';
import { bench } from './cli/bench.js';
import { type BisectOptions, bisect } from './cli/bisect.js';
import { doctor } from './cli/doctor.js';
import { failed } from './cli/errors.js';
import { type ExplainOptions, explain } from './cli/explain.js';
import {
  activationNames,
  checkLayerOptions,
  dataHelp,
  defaultBatch,
  initNames,
  lossNames,
  modelNames,
  optimizerNames,
  scheduleNames,
  type TrainOptions,
} from './cli/model.js';
import { layerSizes, number, option, someText, wholeNumber } from './cli/options.js';
import { reproduce } from './cli/reproduce.js';
import { train } from './cli/train.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((l) => `  $ ${l}`).join('\n')}\n`;

/** What all commands that compute have in common. */
const withEngine = (command: Command): Command =>
  command
    .addOption(
      option('--device <name>', 'where to compute')
        .choices(['auto', 'wasm', 'webgpu', 'reference'])
        .default('auto'),
    )
    .addOption(
      option('--build <name>', 'WASM kernels: relaxed is faster, simd gives the same bits everywhere')
        .choices(['auto', 'simd', 'relaxed'])
        .default('auto'),
    )
    .addOption(option('--threads <number>', 'of WASM (default: one per core, at most 8)', wholeNumber(1)));

const program = new Command('everygrad')
  .description('Trains neural networks on WebAssembly SIMD and WebGPU, in any JavaScript runtime.')
  .version(version)
  .showHelpAfterError('(everygrad --help lists commands and options)')
  .addHelpText(
    'after',
    examples(
      'everygrad train',
      'everygrad train --data ./mnist --hidden 100 --epochs 30 --out digits.safetensors',
      'everygrad doctor',
      'everygrad bench --filter gemm',
    ),
  );

/** Options as they are given, some of which depend on others. */
type Given<T extends TrainOptions> = Omit<T, 'batch'> & { batch?: number };

function completed<T extends TrainOptions>(options: Given<T>, command: Command): T {
  checkLayerOptions(options, (name) => command.getOptionValueSource(name) === 'cli');
  return { ...options, batch: options.batch ?? defaultBatch(options) } as unknown as T;
}

/** Data, network and how it is trained. */
const withModel = (command: Command): Command =>
  command
    .addOption(option('--data <source>', dataHelp, someText).default('digits'))
    .addOption(option('--model <name>', 'kind of network').choices(modelNames).default('mlp'))
    .addOption(
      option(
        '--input-size <number>',
        'height and width that images are scaled to for alexnet (default: 227)',
        wholeNumber(1),
      ),
    )
    .addOption(
      option('--hidden <sizes>', 'units of the hidden layers, as in 100,100; 0 for none', layerSizes).default(
        [100],
        '100',
      ),
    )
    .addOption(
      option('--activation <name>', 'of the hidden layers').choices(activationNames).default('sigmoid'),
    )
    .addOption(option('--loss <name>', 'what is made small').choices(lossNames).default('crossEntropy'))
    .addOption(option('--optimizer <name>', 'how').choices(optimizerNames).default('sgd'))
    .addOption(
      option(
        '--lr <number>',
        'learning rate (default: 0.5 for sgd, for convolutional networks 0.05 in batches of 64; 0.001 for adam, what is usual for each of the others)',
        number({ above: 0 }),
      ),
    )
    .addOption(
      option('--momentum <number>', 'of sgd and rmsProp (default: 0)', number({ from: 0, below: 1 })),
    )
    .addOption(option('--nesterov', 'let momentum look ahead'))
    .addOption(
      option(
        '--schedule <name>',
        'how the learning rate changes (default: constant, for convolutional networks cosine)',
      ).choices(scheduleNames),
    )
    .addOption(
      option(
        '--warm-up <epochs>',
        'raise the learning rate from 0 in so many epochs (default: 0)',
        number({ from: 0 }),
      ),
    )
    .addOption(
      option(
        '--patience <epochs>',
        'stop when validation accuracy has not risen for so long; keeps the best weights (default: train to the end)',
        wholeNumber(1),
      ),
    )
    .addOption(
      option(
        '--lambda <number>',
        'L2: adds lambda/2n times the sum of all squared weights to the loss, n the number of training examples (default: 0)',
        number({ from: 0 }),
      ),
    )
    .addOption(
      option(
        '--lambda1 <number>',
        "L1: adds lambda1/n times the sum of all weights' sizes to the loss (default: 0)",
        number({ from: 0 }),
      ),
    )
    .addOption(
      option(
        '--dropout <number>',
        'part of the hidden units that is left out in each step',
        number({ from: 0, below: 1 }),
      ).default(0),
    )
    .addOption(option('--init <name>', 'first weights').choices(initNames).default('default'))
    .addOption(
      option(
        '--batch <number>',
        'examples in a batch (default: 10, 64 for convolutional networks)',
        wholeNumber(1),
      ),
    )
    .addOption(option('--train-size <number>', 'train on that many examples only', wholeNumber(1)))
    .addOption(
      option('--seed <number>', 'decides first weights, order and dropout', wholeNumber(0)).default(1),
    );

withEngine(
  withModel(program.command('train').description('train a classifier of images and test it'))
    .addOption(option('--epochs <number>', 'times through the training data', wholeNumber(1)).default(30))
    .addOption(
      option('--precision <name>', 'mixed: halves where they do, weights and updates in float32')
        .choices(['float32', 'mixed'])
        .default('float32'),
    )
    .addOption(option('--out <file>', 'save the weights there, as safetensors', someText))
    .addOption(option('--json', 'print one JSON object a line')),
)
  .addHelpText(
    'after',
    examples(
      'everygrad train --hidden 100,100 --activation relu --optimizer adam',
      'everygrad train --loss quadratic --lr 3 --epochs 5',
      'everygrad train --data https://example.org/mnist/ --lambda 5 --out mnist.safetensors',
      'everygrad train --momentum 0.9 --nesterov --lr 0.1 --schedule cosine --patience 5',
      'everygrad train --device webgpu --batch 128 --json',
    ),
  )
  .action((options: Given<TrainOptions>, command: Command) => train(completed(options, command)));

withEngine(
  withModel(
    program
      .command('explain')
      .description('which backend would compute which part of a training step, and why'),
  )
    .addOption(option('--measure', 'run the step and show the time of each part'))
    .addOption(option('--dot', 'print the plan as a graph for Graphviz'))
    .addOption(option('--json', 'print one JSON object a line')),
)
  .addHelpText(
    'after',
    examples(
      'everygrad explain --hidden 800,800 --activation relu --optimizer adam --batch 128 --measure',
      'everygrad explain --device webgpu --json',
      'everygrad explain --dot | dot -Tsvg > plan.svg',
    ),
  )
  .action((options: Given<ExplainOptions>, command: Command) => explain(completed(options, command)));

withEngine(
  program
    .command('reproduce')
    .description('train published results anew and print both side by side; without a row, list them')
    .argument('[rows...]', 'rows of the table, or all')
    .addOption(
      option('--data <source>', 'folder or address of the four IDX files of MNIST', someText).default(
        'mnist',
      ),
    )
    .addOption(option('--seeds <number>', 'train with the seeds 1 to this', wholeNumber(1)).default(3))
    .addOption(
      option(
        '--cache <folder>',
        'where results are kept, so that an interrupted run goes on (default: the cache)',
        someText,
      ),
    )
    .addOption(option('--json', 'print one JSON object a line')),
)
  .addHelpText(
    'after',
    examples(
      'everygrad reproduce',
      'everygrad reproduce mnist-100-l2 --data ./mnist',
      'everygrad reproduce all --data ./mnist --seeds 5 --json',
    ),
  )
  .action(reproduce);

withEngine(
  withModel(
    program
      .command('bisect')
      .description('train on two devices in lockstep and name the first op that differs'),
  )
    .addOption(
      option('--against <name>', 'the device that is compared with')
        .choices(['auto', 'wasm', 'webgpu', 'reference'])
        .default('reference'),
    )
    .addOption(option('--steps <number>', 'training steps', wholeNumber(1)).default(5))
    .addOption(
      option(
        '--tolerance <number>',
        'what results may differ by, relative to the largest number in a result',
        number({ from: 0 }),
      ).default(1e-4),
    )
    .addOption(option('--json', 'print one JSON object')),
)
  .addHelpText(
    'after',
    examples(
      'everygrad bisect --model mlp --device wasm --against reference --steps 5',
      'everygrad bisect --device webgpu --against wasm --optimizer adam --json',
    ),
  )
  .action((options: Given<BisectOptions>, command: Command) => bisect(completed(options, command)));

program
  .command('doctor')
  .description('what this machine and runtime can do, and what everygrad makes of it')
  .option('--json', 'print JSON')
  .addHelpText('after', examples('everygrad doctor', 'everygrad doctor --json | jq .wasm.build'))
  .action((options: { json?: boolean }) => doctor(version, options));

withEngine(
  program
    .command('bench')
    .description('measure speed; every result is checked against a reference before it is timed')
    .option('--filter <name>', 'only benchmarks with this in their name', '')
    .addOption(
      option('--seconds <number>', 'how long each one is timed, at least', number({ above: 0 })).default(1.5),
    )
    .option('--placement', 'on WASM alone, on WebGPU alone, and as the scheduler places it')
    .option('--json', 'print one JSON object a line'),
)
  .addHelpText(
    'after',
    examples(
      'everygrad bench',
      'everygrad bench --placement --filter train/mlp',
      'everygrad bench --filter gemm/1024 --threads 1 --build simd',
      'everygrad bench --device webgpu --filter train --json',
    ),
  )
  .action(bench);

program
  .command('assets')
  .description('copy what pages load by address (kernels, workers) to where an app is served from')
  .argument('<folder>', 'one that a bundler serves as it is; setAssetsUrl names its address')
  .addHelpText('after', examples('everygrad assets public/everygrad'))
  .action(assets);

// Instead of commander's own, which says nothing of a command that is not there.
program
  .helpCommand(false)
  .command('help')
  .description('display help for command')
  .argument('[command]')
  .action(async (name?: string) => {
    const found = name === undefined ? program : program.commands.find((c) => c.name() === name);
    // As if it were called: an error that names those that may be meant.
    if (!found) await program.parseAsync([name!], { from: 'user' });
    found?.help();
  });

// A reader that went away, as `head` does, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  failed(error);
});

try {
  await program.parseAsync();
} catch (error) {
  failed(error);
}
