// Data sets: made here, read from files, or the user's own.
export { type AugmentOptions, augment, type Elastic } from './augment.js';
export { type JoinColumnsOptions, joinColumns } from './columns.js';
export { type CsvOptions, type CsvType, csvRows, readCsv } from './csv.js';
export type { CsvSource } from './csv-records.js';
export { ArrayDataset, type ArrayDatasetOptions, type BatchIterable } from './dataset.js';
export { type DigitsOptions, digits } from './digits.js';
export {
  type EncoderJSON,
  encoderFromJSON,
  LabelEncoder,
  labelEncoder,
  minMaxScaler,
  OneHotEncoder,
  oneHotEncoder,
  Scaler,
  type ScalerOptions,
  standardScaler,
} from './encoders.js';
export { type IdxData, parseIdx } from './idx.js';
export {
  type DecodeOptions,
  decodeImage,
  ImageDataset,
  type ImageDecoder,
  type ImageFile,
  type ImageOptions,
  imageFiles,
  imageFolder,
  resizeImage,
  withChannels,
} from './images.js';
export { type Mnist, type MnistOptions, mnist } from './mnist.js';
export { decodePng, encodePng, type Image, type PngOptions } from './png.js';
export type { Batch, BatchOptions, DataSpec, Dataset } from './spec.js';
export {
  kFold,
  type Selectable,
  type SplitOptions,
  type Splittable,
  split,
  trainTestSplit,
} from './split.js';
export { dataset, type Example, type ShuffleOptions, type Source, Stream, StreamDataset } from './stream.js';
export {
  type CategoryColumn,
  type Column,
  type NumberColumn,
  type Row,
  Table,
  type TableOptions,
} from './table.js';
export {
  TableEncoder,
  type TableEncoderJSON,
  type TableEncoderOptions,
  tableEncoder,
  tableEncoderFromJSON,
} from './table-encoder.js';
