// Losses: functions of prediction (batch, ...) and target that give one number, the mean over the batch.
export * from './classification.js';
export * from './combine.js';
export { checkLoss, type Loss } from './common.js';
export * from './regression.js';
